"""Committed results: written whole, checked when read, and the same when they are computed again."""

import json

import pandas as pd
import pytest

from interp import reference
from interp.controls import CONTROLS
from interp.errors import InputError
from interp.studies import reference_ground_truth, reference_null, reference_scores


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
    for entry in planned:
        told = {t: set(reference.load(reference_scores.NAME, t, [entry])["control"]) for t in ("summary", "skipped")}
        assert told["summary"] | told["skipped"] == set(CONTROLS)


@pytest.mark.data
@pytest.mark.parametrize("entry", ["minilm-binder-plsr", "minilm-mcrae-plsr", "minilm-binder-ffnn"])
def test_the_reference_is_the_same_when_computed_again(entry):
    planned = {p.entry: p for p in reference_scores.PLAN}[entry]
    found = reference_scores.again(planned, reference_scores.SAMPLE[entry])
    assert found.ok, found


@pytest.mark.data
def test_the_observed_scores_of_the_permutation_tests_are_the_same_again():
    found = reference_null.PLAN[0].again(whole=False)
    assert found.ok, found


def test_the_committed_permutation_tests_come_from_the_plan():
    planned = {p.norms: p for p in reference_null.PLAN}
    tests = reference.load(reference_null.NAME, "tests")
    assert "mcrae" in set(tests["norms"])
    for norms, mine in tests.groupby("norms"):
        assert set(mine["control"]) == set(planned[norms].controls)
        assert (mine["permutations"] == planned[norms].permutations).all()


@pytest.mark.slow
def test_a_planted_set_of_the_reference_is_the_same_again():
    found = reference_ground_truth.again(whole=False)
    assert found.ok, found
