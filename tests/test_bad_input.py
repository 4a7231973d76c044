"""Bad input: handled as `interp.inference.inputs` says, or refused in one line that names what is wrong."""

from dataclasses import replace

import numpy as np
import pytest

from interp import subjects
from interp.controls import CONTROLS
from interp.errors import InputError
from interp.inference import PLSR, crossvalidate, ffnn
from interp.inference.metrics import METRICS
from interp.norms import load
from tests.bad_inputs import WORDS, rows
from tests.planted import planted

BASIC = ("original", "mean-vector", "upper-bound", "noise", "shuffle-rows")


def values_with(change):
    X, norms = planted()
    values = norms.values.copy()
    change(values)
    return X, replace(norms, values=values)


def put(rows, columns, value):
    def change(values):
        values[rows, columns] = value

    return change


def third_column(value):
    return lambda X: np.where(np.arange(X.shape[1]) == 3, value, X)


def with_norms(**changes):
    X, norms = planted()
    return X, replace(norms, **changes)


def few(n):
    X, norms = planted()
    return X[:n], replace(norms, values=norms.values[:n], lemmas=norms.lemmas[:n], taxonomy=norms.taxonomy[:n])


def with_x(change):
    X, norms = planted()
    return change(X), norms


REFUSED = {
    "NaN in X": (lambda: with_x(third_column(np.nan)), {}, "embeddings: .* row 0, column 3 is not a finite"),
    "infinite X": (lambda: with_x(third_column(-np.inf)), {}, "embeddings: .* not a finite"),
    "huge X": (lambda: with_x(lambda X: X * 1e200), {}, "embeddings: .* is too large to compute with"),
    "tiny X": (lambda: with_x(lambda X: X * 1e-200), {}, "embeddings: .* too small to compute with"),
    "X of words": (lambda: with_x(lambda X: np.full(X.shape, "a")), {}, "embeddings: not a matrix of numbers"),
    "X in one dimension": (lambda: with_x(lambda X: X[:, 0]), {}, r"embeddings are \(120,\): a matrix"),
    "X without dimensions": (lambda: with_x(lambda X: X[:, :0]), {}, "nothing to predict from"),
    "too few rows of X": (lambda: with_x(lambda X: X[:7]), {}, "there are 120 concepts: one row per concept"),
    "NaN in Y": (lambda: values_with(put(4, 2, np.nan)), {}, "norms: the value in row 4, column 2 is not a finite"),
    "infinite Y": (lambda: values_with(put(4, 2, np.inf)), {}, "norms: .* not a finite"),
    "huge Y": (lambda: values_with(put(4, 2, 1e180)), {}, r"norms: .* 1e\+180 is too large"),
    "no values": (lambda: values_with(put(slice(None), slice(None), 0)), {}, "no value is above 0"),
    "no features": (lambda: with_norms(values=np.zeros((120, 0))), {}, "norms have no features"),
    "too few lemmas": (lambda: with_norms(lemmas=("a",)), {}, "1 lemmas for 120 concepts"),
    "too few categories": (lambda: with_norms(taxonomy=("a",)), {}, "1 categories for 120"),
    "too few kinds": (lambda: with_norms(kinds=("a",)), {}, "1 kinds for 60 features"),
    "too few sub-words": (planted, {"pieces": [(1,)]}, "1 lists of sub-words for 120 concepts"),
    "fewer concepts than folds": (lambda: few(6), {"folds": 10}, "need at least 10 different lemmas, and there are 6"),
    "fewer lemmas than folds": (lambda: with_norms(lemmas=("a", "b") * 60), {"folds": 3}, "there are 2"),
    "largest latent size too large": (planted, {"largest": 17}, "latent size 17 is not possible: 16 is the most"),
    "latent size too large": (planted, {"selections": ["17"]}, "latent size 17 is not possible here"),
    "latent size above the folds": (lambda: few(12), {"folds": 3, "largest": 9}, "4 is the most that 4 training"),
    "no seeds": (planted, {"seeds": []}, "no seed asked for"),
    "no controls": (planted, {"controls": []}, "no control asked for"),
    "no selections": (planted, {"selections": []}, "no latent-size rule asked for"),
    "no metrics": (planted, {"metrics": []}, "no metric asked for"),
}  # fmt: skip


@pytest.mark.parametrize(("problem", "options", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_in_one_line(problem, options, message):
    X, norms = problem()
    with pytest.raises(InputError, match=message) as caught:
        crossvalidate(X, norms, **{"folds": 4, **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("sizes", [(), (0,), (-3, 5), (2.5,)])
def test_hidden_sizes_below_one_are_refused(sizes):
    X, norms = planted()
    with pytest.raises(InputError, match="whole numbers from 1 on"):
        ffnn.fit_folds(X, norms.values, [(np.arange(80), np.arange(80, 120))], sizes)


HANDLED = {
    "a constant column of X": with_x(third_column(7.0)),
    "a constant feature": values_with(put(slice(None), 2, 4)),
    "a feature nobody carries": values_with(put(slice(None), 5, 0)),
    "empty rows": values_with(put(slice(0, 10), slice(None), 0)),
    "a third of the rows empty": values_with(put(slice(0, 40), slice(None), 0)),
    "two concepts with one lemma": with_norms(lemmas=("w1", *planted()[1].lemmas[1:])),
    "as many concepts as folds": few(4),
}


@pytest.mark.parametrize(("X", "norms"), HANDLED.values(), ids=HANDLED.keys())
def test_handled_by_every_control_and_metric(X, norms):
    found = crossvalidate(X, norms, controls=CONTROLS, folds=4, pieces=[(i % 50,) for i in range(len(X))], resamples=20)
    assert len(set(found.cells["control"])) + len(found.skipped) == len(CONTROLS)
    estimates = found.cells.loc[found.cells["metric"].isin(METRICS), "estimate"]
    assert not np.isinf(estimates).any()
    assert np.isfinite(found.sample("original", "mse")[0])


def test_x_that_never_varies_predicts_the_training_mean():
    _, norms = planted()
    found = crossvalidate(np.ones((120, 8)), norms, controls=["original", "mean-vector"], folds=4)
    for metric in ("f1@10", "auc-feature", "r2", "mse", "rho", "2v2"):
        expected = found.sample("mean-vector", metric)[0]
        assert found.sample("original", metric)[0] == pytest.approx(expected, abs=1e-12), metric


def test_a_constant_column_of_x_changes_nothing():
    X, norms = planted()
    plain, wider = (
        crossvalidate(A, norms, folds=4, metrics=["f1@10", "r2"], selections=["5"], references=False)
        for A in (X, np.column_stack([X, np.full(120, 9.0)]))
    )
    for metric in ("f1@10", "r2"):
        assert wider.sample("original", metric, selection="5")[0] == pytest.approx(
            plain.sample("original", metric, selection="5")[0], abs=1e-9
        )


def test_a_constant_feature_is_predicted_as_it_is_and_not_scored_by_feature():
    X, norms = values_with(put(slice(None), 2, 4))
    assert np.allclose(PLSR(5).fit(X[:80], norms.values[:80]).predict(X[80:])[:, 2], 4, atol=1e-10)
    without = replace(norms, values=np.delete(norms.values, 2, axis=1), kinds=None)
    scored = [crossvalidate(X, n, folds=4, metrics=["auc-feature"], selections=["5"]) for n in (norms, without)]
    values = [s.sample("original", "auc-feature", selection="5")[0] for s in scored]
    assert values[0] == pytest.approx(values[1], abs=1e-9)


def test_a_feature_nobody_carries_in_training_is_predicted_as_nothing():
    X, norms = values_with(put(slice(0, 100), 5, 0))
    norms.values[100:, 5] = 9
    assert not PLSR(5).fit(X[:100], norms.values[:100]).predict(X[100:])[:, 5].any()
    (path,) = ffnn.fit_folds(X, norms.values, [(np.arange(80), np.arange(80, 100))], (5,), progress=False)
    assert np.abs(path.predict(X[100:], 5)[:, 5]).max() < 1


def test_empty_rows_are_left_out_and_said_to_be():
    X, norms = values_with(put(slice(0, 10), slice(None), 0))
    found = crossvalidate(X, norms, folds=4, metrics=["f1@10", "mse"], references=False)
    own = found.cells[(found.cells["scoring"] == "held-out")].set_index("metric")["defined"]
    assert own["f1@10"] == pytest.approx(110 / 120)
    assert own["mse"] == 1
    assert np.isfinite(found.sample("original", "f1@10")[0])
    X, norms = values_with(put(slice(0, 40), slice(None), 0))
    found = crossvalidate(X, norms, folds=4, metrics=["f1@10", "mse"], references=False)
    assert np.isnan(found.sample("original", "f1@10")[0])
    assert np.isfinite(found.sample("original", "mse")[0])


def test_controls_that_do_not_apply_are_left_out_with_the_reason():
    X, norms = planted()
    found = crossvalidate(X, replace(norms, kinds=None), controls=[*BASIC, "taxonomy-only", "nonsense-hash"], folds=4)
    assert set(found.skipped) == {"taxonomy-only", "nonsense-hash"}
    assert "do not label which features are taxonomic" in found.skipped["taxonomy-only"]


def test_words_that_the_vocabulary_cannot_spell_are_refused(tiny):
    with pytest.raises(InputError, match=r"lemma 'größe' has pieces that the vocabulary .* spelled otherwise"):
        tiny["bert"].lemma_vectors(["dog", "größe"], "wordpiece")
    with pytest.raises(InputError, match="lemma ' ' has no tokens"):
        tiny["bert"].lemma_vectors(["dog", " "], "wordpiece")


def test_the_embedded_subject_refuses_unknown_words_too():
    with pytest.raises(InputError, match="does not know; leave the concept out"):
        subjects.load("minilm").pieces("\N{T-REX}")


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("\ufeff" + rows(), encoding="utf-8")
    assert len(load(str(path)).concepts) == len(WORDS)
