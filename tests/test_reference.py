"""Committed results: written whole, checked when read, and the same when they are computed again."""

import json

import numpy as np
import pandas as pd
import pytest

from interp import reference
from interp.errors import InputError
from interp.inference.protocols import PROTOCOLS
from interp.studies import (
    permutation_null,
    planted_norms,
    property_scores,
    reference_ground_truth,
    reference_null,
    reference_scores,
)
from interp.studies.ground_truth import NULLS


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERP_REFERENCE", str(tmp_path))
    table = pd.DataFrame({"control": ["original", "noise"], "estimate": [0.5, 0.25]})
    reference.write("toy", "one", {"summary": table}, command="make toy", used=[])
    return tmp_path


@pytest.mark.usefixtures("place")
def test_what_is_written_is_read():
    assert reference.entries("toy") == ["one"]
    assert reference.load("toy")["estimate"].tolist() == [0.5, 0.25]
    meta = reference.meta("toy", "one")
    assert meta["command"] == "make toy"
    assert {"created", "commit", "versions", "machine"} <= meta.keys()


def test_an_entry_is_replaced_as_a_whole(place):
    reference.write("toy", "one", {"other": pd.DataFrame({"a": [1]})}, command="make toy", used=[])
    assert sorted(p.name for p in (place / "toy" / "one").iterdir()) == ["meta.json", "other.parquet"]
    with pytest.raises(InputError, match="no reference results 'toy' with a table 'summary'"):
        reference.load("toy")


def test_a_changed_file_is_noticed(place):
    path = place / "toy" / "one" / "summary.parquet"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(InputError, match="is not what was written; `git checkout` restores it"):
        reference.load("toy")


def test_a_damaged_record_is_one_clear_line(place):
    (place / "toy" / "one" / "meta.json").write_text("{")
    with pytest.raises(InputError, match="no reference result"):
        reference.meta("toy", "one")


def test_the_committed_results_are_whole_and_come_from_the_plan():
    planned = {p.entry: p for p in reference_scores.PLAN}
    found = reference.entries(reference_scores.NAME)
    assert set(found) == {*planned, reference_scores.COMPARISONS}
    for entry in found:
        meta = reference.meta(reference_scores.NAME, entry)
        assert json.dumps(meta).isascii() or meta["command"]
        assert meta["command"].endswith(entry)
    summary = reference.load(reference_scores.NAME)
    seeds = summary.drop_duplicates(["norms", "mapping"])
    for row in seeds.itertuples():
        assert row.seeds == planned[f"{row.subject}-{row.norms}-{row.mapping}"].seeds


def _same(norms, mapping, seeds, controls, tolerance):
    """Compute some controls again, with all seeds of the reference, and compare every raw score and interval."""
    scores = property_scores(
        "minilm", norms, controls, mapping=mapping, seeds=range(seeds), selections=reference_scores.SELECTIONS
    )
    key = ["control", "scoring", "selection", "metric"]
    summary = reference.load(reference_scores.NAME)
    there = summary[(summary["norms"] == norms) & (summary["mapping"] == mapping) & (summary["concepts"] == "all")]
    both = scores.summary().merge(there, on=key, suffixes=("", "_there"))
    assert len(both) == len(scores.summary())
    for column in ("estimate", "low", "high"):
        assert np.allclose(both[column], both[f"{column}_there"], atol=tolerance, equal_nan=True)


@pytest.mark.data
@pytest.mark.parametrize(("norms", "controls"), [("binder", ["shuffle-rows"]), ("mcrae", ["original"])])
def test_the_reference_is_the_same_when_computed_again(norms, controls):
    _same(norms, "plsr", 5, controls, 2e-3)


@pytest.mark.data
def test_the_observed_scores_of_the_permutation_tests_are_the_same_again():
    tests = reference.load(reference_null.NAME, "tests").query("control == 'shuffle-rows'").set_index("metric")
    again = permutation_null(reference_null.SUBJECT, reference_null.NORMS, permutations=1)
    for metric in again.metrics:
        assert again.observed(metric) == pytest.approx(tests.loc[metric, "observed"], abs=2e-3)
    assert (tests["permutations"] == reference_null.PERMUTATIONS).all()


@pytest.mark.slow
def test_a_planted_set_of_the_reference_is_the_same_again():
    """p-values count crossings of a bootstrap: rounding on another machine may move a replicate or two."""
    known = reference.load(reference_ground_truth.NAME, "protocols").query("condition == 'nothing' and replicate == 0")
    again = planted_norms(reference_ground_truth.SUBJECT, reference_ground_truth.NORMS, NULLS[:1], replicates=1)
    both = again["protocols"].merge(known, on="protocol", suffixes=("", "_there"))
    assert len(both) == len(known) == len(PROTOCOLS)
    assert np.allclose(both["p"], both["p_there"], atol=0.06)
    shapes = reference.load(reference_ground_truth.NAME, "shapes").query("condition == 'nothing' and replicate == 0")
    for column in ("density", "effective rank", "raw F1@10"):
        assert again["shapes"][column].iloc[0] == pytest.approx(shapes[column].iloc[0], rel=1e-3)
