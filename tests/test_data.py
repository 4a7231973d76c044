"""The real norms and texts, against the shapes and counts that their documentation gives."""

import numpy as np
import pytest

from interp import corpora, datasets
from interp.norms import load
from interp.targets import UNCATEGORISED

pytestmark = pytest.mark.data


def carried_by(norms, *at_least):
    count = (norms.values > 0).sum(axis=0)
    return [int((count >= k).sum()) for k in at_least]


def test_mcrae():
    norms = load("mcrae")
    assert norms.values.shape == (541, 2526)
    assert (norms.values > 0).sum() == 7257
    assert norms.values[norms.values > 0].min() == 5
    assert norms.values.max() == 30
    assert carried_by(norms, 1, 2, 3, 5, 10, 20) == [2526, 824, 484, 274, 122, 52]
    assert len(set(norms.lemmas)) == 532
    pairs = {c: i for i, c in enumerate(norms.concepts)}, {f: j for j, f in enumerate(norms.features)}
    assert norms.values[pairs[0]["harpoon"], pairs[1]["used_for_killing"]] == 14  # 6 + 8
    assert norms.values[pairs[0]["pen"], pairs[1]["used_for_writing"]] == 21  # 5 + 16
    assert norms.kinds.count("taxonomic") >= 200
    taxonomy = dict(zip(norms.concepts, norms.taxonomy, strict=True))
    assert taxonomy["accordion"] == "a_musical_instrument"
    assert taxonomy["robin"] == "a_bird"


def test_buchanan():
    norms = load("buchanan")
    assert norms.values.shape == (4436, 3981)
    assert (norms.values > 0).sum() == 42616
    assert norms.values[norms.values > 0].min() == pytest.approx(2.82, abs=0.01)
    assert norms.values.max() == 100
    assert carried_by(norms, 1, 2, 3, 5, 10, 20) == [3981, 2703, 2176, 1585, 1001, 517]
    lemma = dict(zip(norms.concepts, norms.lemmas, strict=True))
    assert lemma["bat_animal"] == lemma["bat_baseball"] == "bat"
    assert {"true", "false", "none"} <= set(norms.concepts)


def test_buchanans_lemmas_are_those_of_the_wordnet_table():
    import pandas as pd

    table = pd.read_csv(
        datasets.read("wordnet", "concept_lemmas.tsv"), sep="\t", dtype=str, keep_default_na=False, quoting=3
    )
    mine = table[table["norm"] == "buchanan"].set_index("concept")["word"]
    norms = load("buchanan")
    assert dict(zip(norms.concepts, norms.lemmas, strict=True)) == mine.to_dict()


def test_buchanans_categories_are_supersenses_of_its_nouns():
    norms = load("buchanan")
    taxonomy = dict(zip(norms.concepts, norms.taxonomy, strict=True))
    assert taxonomy["dog"] == "noun.animal"
    assert taxonomy["abandon"] == UNCATEGORISED  # a verb here, though WordNet has a noun
    assert 0.5 < np.mean([c != UNCATEGORISED for c in norms.taxonomy]) < 0.9


def test_binder():
    norms = load("binder")
    assert norms.values.shape == (535, 65)
    assert norms.features[0] == "Vision"
    assert norms.features[-1] == "Arousal"
    assert norms.dense
    assert norms.values.min() >= 0
    assert norms.values.max() <= 6
    assert len(set(norms.lemmas)) == 534
    assert {"used_(verb)", "used_(adjective)"} <= set(norms.concepts)
    assert {"listened to", "spoke to"} <= set(norms.lemmas)
    assert len(set(norms.taxonomy) - {UNCATEGORISED}) == 47 - 6  # six of Binder's labels hold one word


def test_binders_missing_cells_take_the_mean_of_the_others():
    import pandas as pd

    with pytest.warns(UserWarning, match="Unknown extension"):
        sheet = pd.read_excel(datasets.read("binder", "WordSet1_Ratings.xlsx"), keep_default_na=False)
    gone = sheet.loc[:, "Vision":"Arousal"] == "na"
    assert gone.to_numpy().sum() == 179
    values = load("binder").values
    for feature, count in {"Complexity": 101, "Practice": 39, "Caused": 39}.items():
        column = list(gone.columns).index(feature)
        missing = gone[feature].to_numpy()
        assert missing.sum() == count
        assert np.allclose(values[missing, column], values[~missing, column].mean())


def test_overlaps_of_the_norms():
    mcrae, binder = set(load("mcrae").lemmas), set(load("binder").lemmas)
    buchanan = set(load("buchanan").concepts)  # as written: its homonyms keep their suffix
    assert len(mcrae & buchanan) == 530
    assert len(binder & mcrae) == 110
    assert len(binder & buchanan) == 372


def test_wordpiece_spells_every_lemma(minilm):
    for name in ("mcrae", "buchanan", "binder"):
        assert all(minilm.pieces(lemma) for lemma in load(name).lemmas)


def test_ewt_sentences():
    texts = corpora.load("ud_english_ewt").texts
    assert len(texts) > 9000
    assert all(8 <= len(t.split()) <= 40 for t in texts)


def test_mean_vector_scores_what_the_literature_says(minilm):
    """MAP@k of the mean vector on McRae is .14, and rho cannot exceed .125 (PROTOCOL 5 and 11)."""
    from interp.inference import crossvalidate

    mcrae = load("mcrae")
    found = crossvalidate(
        minilm.lemma_vectors(mcrae.lemmas), mcrae, controls=["mean-vector"], references=False,
        metrics=["map@k", "rho-max"],
    )  # fmt: skip
    assert found.sample("mean-vector", "map@k")[0] == pytest.approx(0.14, abs=0.005)
    assert found.sample("mean-vector", "rho-max")[0] == pytest.approx(0.125, abs=0.001)


@pytest.mark.slow
def test_pls_equals_scikit_learn_on_mcrae_at_every_size(minilm):
    """Relative difference of predictions at most 1e-6 for every size to 100.

    scikit-learn's power iteration ends early: with the gaps of this problem, tol=1e-14 leaves an error of 1e-5 in its
    predictions. Its decomposition by SVD, which `PLSCanonical` offers, has none. It is given the targets in an
    orthonormal basis of their rows, which changes nothing in PLS and leaves 432 of 2,526 columns.
    """
    from sklearn.cross_decomposition import PLSRegression

    from interp.inference import PLSR, grouped_folds

    mcrae = load("mcrae")
    X = minilm.lemma_vectors(mcrae.lemmas)
    split = grouped_folds(mcrae.lemmas, 10, 0)[0]
    Y, mean = mcrae.values[split.train], mcrae.values[split.train].mean(axis=0)
    basis = np.linalg.svd(Y - mean, full_matrices=False)[2]
    theirs = PLSRegression(100, scale=False)
    theirs.algorithm = "svd"
    theirs.fit(X[split.train], (Y - mean) @ basis.T)
    path = PLSR(100).fit(X[split.train], Y).path_
    scores = (X[split.test] - X[split.train].mean(axis=0)) @ theirs.x_rotations_
    for k in range(1, 101):
        expected = scores[:, :k] @ theirs.y_loadings_[:, :k].T @ basis + mean
        assert np.abs(path.predict(X[split.test], k) - expected).max() <= 1e-6 * np.abs(expected).max(), k
