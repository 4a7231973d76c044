"""Every outcome can be reached, and under a null the rules err no more often than they may."""

import numpy as np
import pandas as pd
import pytest

from interp.claims import CLAIMS, RULES, attention_evidence, judge, readings, verdict_table
from interp.claims.rules import OUTCOMES, Sample
from interp.errors import InputError
from interp.inference import crossvalidate
from tests.planted import planted


def sample(estimate, sd=0.01, reference=None, seed=0):
    rng = np.random.default_rng(seed)
    replicates = estimate + sd * rng.standard_normal(2000)
    if reference is None:
        return Sample(estimate, replicates)
    return Sample(estimate, replicates, reference, reference + sd * rng.standard_normal(2000))


@pytest.mark.parametrize(
    ("rule", "evidence", "outcome"),
    [
        ("nearly-the-same", sample(0.97, reference=1.0), "holds"),
        ("nearly-the-same", sample(0.40, reference=1.0), "partly"),
        ("nearly-the-same", sample(0.02, reference=1.0), "fails"),
        ("nearly-the-same", sample(0.90, 0.08, reference=1.0), "undecided"),
        ("nearly-the-same", sample(1.50, reference=1.0), "fails"),
        ("nearly-the-same", Sample(float("nan"), np.full(10, np.nan)), "not run"),
        ("nearly-as-well", sample(0.97, reference=1.0), "holds"),
        ("nearly-as-well", sample(1.50, reference=1.0), "holds"),
        ("nearly-as-well", sample(0.40, reference=1.0), "partly"),
        ("nearly-as-well", sample(0.02, reference=1.0), "fails"),
        ("nearly-as-well", sample(0.90, 0.08, reference=1.0), "undecided"),
        ("nearly-as-well", sample(0.01, reference=0.01), "undecided"),
        ("nearly-as-well", Sample(float("nan"), np.full(10, np.nan)), "not run"),
        ("close-to-the-ceiling", sample(0.97), "holds"),
        ("close-to-the-ceiling", sample(0.70), "partly"),
        ("close-to-the-ceiling", sample(0.20), "fails"),
        ("close-to-the-ceiling", sample(0.50, 0.1), "undecided"),
        ("close-to-the-ceiling", Sample(float("nan"), np.full(10, np.nan)), "not run"),
        ("nine-tenths-retained", sample(0.39, 0.001, reference=0.40), "holds"),
        ("nine-tenths-retained", sample(0.30, 0.001, reference=0.40), "partly"),
        ("nine-tenths-retained", sample(0.10, 0.001, reference=0.40), "fails"),
        ("nine-tenths-retained", sample(0.36, 0.01, reference=0.40), "undecided"),
        ("nine-tenths-retained", Sample(float("nan"), np.full(10, np.nan)), "not run"),
        ("collapses-to-the-floor", sample(0.03), "holds"),
        ("collapses-to-the-floor", sample(0.30), "fails"),
        ("collapses-to-the-floor", sample(0.10), "undecided"),
        ("below-one-half", sample(0.3), "holds"),
        ("below-one-half", sample(0.7), "fails"),
        ("below-one-half", sample(0.5), "undecided"),
        ("above-one-half", sample(0.7), "holds"),
        ("above-one-half", sample(0.3), "fails"),
        ("above-one-half", Sample(float("nan"), np.array([np.nan])), "not run"),
        ("above-zero", sample(0.2), "holds"),
        ("above-zero", sample(-0.2), "fails"),
        ("above-zero", sample(0.0), "undecided"),
        ("below-zero", sample(-0.2), "holds"),
        ("below-zero", sample(0.2), "fails"),
        ("below-zero", sample(0.0), "undecided"),
    ],
)
def test_every_outcome_can_be_reached(rule, evidence, outcome):
    verdict = RULES[rule](evidence)
    assert verdict.outcome == outcome
    assert outcome in OUTCOMES
    if outcome != "not run":
        assert verdict.low <= verdict.high


def test_every_rule_is_tested_above():
    tested = {
        mark.args[1][i][0] for mark in test_every_outcome_can_be_reached.pytestmark for i in range(len(mark.args[1]))
    }
    assert tested == set(RULES)


@pytest.mark.parametrize(
    ("rule", "truth", "reference", "level"),
    [
        ("nearly-the-same", 0.9, 1.0, 0.05),
        ("nearly-as-well", 0.9, 1.0, 0.05),
        ("collapses-to-the-floor", 0.10, None, 0.025),
        ("below-one-half", 0.5, None, 0.025),
        ("above-one-half", 0.5, None, 0.025),
        ("above-zero", 0.0, None, 0.025),
        ("below-zero", 0.0, None, 0.025),
        ("close-to-the-ceiling", 0.9, None, 0.025),
        ("nine-tenths-retained", 0.9, 1.0, 0.025),
    ],
)
def test_on_the_border_of_the_null_a_rule_holds_no_more_often_than_its_level(rule, truth, reference, level):
    """Simulated studies whose true value lies exactly on the border: `holds` is then an error."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        data = rng.standard_normal(80) * 0.4
        resampled = data[rng.integers(0, 80, (600, 80))].mean(axis=1)
        evidence = sample(truth + data.mean())
        evidence = Sample(truth + data.mean(), truth + resampled)
        if reference is not None:
            evidence = Sample(truth + data.mean(), truth + resampled, reference, np.full(600, reference))
        held += RULES[rule](evidence).outcome == "holds"
    # Three standard errors of a binomial above the level.
    assert held / 400 <= level + 3 * np.sqrt(level * (1 - level) / 400)


def test_the_ledger_is_well_formed():
    every = readings()
    assert len({r.id for r in every}) == len(every)
    assert {r.claim for r in every} == set(CLAIMS)
    assert all(r.rule in RULES for r in every)
    with pytest.raises(InputError, match="unknown claim 'Q9'"):
        readings("Q9")


def test_planted_norms_are_judged_as_planted():
    X, norms = planted()
    controls = ["original", "upper-bound", "shuffle-rows", "shuffle-columns", "shuffle-within-rows", "noise"]
    scores = crossvalidate(X, norms, controls=controls, folds=5, metrics=["f1@10", "auc-feature"])
    verdicts = judge("P2", scores)
    assert verdicts["P2-columns"].outcome == "holds"
    assert verdicts["P2-rows"].outcome == "fails"
    assert judge("P3", scores)["P3-noise"].outcome == "fails"
    table = verdict_table({"planted": verdicts})
    assert list(table.columns) == ["claim", "reading", "planted"]
    assert table["planted"].str.startswith(OUTCOMES).all()


def test_a_control_that_was_not_run_gives_not_run():
    X, norms = planted()
    scores = crossvalidate(X, norms, controls=["original"], folds=4, metrics=["f1@10", "auc-feature"])
    assert {v.outcome for v in judge("P3", scores).values()} == {"not run"}


def pooled_row(value, **keys):
    rng = np.random.default_rng(0)
    return {**keys, "layer": 0, "value": value, "replicates": value + 0.01 * rng.standard_normal(1000)}


def test_attention_maps_are_judged_as_planted():
    import pandas as pd

    shuffled = {"perturbation": "shuffle-embeddings"}
    structure = pd.DataFrame(
        [
            pooled_row(1.2, quantity="kept, spatial structure", **shuffled),
            pooled_row(0.7, quantity="kept, concentration", **shuffled),
            pooled_row(0.02, quantity="same map, pearson, inner, in place", **shuffled),
            pooled_row(0.1, quantity="kept, spatial structure", perturbation="permuted weights"),
        ]
    )
    swaps = pd.DataFrame([pooled_row(-0.3, map="inner"), pooled_row(0.3, map="full")])
    crossed = pd.DataFrame([pooled_row(0.2, map="inner", effect="position - token")])
    evidence = attention_evidence(structure=structure, swaps=swaps, crossed=crossed)
    told = {k: v.outcome for claim in ("A3", "A4") for k, v in judge(claim, evidence).items()}
    assert told == {
        "A3-spatial": "holds",
        "A3-concentration": "partly",
        "A3-same-map": "fails",
        "A3-untrained": "fails",
        "A4-swap": "holds",
        "A4-swap-full": "fails",
        "A4-crossed": "holds",
        "A4-role": "not run",
    }
    same = judge("A3", evidence)["A3-same-map"]
    assert same.statistic == pytest.approx(-0.98)
    assert {v.outcome for v in judge("A4", attention_evidence(structure=structure)).values()} == {"not run"}


def test_a_reading_names_one_row():
    import pandas as pd

    twice = pd.DataFrame([pooled_row(-0.3, map="inner"), pooled_row(0.3, map="inner")])
    with pytest.raises(ValueError, match="too many values"):
        judge("A4", attention_evidence(swaps=twice))


def test_tables_by_layer_are_judged_by_their_study():
    """Identity and mixing are told apart by their columns, and read off at the depth that the reading names."""
    rng = np.random.default_rng(0)

    def row(value, **where):
        return {**where, "value": value, "replicates": value + 0.01 * rng.standard_normal(500)}

    where = {"target": "table", "view": "raw", "measure": "retrieval, vocabulary", "types": "all"}
    identity = pd.DataFrame([row(1.0, **where, layer=1), row(0.2, **where, layer=2)])
    found = judge("A2", identity)
    assert found["A2-raw"].outcome == "holds"
    assert found["A2-sentence"].outcome == "not run"
    shares = [0.9, 0.7, 0.4, 0.3]
    mixing = [row(v, method="propagated", quantity="own share, cumulated", layer=i + 1) for i, v in enumerate(shares)]
    found = judge("A1", pd.DataFrame(mixing))
    assert found["A1-propagated-share"].outcome == "fails"
    assert found["A1-gradient"].outcome == "not run"
    assert judge("A2", pd.DataFrame(mixing)) == {}
