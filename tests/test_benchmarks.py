"""The benchmarks' runner: it finds every script, keeps what is done, and its table says what was met and missed."""

import json
import os

import numpy as np
import pytest

from benchmarks import cuda, problems, run, scaling


@pytest.fixture
def rows(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "ROWS", tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
    return tmp_path


def test_every_script_has_rows_that_can_be_called():
    found = run.benchmarks()
    assert {"contributions", "ffnn", "null", "pls", "scaling"} <= found.keys()
    for module in found.values():
        assert all(callable(measure) for measure in module.rows().values())


def test_a_row_is_measured_and_kept(rows, monkeypatch):
    monkeypatch.setattr(scaling, "rows", lambda: {"a b": lambda: {"what": "w", "seconds": 2.0, "against_seconds": 5.0}})
    threads = int(os.environ["OMP_NUM_THREADS"])
    assert run._done("scaling", "a b", threads) is None
    run.measure("scaling", "a b")
    (file,) = rows.iterdir()
    kept = run._done("scaling", "a b", threads)
    assert kept == json.loads(file.read_text())
    assert kept["ratio"] == 2.5
    assert 0.05 < kept["peak_gib"] < 100
    assert run._done("scaling", "a b", threads + 1) is None  # measured with other threads is not measured


def test_the_table_says_what_was_met_and_what_was_missed():
    row = {"what": "w", "seconds": 1.0, "against": "v", "against_seconds": 60.0, "ratio": 60.0, "peak_gib": 1.5}
    assert "60.0x | 50x (met)" in run.table({"r": row | {"target": 50}})
    cost = {"what": "w", "seconds": 3.0, "against": "v", "against_seconds": 2.0, "peak_gib": 1.5}
    assert "takes 1.50x | at most 1.5x (met)" in run.table({"r": cost | {"at_most": 1.5}})
    assert "takes 1.50x | at most 1.4x (**missed**)" in run.table({"r": cost | {"at_most": 1.4}})
    text = run.table({"r": row | {"target": 100, "peak_limit_gib": 1}})
    assert "100x (**missed**)" in text
    assert "1.50 GiB, limit 1 (**missed**)" in text


def test_numbers_of_two_devices_are_compared():
    here = [np.array([1.0, np.nan, 4.0])]
    assert cuda._apart(here, [np.array([1.0, np.nan, 4.4])], 0.2, relative=True) == pytest.approx(0.1)
    for there, most in (([1.0, np.nan, 4.4], 0.3), ([1.0, np.nan, np.inf], 1e9), ([1.0, 2.0, 4.0], 1e9)):
        with pytest.raises(RuntimeError):
            cuda._apart(here, [np.array(there)], most, relative=False)


def test_what_cannot_be_measured_here_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(cuda, "rows", dict)
    monkeypatch.setattr("sys.argv", ["run", "cuda"])
    with pytest.raises(SystemExit) as stop:
        run.main()
    assert stop.value.code == 2
    assert "cuda: nothing of it can be measured on this machine" in capsys.readouterr().err


def test_results_of_another_machine_have_a_name_of_their_own(rows, monkeypatch):
    monkeypatch.setattr(scaling, "rows", lambda: {"a": lambda: {"what": "w", "seconds": 2.0}})
    monkeypatch.setattr(run, "HERE", rows)
    monkeypatch.setattr(run, "benchmarks", lambda: {"scaling": scaling})
    run.measure("scaling", "a")
    monkeypatch.setattr("sys.argv", ["run", "scaling", "--into", "there", "--threads", os.environ["OMP_NUM_THREADS"]])
    run.main()
    assert sorted(p.name for p in rows.glob("*there*")) == ["there.json", "there.md"]
    assert not (rows / "results.md").exists()


def test_slopes_are_those_of_the_growth():
    measured = {
        f"concepts {n}": {"concepts": n, "seconds": 1e-6 * n**1.5, "peak_gib": n / 1000, "what": str(n)}
        for n in scaling.GROWTH["concepts"]
    } | {
        f"together {n}": {"concepts": n, "seconds": (n / 1000) ** 3, "peak_gib": n / 1000, "what": f"shape {n}"}
        for n, _, _ in scaling.TOGETHER[:3]
    }
    text = scaling.summary(measured)
    assert "| concepts | 4,000 | 16,000 | concepts^1.50 | concepts^1.00 |" in text
    assert "20,000 x 4,096 -> 20,000 would take about 133 minutes" in text  # 20^3 s


def test_the_stand_in_has_the_shape_and_sparsity_of_the_norms():
    for concepts, width, features, listed in problems.SHAPES.values():
        X, norms = problems.random_problem(concepts, width, features, listed)
        assert X.shape == (concepts, width)
        assert norms.values.shape == (concepts, features)
        assert np.count_nonzero(norms.values) == pytest.approx(listed, rel=0.02)
        assert len(norms.lemmas) == len(norms.taxonomy) == concepts
