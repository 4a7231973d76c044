"""Cross-validation on planted problems: signal is found, none is found where there is none, nothing leaks."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from interp.errors import InputError
from interp.inference import SCORINGS, Scores, crossvalidate, grouped_folds
from interp.inference.crossvalidation import MAPPINGS
from interp.inference.metrics import FAMILIES
from tests.planted import Planted, planted

FEW = ["f1@10", "auc-feature", "r2", "nn@5", "2v2", "map@k"]
CONTROLS = ["original", "mean-vector", "upper-bound", "oracle", "noise", "shuffle-rows", "shuffle-columns"]


@pytest.fixture(scope="module")
def scores():
    X, norms = planted()
    return crossvalidate(X, norms, controls=CONTROLS, folds=5, seeds=range(2), metrics=FEW, selections=["argmin", "3"])


def test_planted_signal_is_found(scores):
    value, replicates = scores.sample("original", "auc-feature")
    assert value > 0.8
    assert np.quantile(replicates, 0.025) > 0.75
    assert scores.sample("original", "r2")[0] > 0.2


@pytest.mark.parametrize("control", ["noise", "shuffle-rows"])
def test_nothing_is_found_in_noise(scores, control):
    for metric, chance in {"auc-feature": 0.5, "r2": 0.0, "2v2": 0.5}.items():
        value, replicates = scores.sample(control, metric)
        low, high = np.quantile(replicates, [0.005, 0.995])
        assert low <= chance + 0.02
        assert high >= chance - 0.02
        assert abs(value - chance) < 0.06
    assert abs(scores.sample(control, "f1@10", "calibrated")[0]) < 0.1


def test_column_shuffle_is_neutral_to_the_last_digits(scores):
    for metric in FEW:
        assert scores.sample("shuffle-columns", metric)[0] == pytest.approx(
            scores.sample("original", metric)[0], abs=1e-9
        )


def test_what_several_rules_choose_is_scored_once(monkeypatch):
    X, norms = planted()
    scored, error = [], FAMILIES["error"]

    def counted(truth, prediction):
        scored.append((prediction.rows.tobytes(), prediction.values.tobytes()))
        return error(truth, prediction)

    def found(*rules):
        cells = crossvalidate(X, norms, folds=4, metrics=["r2"], selections=rules, largest=2, references=False).cells
        return cells.sort_values(["selection", "scoring"], ignore_index=True)

    monkeypatch.setitem(FAMILIES, "error", counted)
    rules = ["argmin", "elbow", "one-se", "1", "2"]
    together = found(*rules)
    assert len(set(scored)) == len(scored) <= 2 * 4 * 3  # held-out and training, of sizes 0, 1 and 2
    pd.testing.assert_frame_equal(together, pd.concat([found(rule) for rule in sorted(rules)], ignore_index=True))


def test_calibration_puts_the_floor_at_zero_and_the_ceiling_at_one(scores):
    for metric in FEW:
        assert scores.sample("mean-vector", metric, "calibrated")[0] == pytest.approx(0, abs=1e-12)
        assert scores.sample("upper-bound", metric, "calibrated")[0] == pytest.approx(1, abs=1e-12)
        assert scores.sample("upper-bound", metric, "of-upper-bound")[0] == pytest.approx(1, abs=1e-12)
        assert scores.sample("oracle", metric, "calibrated-oracle")[0] == pytest.approx(1, abs=1e-12)


def test_calibrated_score_is_the_way_from_floor_to_ceiling(scores):
    raw = {c: scores.sample(c, "f1@10")[0] for c in ("original", "mean-vector", "upper-bound")}
    by_hand = (raw["original"] - raw["mean-vector"]) / (raw["upper-bound"] - raw["mean-vector"])
    assert scores.sample("original", "f1@10", "calibrated")[0] == pytest.approx(by_hand)


def test_calibrated_score_is_undefined_without_a_span():
    X, norms = planted()
    flat = replace(norms, values=np.tile(norms.values[:1], (120, 1)))
    found = crossvalidate(X, flat, controls=["original"], folds=4, metrics=["r2", "mse"])
    assert np.isnan(found.sample("original", "mse", "calibrated")[0])


def test_the_tidy_table_has_one_row_a_fold_and_averages_to_the_estimate(scores):
    rows = scores.folds.query("control == 'original' and reference == 'self' and scoring == 'held-out'")
    rows = rows.query("metric == 'f1@10' and selection == '3'")
    assert len(rows) == 2 * 5
    assert (rows["latent"] == 3).all()
    assert rows["value"].mean() == pytest.approx(scores.sample("original", "f1@10", selection="3")[0], abs=1e-3)


def test_summary_has_every_control_scoring_and_metric(scores):
    summary = scores.summary()
    assert set(summary["scoring"]) == set(SCORINGS)
    assert set(summary["control"]) == set(CONTROLS)
    inside = summary.dropna()
    assert (inside["low"] <= inside["estimate"] + 1e-9).mean() > 0.97
    assert (inside["estimate"] <= inside["high"] + 1e-9).mean() > 0.97


def test_tables_come_back_as_they_were(scores):
    back = Scores.from_tables(scores.to_tables())
    assert back.summary().equals(scores.summary())
    assert back.skipped == scores.skipped


def test_test_concepts_never_touch_the_choice_of_the_size():
    """Whatever the test concepts' targets are, the latent size chosen without them stays the same."""
    X, norms = planted()
    test = grouped_folds(norms.lemmas, 5, seed=0)[2].test
    spoiled = norms.values.copy()
    spoiled[test] = spoiled[test][::-1, ::-1] * 7

    def sizes(values):
        found = crossvalidate(
            X,
            replace(norms, values=values),
            folds=5,
            metrics=["mse"],
            references=False,
            selections=["argmin", "elbow"],
        ).folds
        return found[(found["fold"] == 2) & (found["scoring"] == "held-out")]["latent"].to_list()

    assert sizes(norms.values) == sizes(spoiled)


def test_concepts_with_one_lemma_are_never_split():
    """With every concept there twice under one lemma, a twin in the training set would give the answer away."""
    X, norms = planted(60, signal=0.0)
    doubled = Planted(
        np.repeat(norms.values, 2, axis=0),
        tuple(np.repeat(norms.lemmas, 2)),
        tuple(np.repeat(norms.taxonomy, 2)),
    )
    found = crossvalidate(np.repeat(X, 2, axis=0), doubled, folds=5, metrics=["auc-feature"], references=False)
    assert found.sample("original", "auc-feature")[0] == pytest.approx(0.5, abs=0.06)


def test_intervals_cover_the_score_of_the_population():
    """95 % bootstrap intervals of AUC over concepts: most of 40 samples cover the value of a very large one."""
    metric = ["auc-feature"]

    def once(n, seed):
        X, norms = planted(n, 8, 12, signal=0.6, seed=1)
        rng = np.random.default_rng(seed)
        rows = rng.choice(len(X), size=100, replace=False)
        few = Planted(norms.values[rows], tuple(norms.lemmas[i] for i in rows), tuple(norms.taxonomy[i] for i in rows))
        return crossvalidate(X[rows], few, folds=4, metrics=metric, references=False, selections=["6"], resamples=300)

    samples = [once(6000, seed).sample("original", "auc-feature", selection="6") for seed in range(40)]
    centre = np.mean([value for value, _ in samples])
    covered = [np.quantile(r, 0.025) <= centre <= np.quantile(r, 0.975) for _, r in samples]
    assert np.mean(covered) >= 0.85


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mapping": "plrs"}, "unknown mapping 'plrs'; did you mean 'plsr'"),
        ({"controls": ["shufle-rows"]}, "unknown control 'shufle-rows'; did you mean 'shuffle-rows'"),
        ({"metrics": ["f1"]}, "unknown metric 'f1'"),
        ({"selections": ["elbo"]}, "unknown latent-size rule 'elbo'; did you mean 'elbow'"),
        ({"selections": ["17"]}, "the data allow 0 to 16"),
        ({"selections": ["-2"]}, "latent size -2 is not possible"),
        ({"selections": ["400"]}, "latent size 400 is not possible: 16 is the most"),
        ({"selections": ["9"], "largest": 5}, "larger than the largest one"),
        ({"largest": 400}, "latent size 400 is not possible"),
        ({"folds": 2}, "too few"),
        ({"folds": 500}, "need at least 500 different lemmas"),
    ],
)
def test_bad_input_is_one_clear_line(change, message):
    X, norms = planted()
    with pytest.raises(InputError, match=message) as caught:
        crossvalidate(X, norms, **change)
    assert "\n" not in str(caught.value)


def test_embeddings_that_are_not_finite_are_refused():
    X, norms = planted()
    X[3, 2] = np.nan
    with pytest.raises(InputError, match="row 3, column 2"):
        crossvalidate(X, norms)
    with pytest.raises(InputError, match="one row per concept"):
        crossvalidate(X[:5], norms)


def test_asking_for_what_was_not_run_says_so(scores):
    with pytest.raises(InputError, match="unknown control among these scores"):
        scores.sample("shuffle-swap", "f1@10")
    with pytest.raises(InputError, match="unknown scoring"):
        scores.sample("original", "f1@10", "calibratd")


@pytest.mark.parametrize("mapping", list(MAPPINGS))
def test_every_mapping_finds_the_signal(mapping):
    X, norms = planted()
    found = crossvalidate(X, norms, mapping=mapping, folds=4, metrics=["auc-feature"], references=False, largest=8)
    assert found.sample("original", "auc-feature")[0] > 0.75
