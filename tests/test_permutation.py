"""The permutation null: every permutation is what `crossvalidate` gives, and p-values mean what they say."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import kstest

from interp import store
from interp.controls import CONTROLS, Problem
from interp.errors import InputError
from interp.inference import METRICS, crossvalidate, grouped_folds, pls
from interp.inference.components import components
from interp.inference.permutation import (
    DEFAULT_METRICS,
    ROW_PERMUTATIONS,
    PermutationNull,
    PermutedFits,
    permutation_null,
    row_order,
)
from interp.multiplicity import holm
from interp.seeding import generator
from interp.studies import permutation_null as study_null
from tests.planted import planted

ALL = [name for name in METRICS if name != "rho-max"]


def ordinary(X, norms, order, *, seed=0, folds=5, largest=50, metrics=ALL):
    """`crossvalidate` on norms whose rows are permuted beforehand: estimates and chosen sizes."""
    scores = crossvalidate(
        X,
        replace(norms, values=norms.values[order]),
        folds=folds,
        seeds=[seed],
        metrics=metrics,
        largest=min(largest, X.shape[1]),
        references=False,
        resamples=2,
    )
    cells = scores.cells.query("scoring == 'held-out'").set_index("metric")["estimate"]
    latent = scores.folds.query("scoring == 'held-out'").groupby("fold")["latent"].first()
    return cells, latent


def dense_ratings():
    X, norms = planted(60, 8, 12)
    return X, replace(norms, values=np.random.default_rng(0).random((60, 12)) + X[:, :1])


PROBLEMS = {
    "few features": lambda: planted(90, 12, 40),
    "many features": lambda: planted(60, 8, 900, density=0.05),
    "not integers": lambda: (lambda X, n: (X, replace(n, values=n.values / 7)))(*planted(60, 8, 900, density=0.05)),
    "no signal": lambda: planted(90, 12, 40, signal=0.0),
    "wider than concepts": lambda: planted(40, 60, 30),
    "shared lemmas": lambda: (lambda X, n: (X, replace(n, lemmas=tuple(f"w{i // 2}" for i in range(90)))))(
        *planted(90, 12, 40)
    ),
    "dense ratings": dense_ratings,
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_permutation_is_what_crossvalidate_gives(name):
    X, norms = PROBLEMS[name]()
    largest = 10
    null = permutation_null(X, norms, range(4), metrics=ALL, folds=5, seed=3, largest=largest)
    problem = Problem(X, norms.values, norms.lemmas, norms.taxonomy)
    for number in range(4):
        order = row_order(problem, "shuffle-rows", 3, number)
        cells, latent = ordinary(X, norms, order, seed=3, largest=min(largest, X.shape[1]))
        mine = null.values.query("permutation == @number").set_index("metric")["value"].dropna()
        assert set(mine.index) == set(cells.dropna().index)
        # Features with the same carriers are predicted alike but for the last bits, which differ by processor: some
        # neighbouring ranks among hundreds of features change places.
        assert mine.pop("rho") == pytest.approx(cells.pop("rho"), abs=1e-5)
        assert mine.to_dict() == pytest.approx(cells.dropna().to_dict(), abs=1e-7)
        assert null.latent.query("permutation == @number")["latent"].to_list() == latent.to_list()


@pytest.mark.parametrize("few", [False, True])
def test_both_ways_to_the_cross_products_are_the_definition(few):
    X, norms = planted(80, 10, 20 if few else 2000, density=0.05)
    splits = grouped_folds(norms.lemmas, 5, 0)
    fits = PermutedFits(X + 100, norms.values, splits, 6)
    assert (fits.K is None) == few
    order = np.random.default_rng(0).permutation(80)
    for split, cross, gram in zip(splits, fits._crosses(order, fits.Y[order]), fits.grams, strict=True):
        centred = X[split.train] - X[split.train].mean(axis=0)
        C = centred.T @ norms.values[order][split.train]
        assert np.allclose(cross, C @ C.T, rtol=1e-10, atol=1e-10 * np.trace(C @ C.T))
        assert np.allclose(gram, centred.T @ centred)


@pytest.mark.parametrize("shape", [(80, 24, 40), (50, 20, 1), (60, 30, 300)])
def test_components_of_one_matrix_are_those_of_the_batch(shape):
    n, width, features = shape
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((n, width)) * np.logspace(0, -2, width)
    C = (Z := Z - Z.mean(axis=0)).T @ rng.standard_normal((n, features))
    rotations, t2 = components(Z.T @ Z, C @ C.T, 15)
    theirs, their_t2 = pls._components(torch.as_tensor((Z.T @ Z)[None]), torch.as_tensor((C @ C.T)[None]), 15)
    assert np.allclose(t2, their_t2[0], rtol=1e-6)
    T, theirs = Z @ rotations, Z @ theirs[0]
    assert np.allclose(T @ (T / t2).T, theirs @ (theirs / their_t2[0]).T, atol=1e-6)


def test_components_end_where_the_data_do():
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((40, 3)) @ rng.standard_normal((3, 12))
    C = (Z := Z - Z.mean(axis=0)).T @ rng.standard_normal((40, 5))
    rotations, t2 = components(Z.T @ Z, C @ C.T, 10)
    assert (t2 > 0).sum() == 3
    assert not rotations[:, 3:].any()
    assert not components(np.zeros((5, 5)), np.zeros((5, 5)), 3)[1].any()


def test_the_order_is_that_of_the_control_and_zero_is_the_real_one():
    X, norms = planted()
    problem = Problem(X, norms.values, norms.lemmas, norms.taxonomy)
    assert np.array_equal(row_order(problem, "shuffle-rows", 0, 0), np.arange(120))
    for control in ROW_PERMUTATIONS:
        order = row_order(problem, control, 5, 7)
        built = CONTROLS[control].build(problem, generator(5, "permutation", control, "7"))
        assert np.array_equal(norms.values[order], built.Y)
        assert sorted(order) == list(range(120))
        assert not np.array_equal(order, row_order(problem, control, 5, 8))
        assert not np.array_equal(order, row_order(problem, control, 6, 7))
    within = row_order(problem, "taxonomy-within", 0, 1)
    assert [norms.taxonomy[i] for i in within] == list(norms.taxonomy)


def test_a_restricted_null_is_that_control_too():
    X, norms = planted(width=3)
    metrics = ["auc-feature", "nn-within@5"]
    null = permutation_null(X, norms, range(3), control="taxonomy-within", metrics=metrics, folds=5)
    problem = Problem(X, norms.values, norms.lemmas, norms.taxonomy)
    order = row_order(problem, "taxonomy-within", 0, 2)
    cells, _ = ordinary(X, norms, order, metrics=metrics, largest=3)
    for metric in cells.index:
        assert null.null(metric)[1] == pytest.approx(cells[metric], abs=1e-9)
    assert np.mean(null.null("auc-feature")) > 0.55  # categories are made of X: within them not all is destroyed


def test_signal_gets_the_smallest_p_value_there_is_and_noise_a_large_one():
    n = 39
    found = permutation_null(*planted(), range(n + 1), folds=4, largest=6).table().set_index("metric")
    assert (found["p"] == 1 / (n + 1)).all()
    assert (found["as_good"] == 0).all()
    assert (found["p_holm"] == len(DEFAULT_METRICS) / (n + 1)).all()
    none = permutation_null(*planted(signal=0.0, seed=5), range(n + 1), folds=4, largest=6).table()
    assert (none["p"] > 0.05).all()


def test_p_values_under_the_null_are_uniform():
    """Problems without signal: a test at level alpha rejects in about that share of them."""
    p = []
    for seed in range(60):
        X, norms = planted(30, 3, 12, signal=0.0, seed=seed)
        null = permutation_null(X, norms, range(20), metrics=["mse"], folds=3, seed=seed, largest=2)
        p.append(null.p_value("mse")[1])
    assert min(p) >= 1 / 20
    assert kstest(p, "uniform").pvalue > 0.01


def test_ties_count_against_the_observed_score_and_errors_are_better_small():
    values = pd.DataFrame(
        [(0, "r2", 0.0), (1, "r2", 0.0), (2, "r2", -1.0), (3, "r2", 0.5)]
        + [(i, "mse", v) for i, v in enumerate([1.0, 2.0, 0.5, 3.0])],
        columns=["permutation", "metric", "value"],
    )
    null = PermutationNull(values, pd.DataFrame({"permutation": [0, 1], "fold": [0, 0], "latent": [3, 0]}))
    assert null.p_value("r2") == (2, 3 / 4)
    assert null.p_value("mse") == (1, 2 / 4)
    assert null.chosen().to_dict() == {0: 1.0}


def test_a_metric_that_does_not_apply_has_no_p_value_and_leaves_the_family():
    X, norms = planted()
    repeated = replace(norms, values=norms.values[np.arange(120) // 4])
    table = permutation_null(X, repeated, range(3), metrics=["f1@10", "auc-feature"], folds=4, largest=3).table()
    assert table["p"].isna().tolist() == [True, False]
    assert table["p_holm"][1] == table["p"][1]


def test_holm_is_the_step_down_procedure():
    p = np.array([0.01, 0.04, 0.03, 0.005, np.nan])
    for alpha in np.linspace(0.001, 0.2, 200):
        rejected = np.zeros(5, dtype=bool)
        for i, position in enumerate(np.argsort(p[:4])):
            if p[position] > alpha / (4 - i):
                break
            rejected[position] = True
        assert np.array_equal(holm(p) <= alpha, rejected)


def test_the_null_does_not_depend_on_the_size_of_the_blocks():
    arguments = {"permutations": 6, "concepts": 90, "folds": 4, "largest": 5, "metrics": ["mse", "auc-feature"]}
    whole = study_null("minilm", "everyday", block=50, **arguments)
    pieces = study_null("minilm", "everyday", block=3, **arguments)
    pd.testing.assert_frame_equal(whole.values, pieces.values, check_exact=True)
    pd.testing.assert_frame_equal(whole.latent, pieces.latent, check_exact=True)
    other = study_null("minilm", "everyday", block=50, seed=1, **arguments)
    assert not np.array_equal(whole.null("mse"), other.null("mse"))


RUN = """
from interp.studies import permutation_null
small = {"folds": 4, "largest": 10, "concepts": 60, "metrics": ["r2", "mse"]}
permutation_null("minilm", "everyday", permutations=4000, block=2, **small)
"""


def test_a_killed_run_goes_on_where_it_stopped(tmp_path, monkeypatch):
    """kill -9 in the middle: finished blocks are replayed, not computed, and the result is that of a run left alone."""
    results = tmp_path / "killed"
    started = subprocess.Popen([sys.executable, "-c", RUN], env={**os.environ, "INTERP_RESULTS": str(results)})

    def entries():
        return sorted(results.glob("permutation-null/[!.]*/meta.json"))

    deadline = time.monotonic() + 300
    while len(entries()) < 3 and started.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    started.send_signal(signal.SIGKILL)
    assert started.wait() == -signal.SIGKILL
    kept = {path: path.stat().st_mtime_ns for path in entries()}
    assert 3 <= len(kept) < 2000

    arguments = {"folds": 4, "largest": 10, "concepts": 60, "metrics": ["r2", "mse"]}
    n = 2 * len(kept) + 3  # as far as the killed run came, and two blocks more
    monkeypatch.setenv("INTERP_RESULTS", str(results))
    before = len(store.used)
    again = study_null("minilm", "everyday", permutations=n, block=2, **arguments)
    assert [u.replayed for u in store.used[before:]] == [True] * len(kept) + [False] * 2
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    monkeypatch.setenv("INTERP_RESULTS", str(tmp_path / "alone"))
    alone = study_null("minilm", "everyday", permutations=n, **arguments)
    pd.testing.assert_frame_equal(again.values, alone.values, check_exact=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"permutations": 0}, "0 permutations make no null"),
        ({"block": 0}, "a block of 0"),
        ({"metrics": []}, "at least one"),
        ({"metrics": ["f1"]}, "unknown metric 'f1'"),
        ({"control": "shuffle-row"}, "did you mean 'shuffle-rows'"),
        ({"control": "shuffle-swap"}, "shuffle-swap is no permutation of rows"),
        ({"largest": 0}, "latent size 0 is not possible"),
        ({"folds": 2}, "too few"),
    ],
)
def test_bad_input_is_one_clear_line(change, message):
    with pytest.raises(InputError, match=message):
        study_null("minilm", "everyday", **{"permutations": 2, **change})


def test_embeddings_that_do_not_fit_are_refused():
    X, norms = planted()
    with pytest.raises(InputError, match="one row per concept"):
        permutation_null(X[:5], norms, range(2))
    X[0, 0] = np.inf
    with pytest.raises(InputError, match="finite"):
        permutation_null(X, norms, range(2))


def test_the_command_gives_the_table_and_counts_permutations(tmp_path):
    command = ["null", "--permutations", "3", "--metric", "r2", "--metric", "auc-feature", "--folds", "4", "--json"]
    environment = {**os.environ, "INTERP_RESULTS": str(tmp_path)}
    del environment["TQDM_DISABLE"]
    done = subprocess.run(
        [sys.executable, "-m", "interp.cli", *command], capture_output=True, text=True, check=True, env=environment
    )
    assert "4/4" in done.stderr
    rows = json.loads(done.stdout)
    assert [row["metric"] for row in rows] == ["r2", "auc-feature"]
    assert all(row["permutations"] == 3 and 0.25 <= row["p"] <= row["p_holm"] <= 1 for row in rows)


@pytest.mark.data
def test_on_mcrae_every_permutation_is_what_crossvalidate_gives(minilm):
    from interp.norms import load

    norms = load("mcrae")
    X = minilm.lemma_vectors(norms.lemmas, "wordpiece")
    null = permutation_null(X, norms, range(3), folds=10)
    problem = Problem(X, norms.values, norms.lemmas, norms.taxonomy)
    for number in (0, 2):
        order = row_order(problem, "shuffle-rows", 0, number)
        cells, latent = ordinary(X, norms, order, folds=10, metrics=DEFAULT_METRICS)
        mine = null.values.query("permutation == @number").set_index("metric")["value"]
        assert mine.to_dict() == pytest.approx(cells.to_dict(), abs=1e-9)
        assert null.latent.query("permutation == @number")["latent"].to_list() == latent.to_list()


@pytest.mark.gpu
def test_a_gpu_gives_the_same_null():
    X, norms = planted()
    here, there = (permutation_null(X, norms, range(3), folds=4, device=device) for device in ("cpu", "cuda"))
    assert np.allclose(here.values["value"], there.values["value"], atol=1e-7)
    assert here.latent.equals(there.latent)
