"""Every outcome can be reached, and under a null the rules err no more often than they may."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from interp import reference
from interp.claims import (
    CLAIMS,
    JUDGED_ON,
    RULES,
    SideBySide,
    attention_evidence,
    judge,
    ledger,
    readings,
    verdict_table,
)
from interp.claims.evidence import kendall
from interp.claims.judging import corrected
from interp.claims.rules import OUTCOMES, Sample, Verdict
from interp.errors import InputError
from interp.inference import crossvalidate
from interp.report.ledger_page import ledger_html
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
    assert {r.study for r in every} == set(JUDGED_ON), "each study says its data and subjects"
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
    assert list(table.columns) == ["reading", "states", "planted"]
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
    told = {k: v.outcome for k, v in judge(["A3", "A4"], evidence).items()}
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


@pytest.fixture(scope="module")
def three_sets():
    """Norms that differ in density, all with the same share of real signal, and one without any."""
    controls = ["original", "upper-bound", "mean-vector", "shuffle-rows", "noise"]
    made = {"sparse": (0.05, 0.9), "middle": (0.15, 0.9), "dense": (0.35, 0.9)}
    return {
        name: crossvalidate(
            *planted(n=100, density=density, signal=signal, seed=i),
            controls=controls,
            folds=4,
            metrics=["f1@10", "auc-feature"],
        )
        for i, (name, (density, signal)) in enumerate(made.items())
    }


def test_norm_sets_that_differ_in_density_rank_by_it(three_sets):
    found = judge("P6", SideBySide("norm sets", three_sets))
    assert found["P6-floor"].statistic == 1
    assert found["P6-floor"].outcome == "holds"
    two = dict(list(three_sets.items())[:2])
    assert {v.outcome for v in judge("P6", SideBySide("norm sets", two)).values()} == {"not run"}
    assert "three norm sets" in judge("P6", SideBySide("norm sets", two))["P6-upper"].note
    assert judge("P6", three_sets["dense"]) == {}


def test_mappings_are_told_apart(three_sets):
    """The one that was given norms with signal beats the one that was given none; on permuted rows they are equal."""
    X, none = planted(n=100, density=0.15, signal=0.0, seed=1)
    controls = ["original", "upper-bound", "mean-vector", "shuffle-rows", "noise"]
    blind = crossvalidate(X, none, controls=controls, folds=4, metrics=["f1@10", "auc-feature"])
    found = judge("P8", SideBySide("mappings", {"plsr": three_sets["middle"], "ffnn": blind}))
    assert found["P8-better"].outcome == "holds"
    assert found["P8-better-raw"].outcome == "holds"
    assert found["P8-rows"].outcome == "holds"
    other = judge("P8", SideBySide("mappings", {"plsr": blind, "ffnn": three_sets["middle"]}))
    assert other["P8-better"].outcome == "fails"
    assert {v.outcome for v in judge("P8", SideBySide("mappings", {"plsr": blind})).values()} == {"not run"}


def test_kendalls_tau_is_scipys():
    x, y = np.random.default_rng(0).standard_normal((2, 6, 20))
    expected = [stats.kendalltau(a, b).statistic for a, b in zip(x.T, y.T)]
    np.testing.assert_allclose(kendall(x, y), expected)
    x[2, 3] = np.nan
    assert np.isnan(kendall(x, y)[3])


def test_p_values_count_the_replicates_beyond_the_threshold():
    replicates = np.concatenate([np.full(3, 0.2), np.full(996, -0.2)])
    found = RULES["below-zero"](Sample(-0.2, replicates))
    assert found.outcome == "holds"
    assert found.p == pytest.approx(2 * 4 / 1000)
    equivalent = Sample(0.5, 0.5 + np.concatenate([np.full(20, 0.2), np.zeros(979)]), 0.5, np.full(999, 0.5))
    found = RULES["nearly-the-same"](equivalent)
    assert found.outcome == "holds"
    assert found.p == pytest.approx(21 / 1000)
    assert RULES["below-zero"](sample(0.0)).p == 1


def test_a_family_is_corrected():
    def verdict(p, outcome="holds"):
        return Verdict(outcome, 0.3, 0.1, 0.5, 0.95, "", p)

    family = {"a": verdict(0.004), "b": verdict(0.03), "c": verdict(1.0, "undecided"), "d": verdict(np.nan, "not run")}
    after = corrected(family)
    assert [v.outcome for v in after.values()] == ["holds", "undecided", "undecided", "not run"]
    assert [v.p_holm for v in after.values()][:3] == pytest.approx([0.012, 0.06, 1.0])
    assert "holds on its own, not after Holm" in after["b"].note
    alone = corrected({"b": verdict(0.03)})
    assert alone["b"].outcome == "holds"


def test_of_many_readings_without_substance_few_families_have_one_that_holds():
    """Seven readings on their border: without the correction a third of the families would err."""
    rng = np.random.default_rng(5)
    erring = 0
    for _ in range(200):
        family = {}
        for name in "abcdefg":
            data = rng.standard_normal(80) * 0.4
            resampled = data[rng.integers(0, 80, (600, 80))].mean(axis=1)
            family[name] = RULES["above-zero"](Sample(float(data.mean()), resampled))
        erring += any(v.outcome != "undecided" for v in corrected(family).values())
    # A bootstrap of 80 values is a little too sure of itself; three standard errors above 7 %.
    assert erring / 200 <= 0.07 + 3 * np.sqrt(0.07 * 0.93 / 200)


@pytest.fixture
def build(tmp_path):
    """A folder with one executed chapter that filed two verdicts, and one that files a reading it does not judge."""
    verdict = judge("A2", pd.DataFrame([_identity_row(0.2)]))
    filed = ledger.records({"minilm": verdict, "minilm:random": verdict}, data="plain")
    for chapter in ("token-identity", "residual-mixing"):
        output = {"output_type": "display_data", "data": {"text/html": "", ledger.MIME: filed}, "metadata": {}}
        cell = {"cell_type": "code", "source": "", "outputs": [output], "metadata": {}, "execution_count": 1}
        (tmp_path / f"{chapter}.ipynb").write_text(json.dumps({"cells": [cell], "metadata": {}}))
    return tmp_path


def _identity_row(value):
    rng = np.random.default_rng(0)
    where = {"target": "table", "view": "raw", "measure": "retrieval, vocabulary", "types": "all", "layer": 1}
    return {**where, "value": value, "replicates": value + 0.01 * rng.standard_normal(500)}


def test_the_ledger_collects_what_chapters_filed_and_the_reference(build):
    whole = ledger.ledger(build)
    assert list(dict.fromkeys(whole["reading"])) == [r.id for r in readings()], "every reading, in order"
    mine = whole[whole["source"] == "build"]
    assert set(mine["subject"]) == {"minilm", "minilm:random"}
    assert len(mine) == 2 * len(readings("A2")), "what another chapter filed of it is not counted twice"
    assert mine.set_index(["reading", "subject"]).loc[("A2-raw", "minilm"), "outcome"] == "holds"
    known = whole[whole["source"] == "reference"]
    assert {"mcrae", "binder", "buchanan", "ud_english_ewt"} <= set(known["data"])


def test_a_reading_that_was_judged_nowhere_says_why(build, tmp_path, monkeypatch):
    shutil.copytree(reference.folder() / "property-inference", tmp_path / "reference" / "property-inference")
    monkeypatch.setenv("INTERP_REFERENCE", str(tmp_path / "reference"))
    whole = ledger.ledger(build)
    assert list(whole.loc[whole["reading"] == "A1-norm-ratio", "outcome"]) == ["not run"]
    told = whole.loc[whole["outcome"] == "not run", "note"]
    assert (told.str.len() > 5).all(), "says why"


def test_the_ledger_as_a_page_is_whole_and_escaped(build):
    whole = ledger.ledger(build)
    whole.loc[whole["source"] == "build", "data"] = "<script>x</script>"
    page = ledger_html(whole)
    assert "<script>" not in page
    assert page.count('<details class="interp-claim"') == len(CLAIMS)
    for reading in readings():
        assert f'href="chapters/{reading.chapter}.html#{reading.figure}"' in page
    assert "✓" in page
    for tag in ("table", "details", "td", "th", "span", "small"):
        assert page.count(f"<{tag}>") + page.count(f"<{tag} ") == page.count(f"</{tag}>"), tag
