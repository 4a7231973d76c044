"""The store: the same arguments replay, whatever matters recomputes, and nothing half-written is ever read."""

import ast
import json
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest

from interp import store
from tests.conftest import ROOT

CALLS: list[int] = []
SOURCE_DIGEST = store.source_digest


@store.study("adding", identities={"what": lambda name: f"identity of {name}"})
def add(*, what: str, a: int, b: int = 1, device: str = "cpu"):  # noqa: ARG001
    CALLS.append(a)
    return {"sums": pd.DataFrame({"sum": [a + b], "name": [what]}), "more": pd.DataFrame({"x": [1.5]})}


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(store, "source_digest", lambda _: "fixed")
    CALLS.clear()


def entry():
    (folder,) = (store.root() / "adding").iterdir()
    return folder


def test_the_same_call_replays_bit_for_bit():
    first, again = add(what="x", a=2), add(what="x", a=2)
    assert CALLS == [2]
    for name in first:
        pd.testing.assert_frame_equal(first[name], again[name], check_exact=True)
    assert [u.replayed for u in store.used[-2:]] == [False, True]


def test_what_matters_recomputes_and_what_does_not_replays(monkeypatch):
    add(what="x", a=2)
    add(what="x", a=2, b=1)  # the default, said aloud
    add(what="x", a=2, device="cuda")  # where it is computed does not change the numbers
    assert CALLS == [2]
    add(what="x", a=2, b=5)
    add(what="y", a=2)
    assert CALLS == [2, 2, 2]
    monkeypatch.setattr(store, "source_digest", lambda _: "changed")
    add(what="x", a=2)
    assert len(CALLS) == 4


def test_meta_says_where_an_entry_comes_from():
    add(what="x", a=2)
    meta = json.loads((entry() / "meta.json").read_text())
    assert meta["arguments"] == {"what": "x", "a": 2, "b": 1}
    assert meta["identities"] == {"what": "identity of x"}
    assert set(meta["files"]) == {"sums.parquet", "more.parquet"}
    assert {"created", "seconds", "machine", "versions", "source"} <= set(meta)


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: (f / "sums.parquet").write_bytes(b"PAR1"),
        lambda f: (f / "sums.parquet").unlink(),
        lambda f: (f / "meta.json").write_text("{"),
        lambda f: (f / "meta.json").unlink(),
        lambda f: (f / "meta.json").write_text('{"seconds": 1}'),
    ],
    ids=["changed", "gone", "cut off", "no meta", "no list"],
)
def test_a_damaged_entry_is_named_and_computed_again(damage):
    add(what="x", a=2)
    damage(entry())
    with pytest.warns(store.DamagedEntry, match="is damaged"):
        assert add(what="x", a=2)["sums"]["sum"][0] == 3
    assert CALLS == [2, 2]
    add(what="x", a=2)
    assert CALLS == [2, 2]


def test_a_failed_computation_leaves_nothing():
    @store.study("failing", identities={})
    def fail(*, a: int):  # noqa: ARG001
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        fail(a=1)
    assert not (store.root() / "failing").exists()


def test_two_at_the_same_time_do_no_harm():
    barrier = threading.Barrier(2)

    @store.study("racing", identities={})
    def slow(*, a: int):
        barrier.wait(timeout=20)
        return {"t": pd.DataFrame({"a": [a]})}

    results = []
    threads = [threading.Thread(target=lambda: results.append(slow(a=7)["t"]["a"][0])) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [7, 7]
    left = [p.name for p in (store.root() / "racing").iterdir()]
    assert len(left) == 1
    assert not left[0].startswith(".partial")


def test_an_unwritable_store_says_so_and_loses_nothing(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("INTERP_RESULTS", str(blocked))
    with pytest.warns(UserWarning, match="cannot keep a result"):
        assert add(what="x", a=4)["sums"]["sum"][0] == 5


def test_a_process_killed_while_writing_leaves_no_entry():
    program = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).resolve().parents[1])!r})
import pandas as pd
from interp import store
from tests.conftest import ROOT
@store.study("killed", identities={{}})
def slow(*, a: int):
    return {{"t": pd.DataFrame({{"a": [a]}})}}
store.sync = lambda folder: os.kill(os.getpid(), 9)   # the power goes before the rename
slow(a=1)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == -9
    left = list((store.root() / "killed").iterdir())
    assert all(p.name.startswith(".partial") for p in left)


def test_the_digest_follows_the_code_that_is_reached(tmp_path, monkeypatch):
    package = tmp_path / "interp"
    package.mkdir()
    files = {
        "study": "from interp.measure import f\n",
        "measure": '"""Doc."""\ndef f(x):\n    """Doc."""\n    from interp import deep\n    return x  # note\n',
        "deep": "x = 1\n",
        "figure": "y = 1\n",
    }
    for name, text in files.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.undo()
    monkeypatch.setattr(store, "__file__", str(package / "store.py"))

    def digest(**changed):
        for name, text in {**files, **changed}.items():
            (package / f"{name}.py").write_text(text)
        store._tree.cache_clear()
        store._code.cache_clear()
        store._imported.cache_clear()
        SOURCE_DIGEST.cache_clear()
        return SOURCE_DIGEST("interp.study")

    base = digest()
    assert digest(figure="y = 2\n") == base
    assert digest(measure=files["measure"].replace("Doc", "Another doc").replace("# note", "# other")) == base
    assert digest(measure=files["measure"].replace("return x", "return x + 1")) != base
    assert digest(deep="x = 2\n") != base
    store._tree.cache_clear()
    SOURCE_DIGEST.cache_clear()


def test_the_digest_of_code_does_not_know_pythons_version(monkeypatch):
    text = "def f(x=None):\n    return f'{x!r:>4} {\"a\"}'\n"
    here = store._told(ast.parse(text))
    later = ast.parse(text)
    later.body[0].a_field_of_a_later_version = []
    monkeypatch.setattr(ast.FunctionDef, "_fields", (*ast.FunctionDef._fields, "a_field_of_a_later_version"))
    assert store._told(later) == here
    different = [
        text.replace(*change) for change in (("None", "0"), ("!r", "!s"), (">4", ">5"), ("a", "b"), ("x", "y"))
    ]
    assert len({here, *(store._told(ast.parse(t)) for t in different)}) == 6


def test_a_figure_is_reached_by_no_study():
    for study in ("property_inference", "residual_stream"):
        reached = store._reachable(f"interp.studies.{study}")
        assert not [m for m in reached if m.startswith(("interp.report", "interp.cli", "interp.claims"))]
    assert not [m for m in store._reachable("interp.studies.residual_stream") if m.startswith("interp.inference")]


def test_the_store_is_that_of_the_checkout_from_any_folder_in_it(monkeypatch, tmp_path):
    monkeypatch.delenv("INTERP_RESULTS", raising=False)
    for folder in (ROOT, ROOT / "notebooks"):
        monkeypatch.chdir(folder)
        assert store.root() == ROOT / "results"
    monkeypatch.chdir(tmp_path)
    assert store.root().resolve() == tmp_path / "results"
