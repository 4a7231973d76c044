"""The same seeds give the same numbers: bit for bit on one machine, within `TOLERANCE` on other numbers of threads.

What may differ between two runs of the book is the clock's, and only this:

- in the store, when an entry was made and how long it took (`created`, `seconds`);
- in a chapter, its last cell: when it ran, how long it took, how many results it found stored already;
- the study `cost`, which measures time. The second run starts with the first one's, so that all that is made of it is
  compared, too.
"""

import json
import shutil

import pandas as pd
import pytest

from interp.report import chapters
from tests.conftest import ROOT
from tests.smoke import ONE_PROCESS, cells, execute, files, record
from tests.warm_kernel import warm_kernels

CLOCK = {"created", "seconds", "checksum"}
CLOCKED_STUDIES = {"cost"}
TOLERANCE = 1e-4
"""Absolute and relative, for every number of a stored table (docs/decisions/0004-the-same-numbers-twice.md)."""
THREADED = ["attention-collapse", "property-inference"]
"""Chapters computed with two threads: attention maps and their measures, both mappings with metrics and bootstraps."""
RUN = {"finished", "seconds", "compute", "replayed"}
"""What a chapter's provenance says of the run, not of the numbers."""


@pytest.fixture(scope="module")
def again(executed, tmp_path_factory):
    """Every chapter executed once more: fresh folder, empty store, the last chapter first, sets in another order."""
    folder = tmp_path_factory.mktemp("again")
    for name in CLOCKED_STUDIES:
        shutil.copytree(executed / "results" / name, folder / "results" / name)
    with warm_kernels(ROOT, hash_seed="1") as kernels:
        execute(folder, kernels, reversed(chapters.names()))
    return folder


def meta(folder):
    """What is known about every stored result, the clock's apart; checksums of its tables among it."""
    found = {str(p.parent.relative_to(folder)): json.loads(p.read_text()) for p in folder.rglob("meta.json")}
    return {name: {k: v for k, v in known.items() if k not in CLOCK} for name, known in found.items()}


@pytest.mark.slow
@ONE_PROCESS
def test_every_stored_table_is_the_same_bytes(executed, again):
    first, second = (meta(folder / "results") for folder in (executed, again))
    assert len(first) > 100
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
    one, other = (
        {name: content for name, content in files(folder / "results").items() if name.endswith(".parquet")}
        for folder in (executed, again)
    )
    assert [name for name in one if one[name] != other[name]] == []


@pytest.mark.slow
@ONE_PROCESS
@pytest.mark.parametrize("name", chapters.names())
def test_every_figure_table_and_glued_number_is_the_same_bytes(executed, again, name):
    for a, b in zip(cells(executed, name)[:-1], cells(again, name)[:-1], strict=True):
        assert a == b
    one, other = ({k: v for k, v in record(f, name).items() if k not in RUN} for f in (executed, again))
    assert one == other


@pytest.mark.slow
@ONE_PROCESS
def test_every_view_is_the_same_bytes(executed, again):
    first, second = (files(folder / "chapters" / "views") for folder in (executed, again))
    assert first
    assert first == second


@pytest.mark.slow
@ONE_PROCESS
def test_two_threads_give_the_same_within_the_tolerance(executed, monkeypatch, tmp_path):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait leave the cores to the other tests
    with warm_kernels(ROOT) as kernels:
        execute(tmp_path, kernels, THREADED)
    tables = sorted((tmp_path / "results").rglob("*.parquet"))
    assert len(tables) > 20
    for path in tables:
        one = pd.read_parquet(executed / path.relative_to(tmp_path))
        pd.testing.assert_frame_equal(pd.read_parquet(path), one, rtol=TOLERANCE, atol=TOLERANCE, obj=str(path))
