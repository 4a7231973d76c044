"""The probe finds what is planted and nothing else; its splits keep apart what they say they keep apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from interp import studies
from interp.attention.relation_inputs import PROBE_INPUTS, Reading
from interp.attention.relation_probe import SPLITS, TASKS, coin, probe
from interp.attention.relation_scores import pooled
from interp.claims import judge
from interp.corpora.patterns import fill, patterns
from interp.errors import InputError
from interp.seeding import generator
from tests.test_relation_features import byte_level_folder

PATTERNS = 4
KIND = "re-dealt-matched"


def planted_items(concepts: int = 120, nouns: int = 24, *, own_slots: bool = False) -> pd.DataFrame:
    """Each concept in a true and a wrong pair, in four patterns; every slot noun as often in one as in the other.

    `own_slots`: wrong pairs have nouns of their own.
    """
    rows = []
    for c in range(concepts):
        true = c % nouns
        wrong = (true + 1 + c // nouns) % nouns
        for label, slot in ((True, f"h{true}"), (False, f"n{c % nouns}" if own_slots else f"h{wrong}")):
            rows += [(f"c{c}", slot, label, p) for p in range(PATTERNS)]
    return pd.DataFrame(rows, columns=["concept", "slot", "hypernymy", "pattern"])


def relational(items: pd.DataFrame, strength: float, seed: int = 0) -> np.ndarray:
    """Forty noisy features, of which five follow the relation."""
    X = generator(seed, "relational").standard_normal((len(items), 40))
    X[:, :5] += strength * items["hypernymy"].to_numpy()[:, None]
    return X


def lexical(items: pd.DataFrame, seed: int = 0, width: int = 40) -> np.ndarray:
    """Features that are a fixed random vector of each word, and nothing about the pair."""
    rng = generator(seed, "lexical")
    of = {word: rng.standard_normal(width) for word in sorted({*items["concept"], *items["slot"]})}
    return np.hstack([np.stack([of[w] for w in items[side]]) for side in ("concept", "slot")])


def accuracy(counts: pd.DataFrame) -> float:
    """The mean over folds, written out."""
    folds = [
        (f["hits"].sum() / f["true"].sum() + f["rejections"].sum() / f["wrong"].sum()) / 2
        for _, f in counts.groupby("fold")
        if f["true"].sum() and f["wrong"].sum()
    ]
    return float(np.mean(folds))


def folds_of(items: pd.DataFrame, split: str, seed: int = 0, task: str = "hypernymy"):
    labels = items["hypernymy"].to_numpy() if task == "hypernymy" else coin(items["slot"], seed)
    return list(SPLITS[split].deal(items, labels, 5, seed))


@pytest.mark.parametrize("split", list(SPLITS))
def test_every_item_is_tested_once_and_never_trained_on_in_that_fold(split):
    items = planted_items()
    folds = folds_of(items, split)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(items)))
    for train, test in folds:
        assert len(train)
        assert not set(train) & set(test)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_under_the_double_split_no_noun_of_the_test_was_trained_on(task, seed):
    items = planted_items()
    for train, test in folds_of(items, "double", seed, task):
        for side in ("slot", "concept"):
            assert not set(items[side].iloc[train]) & set(items[side].iloc[test])


def test_the_split_by_concepts_keeps_concepts_apart_and_the_ungrouped_one_not_even_pairs():
    items = planted_items()
    pair = items["concept"] + " " + items["slot"]
    for train, test in folds_of(items, "concepts"):
        assert not set(items["concept"].iloc[train]) & set(items["concept"].iloc[test])
        assert set(items["slot"].iloc[train]) & set(items["slot"].iloc[test])
    for train, test in folds_of(items, "ungrouped"):
        assert len(set(pair.iloc[train]) & set(pair.iloc[test])) > 0.5 * len(set(pair.iloc[test]))


@pytest.mark.parametrize("split", list(SPLITS))
def test_a_planted_relation_is_found_under_every_split(split):
    items = planted_items()
    assert accuracy(probe(relational(items, 1.0), items, split=split)) > 0.8
    assert accuracy(probe(relational(items, 0.0), items, split=split)) == pytest.approx(0.5, abs=0.08)


def test_pure_word_identity_is_found_ungrouped_and_not_under_the_double_split():
    items = planted_items(own_slots=True)
    names = np.hstack([pd.get_dummies(items[side], dtype=float).to_numpy() for side in ("concept", "slot")])
    for X in (lexical(items), names):
        assert accuracy(probe(X, items, split="ungrouped")) > 0.9
        seeds = [accuracy(probe(X, items, split="double", seed=s)) for s in range(6)]
        assert np.mean(seeds) == pytest.approx(0.5, abs=0.07)


def test_names_dealt_evenly_tell_nothing_and_the_split_by_concepts_shows_it():
    """Where every noun is as often right as wrong, what is held out is what training lacks: names then mislead."""
    items = planted_items()
    names = np.hstack([pd.get_dummies(items[side], dtype=float).to_numpy() for side in ("concept", "slot")])
    for split in ("ungrouped", "concepts"):
        assert accuracy(probe(names, items, split=split)) < 0.5


def test_names_alone_score_one_half_exactly_on_nouns_never_seen():
    """All test items look the same to the probe; no fold's composition may then move the score."""
    items = planted_items(own_slots=True)
    names = np.hstack([pd.get_dummies(items[side], dtype=float).to_numpy() for side in ("concept", "slot")])
    assert accuracy(probe(names, items, split="double")) == 0.5


def test_the_coin_is_learned_from_the_words_and_at_chance_once_they_are_unseen():
    items = planted_items(nouns=40, concepts=160)
    X = lexical(items)
    assert accuracy(probe(X, items, split="ungrouped", task="coin")) > 0.9
    double = [accuracy(probe(X, items, split="double", task="coin", seed=s)) for s in range(8)]
    assert np.mean(double) == pytest.approx(0.5, abs=0.06)


def test_the_coin_is_one_throw_for_each_noun_and_half_of_them_heads():
    slots = [f"n{i % 10}" for i in range(50)]
    heads = coin(slots, 3)
    by_noun = pd.Series(heads).groupby(slots).nunique()
    assert (by_noun == 1).all()
    assert heads.mean() == 0.5
    assert not np.array_equal(heads, coin(slots, 4))


def test_the_same_seed_gives_the_same_counts():
    items = planted_items()
    X = relational(items, 0.5)
    first, again, *others = (probe(X, items, split="double", seed=s) for s in (1, 1, 2, 3, 4))
    assert first.equals(again)
    assert not all(first.equals(other) for other in others)


@pytest.mark.parametrize(("change", "message"), [
    ({"split": "dubble"}, "unknown split of the relation probe 'dubble'; did you mean 'double'"),
    ({"task": "dice"}, "unknown task 'dice'"),
    ({"folds": 13}, "24 slot nouns are too few for 13 folds"),
])  # fmt: skip
def test_bad_input_is_a_line(change, message):
    items = planted_items()
    with pytest.raises(InputError, match=message):
        probe(relational(items, 1.0), items, **{"split": "double", **change})


# Scores


def counts_of(
    X_of: dict[str, np.ndarray], items: pd.DataFrame, splits=("ungrouped", "double"), seeds=2
) -> pd.DataFrame:
    return pd.concat(
        [
            probe(X, items, split=split, task=task, seed=seed).assign(
                input=name, negatives=KIND, split=split, task=task, seed=seed
            )
            for name, X in X_of.items()
            for split in splits
            for task in TASKS
            for seed in range(seeds)
        ],
        ignore_index=True,
    )


def test_pooled_scores_are_the_mean_over_folds_and_seeds_and_selectivity_is_the_difference():
    items = planted_items()
    counts = counts_of({"attention": relational(items, 0.6)}, items)
    table = pooled(counts, resamples=50).set_index(["split", "task"])
    for split in ("ungrouped", "double"):
        for task in TASKS:
            mine = counts[(counts["split"] == split) & (counts["task"] == task)]
            wanted = np.mean([accuracy(of_seed) for _, of_seed in mine.groupby("seed")])
            assert table.loc[(split, task), "value"] == pytest.approx(wanted)
        task, thrown, selectivity = (table.loc[(split, t)] for t in ("hypernymy", "coin", "selectivity"))
        assert selectivity["value"] == pytest.approx(task["value"] - thrown["value"])
        np.testing.assert_allclose(selectivity["replicates"], task["replicates"] - thrown["replicates"])
        assert task["low"] <= task["value"] <= task["high"]


def test_a_resample_of_every_noun_once_is_the_estimate(monkeypatch):
    """The bootstrap's own arithmetic: weights of one give the estimate back."""
    items = planted_items()
    counts = counts_of({"attention": relational(items, 0.6)}, items, seeds=1)

    class Once:
        def __init__(self, nouns, size):
            self.counts = np.ones((size, len(nouns)))

    monkeypatch.setattr("interp.attention.relation_scores.Bootstrap", Once)
    for row in pooled(counts, resamples=3).itertuples():
        np.testing.assert_allclose(row.replicates, row.value)


def test_a_noun_drawn_twice_counts_twice():
    counts = pd.DataFrame({
        "input": "attention", "negatives": KIND, "split": "double", "task": "hypernymy", "seed": 0, "fold": 0,
        "slot": ["a", "b"], "true": [2, 1], "hits": [2, 0], "wrong": [1, 3], "rejections": [1, 0],
    })  # fmt: skip
    row = pooled(counts, resamples=400).iloc[0]
    assert row["value"] == pytest.approx((2 / 3 + 1 / 4) / 2)
    # Two nouns drawn with replacement: both once, or either one twice.
    assert set(np.round(row["replicates"], 6)) == {round((2 / 3 + 1 / 4) / 2, 6), 1.0, 0.0}


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    """Noun-level luck: each slot noun has its own accuracy; the interval must be wide enough for new nouns."""
    covered = 0
    for trial in range(120):
        rng = generator(trial, "coverage")
        nouns, rows = 40, []
        for i in range(nouns):
            p = rng.beta(6, 3)  # mean 2/3
            hits, rejections = rng.binomial(10, p), rng.binomial(10, p)
            rows.append((f"n{i}", 10, hits, 10, rejections))
        counts = pd.DataFrame(rows, columns=["slot", "true", "hits", "wrong", "rejections"]).assign(
            input="x", negatives=KIND, split="double", task="hypernymy", seed=0, fold=0
        )
        row = pooled(counts, resamples=300).iloc[0]
        covered += row["low"] <= 2 / 3 <= row["high"]
    assert 0.88 <= covered / 120 <= 1.0


# Readings


def verdicts(**strengths: float):
    """Verdicts of A5 on planted inputs: how strongly each follows the relation."""
    items = planted_items(concepts=240, nouns=48)
    names = {
        "attention": "attention", "random": "attention, random weights",
        "shuffled": "attention, embeddings shuffled", "static": "static vectors",
    }  # fmt: skip
    X_of = {names[k]: relational(items, s, seed=i) for i, (k, s) in enumerate(strengths.items())}
    return {k: v.outcome for k, v in judge("A5", pooled(counts_of(X_of, items), resamples=400)).items()}


def test_planted_probes_are_judged_as_planted():
    found = verdicts(attention=1.0, random=0.0, shuffled=1.0, static=0.35)
    assert found["A5-double"] == "fails"  # the relation is there for nouns never seen
    assert found["A5-random"] == "fails"  # nothing left of it without training
    assert found["A5-random-double"] == "fails"
    assert found["A5-shuffled"] == "holds"
    assert found["A5-static-double"] == "partly"
    assert found["A5-coin"] == "fails"


def test_a_probe_that_reads_words_only_is_found_out():
    items = planted_items(concepts=240, nouns=48, own_slots=True)
    X_of = {"attention": lexical(items, 0, 200), "attention, random weights": lexical(items, 1, 200)}
    found = {k: v.outcome for k, v in judge("A5", pooled(counts_of(X_of, items), resamples=400)).items()}
    assert found["A5-random"] == "holds"
    assert found["A5-coin"] == "holds"
    assert found["A5-double"] in ("holds", "undecided")
    assert found["A5-random-double"] == "undecided"  # there is nothing to be nearly as good as
    assert found["A5-shuffled"] == "not run"


def counted(accuracy_of: dict[tuple[str, str, str], float], nouns: int, seed: int) -> pd.DataFrame:
    """Counts of a probe that is right with a given probability, by (input, split, task)."""
    tables = []
    for (name, split, task), p in accuracy_of.items():
        rng = generator(seed, name, split, task)
        for fold in range(5):
            slots = [f"n{i}" for i in range(fold, nouns, 5)]
            true = np.full(len(slots), 10)
            tables.append(pd.DataFrame({
                "slot": slots, "true": true, "hits": rng.binomial(10, p, len(slots)), "wrong": true,
                "rejections": rng.binomial(10, p, len(slots)), "fold": fold, "seed": 0, "input": name,
                "negatives": KIND, "split": split, "task": task,
            }))  # fmt: skip
    return pd.concat(tables, ignore_index=True)


INTACT, RANDOM, SHUFFLED = "attention", "attention, random weights", "attention, embeddings shuffled"
COMPARISONS = {
    "A5-random": ((RANDOM, "ungrouped", "hypernymy"), (INTACT, "ungrouped", "hypernymy")),
    "A5-random-double": ((RANDOM, "double", "hypernymy"), (INTACT, "double", "hypernymy")),
    "A5-shuffled": ((SHUFFLED, "ungrouped", "hypernymy"), (INTACT, "ungrouped", "hypernymy")),
    "A5-static-double": (("static vectors", "double", "hypernymy"), (INTACT, "double", "hypernymy")),
    "A5-coin": ((INTACT, "ungrouped", "coin"), (INTACT, "ungrouped", "hypernymy")),
}


@pytest.mark.parametrize("reading_id", list(COMPARISONS))
@pytest.mark.parametrize(
    ("mine", "other", "nouns", "outcome"),
    [
        (0.80, 0.80, 300, "holds"),
        (0.65, 0.80, 300, "partly"),
        (0.50, 0.80, 300, "fails"),
        (0.75, 0.80, 12, "undecided"),
        (0.50, 0.50, 300, "undecided"),
    ],
)
def test_every_outcome_of_a_comparison_is_reached(reading_id, mine, other, nouns, outcome):
    control, reference = COMPARISONS[reading_id]
    counts = counted({control: mine, reference: other}, nouns, seed=1)
    assert judge("A5", pooled(counts, resamples=400))[reading_id].outcome == outcome


@pytest.mark.parametrize(
    ("accuracy", "nouns", "outcome"), [(0.50, 300, "holds"), (0.60, 300, "fails"), (0.55, 40, "undecided")]
)
def test_every_outcome_of_the_double_split_is_reached(accuracy, nouns, outcome):
    counts = counted({(INTACT, "double", "hypernymy"): accuracy}, nouns, seed=1)
    found = judge("A5", pooled(counts, resamples=400))
    assert found["A5-double"].outcome == outcome
    assert found["A5-static-double"].outcome == "not run"


# Inputs and the study


def reading(subject):
    pairs = [("robin", "bird"), ("robin", "boat"), ("cat", "animal"), ("apple", "fruit"), ("dog", "animal")]
    nouns = pd.DataFrame(pairs, columns=["concept", "slot"]).merge(pd.DataFrame({"pattern": ["hp01"]}), how="cross")
    pattern = patterns(["hp01"])["hp01"]
    sentences = [fill(pattern, c, s) for c, s, _ in nouns.itertuples(index=False)]
    return Reading(subject, lambda _kind, _seed: subject, sentences, nouns)


@pytest.mark.parametrize("family", ["bert", "gpt2", "llama", "gpt_neox"])
@pytest.mark.parametrize("name", list(PROBE_INPUTS))
def test_every_input_is_had_from_every_family(tiny, family, name):
    X = PROBE_INPUTS[name].build(reading(tiny[family]), 0)
    assert len(X) == 5
    assert np.isfinite(X).all()
    if name.startswith("attention"):
        assert X.shape[1] == (1 if tiny[family].causal else 2) * tiny[family].n_layers * tiny[family].n_heads


def test_inputs_are_what_they_say(tiny):
    subject = tiny["bert"]
    mine = reading(subject)
    vectors = subject.lemma_vectors(["robin", "bird"])
    np.testing.assert_allclose(PROBE_INPUTS["static vectors"].build(mine, 0)[0], vectors.ravel())
    cosine = vectors[0] @ vectors[1] / np.linalg.norm(vectors[0]) / np.linalg.norm(vectors[1])
    assert PROBE_INPUTS["static similarity"].build(mine, 0)[0, 0] == pytest.approx(cosine)
    np.testing.assert_allclose(PROBE_INPUTS["static products"].build(mine, 0)[0], vectors[0] * vectors[1])
    names = PROBE_INPUTS["word identity"].build(mine, 0)
    assert names.shape == (5, 4 + 4)
    assert (names.sum(axis=1) == 2).all()
    assert (names[0, :4] == names[1, :4]).all()  # the same concept
    assert (names[2, 4:] == names[4, 4:]).all()  # the same slot noun
    distance, letters, pieces, rank = PROBE_INPUTS["length and frequency"].build(mine, 0)[0, :4]
    assert (distance, letters, pieces) == (3, 5, 1)  # robin is a bird
    assert rank == pytest.approx(np.log(subject.pieces("robin")[0] + 1))
    assert [PROBE_INPUTS[n].seeded for n in PROBE_INPUTS] == [False, True, True, True, *[False] * 5]


SMALL = {"pairs": 40, "folds": 3, "patterns": ["hp01", "hp03"], "splits": ["ungrouped", "double"]}


def test_the_study_is_tidy_replays_and_agrees_with_itself():
    inputs = ["word identity", "static similarity"]
    kinds = ["re-dealt", "other-noun"]
    first = studies.probe_counts("minilm", "everyday", inputs, negatives=kinds, seeds=2, twins=1, **SMALL)
    keys = ["input", "negatives", "split", "task", "seed", "fold", "slot"]
    assert set(first.columns) == {*keys, "true", "hits", "wrong", "rejections"}
    assert not first.duplicated(keys).any()
    assert (first["hits"] <= first["true"]).all()
    assert (first["rejections"] <= first["wrong"]).all()
    again = studies.probe_counts("minilm", "everyday", inputs, negatives=kinds, seeds=2, twins=1, **SMALL)
    pd.testing.assert_frame_equal(first, again)
    drawn = studies.probe_items("minilm", "everyday", negatives=kinds, pairs=40)
    sentences = 2 * drawn.groupby("negatives").size()
    tested = first[(first["seed"] == 0) & (first["input"] == "word identity")]
    for (kind, _, _), mine in tested.groupby(["negatives", "split", "task"]):
        assert mine["true"].sum() + mine["wrong"].sum() == sentences[kind]


def test_a_decoder_in_a_folder_goes_through_the_whole_study(tmp_path):
    """An untrained one, so that nothing can be found: its attention is at chance on nouns never seen."""
    folder = str(byte_level_folder(tmp_path))
    inputs = ["attention", "attention, permuted weights"]
    counts = studies.probe_counts(folder, "everyday", inputs, negatives=["re-dealt"], seeds=2, twins=2, **SMALL)
    table = pooled(counts, resamples=50)
    assert set(table["input"]) == set(inputs)
    double = table[(table["split"] == "double") & (table["task"] == "hypernymy")]
    assert double["value"].mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(("change", "message"), [
    ({"subject": "minilm:random:1"}, "'minilm:random:1' is a twin; the relation probe makes its twins itself"),
    ({"norms": "binder"}, "norms binder: no feature is of kind"),
    ({"ancestors": "wordnett"}, "unknown source of ancestors 'wordnett'; did you mean 'wordnet'"),
    ({"inputs": ["atention"]}, "unknown input of the relation probe 'atention'; did you mean 'attention'"),
    ({"negatives": ["redealt"]}, "unknown kind of negatives 'redealt'; did you mean 're-dealt'"),
    ({"patterns": ["hp1"]}, "unknown pattern 'hp1'"),
    ({"seeds": 0}, "relation probe: seeds is 0"),
])  # fmt: skip
def test_bad_arguments_of_the_study_are_a_line(change, message, request):
    if change.get("norms") == "binder":
        request.getfixturevalue("binder_like")
    arguments = {"subject": "minilm", "norms": "everyday", "inputs": ["static similarity"], **SMALL, **change}
    with pytest.raises(InputError, match=message):
        studies.probe_counts(**arguments)


@pytest.fixture
def binder_like(monkeypatch):
    """Norms without kinds under the name of a set that has none, so that no data is needed."""
    from tests.test_superordinates import GROUPS, small

    bare = small(GROUPS)
    bare = type(bare)("binder", *(getattr(bare, f) for f in ("concepts", "lemmas", "features", "values", "taxonomy")),
                      None, "rating", "nobody", "none")  # fmt: skip
    for where in ("interp.norms.load", "interp.norms.catalogue.load"):
        monkeypatch.setattr(where, lambda _name: bare)
