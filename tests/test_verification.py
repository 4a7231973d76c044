"""Reference results held against the same computed anew: what counts as the same, the record, its page."""

import math
import re
import sys

import pandas as pd
import pytest

from interp import reference, verification
from interp.errors import InputError
from interp.report import verified
from interp.verification import TOLERANCE, TOLERANCE_P, compared


def table(**columns):
    return pd.DataFrame({"key": ["a", "b"], "estimate": [0.5, float("nan")], "p": [0.01, 0.2], **columns})


def against(**columns):
    return compared("it", [(table(**columns), table(), ["key"])])


def test_the_same_is_the_same():
    assert against() == verification.Compared("it", 0.0, 0.0, TOLERANCE)
    assert against().ok


@pytest.mark.parametrize(
    ("columns", "largest", "ok"),
    [
        ({"estimate": [0.5 + TOLERANCE / 2, float("nan")]}, TOLERANCE / 2, True),
        ({"estimate": [0.5 + 2 * TOLERANCE, float("nan")]}, 2 * TOLERANCE, False),
        ({"estimate": [0.5, 0.0]}, math.inf, False),
        ({"key": ["a", "c"]}, math.inf, False),
    ],
)
def test_numbers_may_differ_by_the_tolerance(columns, largest, ok):
    found = against(**columns)
    assert found.largest == pytest.approx(largest)
    assert found.ok is ok


def test_p_values_have_a_tolerance_of_their_own():
    assert against(p=[0.01 + TOLERANCE_P / 2, 0.2]).ok
    found = against(p=[0.01 + 2 * TOLERANCE_P, 0.2])
    assert (found.largest, found.ok) == (0.0, False)


def test_a_number_above_one_may_differ_by_a_share_of_it():
    known = pd.DataFrame({"n": [1000.0]})
    assert compared("it", [(known + 1, known, ())]).ok
    assert not compared("it", [(known + 3, known, ())]).ok


def test_rows_that_only_one_of_them_has_are_noticed():
    assert not compared("it", [(table(), table().iloc[:1], ["key"])]).ok
    assert not compared("it", [(table().iloc[:1], table(), ["key"])]).ok


@pytest.mark.parametrize(
    ("fresh", "ok"),
    [
        ("holds: 0.31 [0.29, 0.33]", True),
        ("holds: 0.32 [0.29, 0.33]", True),
        ("holds: 0.36 [0.29, 0.33]", False),
        ("fails: 0.31 [0.29, 0.33]", False),
    ],
)
def test_words_must_be_the_same_and_their_numbers_but_for_the_last_digit(fresh, ok):
    known = pd.DataFrame({"text": ["holds: 0.31 [0.29, 0.33]", None]})
    assert compared("it", [(pd.DataFrame({"text": [fresh, None]}), known, ())]).ok is ok


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERP_REFERENCE", str(tmp_path))
    for entry in ("one", "two"):
        reference.write("toy", entry, {"summary": table()}, command=f"make reference ONLY={entry}")
    return tmp_path


def test_the_record_says_when_and_what(place):
    assert verification.record() == {}
    page = verified.verified_html(verification.record(), reference.made())
    assert "No reference result has been verified yet." in page
    verification.note("one", against())
    verification.note("two", against(key=["a", "c"]))
    known = verification.record()
    assert known["one"]["ok"] is True
    assert (known["two"]["ok"], known["two"]["largest"]) == (False, None)
    page = verified.verified_html(known, reference.made())
    assert (
        f"Reference results last verified on {known['two']['verified'][:10]}. Not the same as committed: two." in page
    )
    assert re.search(r"toy/one</th>.*<td>it</td><td>0e\+00</td>", page)
    reference.write("toy", "one", {"summary": table()}, command="make reference ONLY=one")
    known["one"]["verified"] = "2020-01-01T00:00:00+00:00"
    assert "2020-01-01, then made anew" in verified.verified_html(known, reference.made())
    (place / "verified.json").write_text("{")
    with pytest.raises(InputError, match="is not what was written"):
        verification.record()


def test_a_difference_ends_with_1_and_missing_norms_with_a_line(place, tmp_path, monkeypatch, capsys):
    from scripts import verify

    monkeypatch.setattr(verify, "checks", lambda: {"one": (against, against), "two": (against, None)})
    monkeypatch.setattr(sys, "argv", ["verify.py"])
    assert verify.main() == 0
    assert "not computed anew: two" in capsys.readouterr().out
    monkeypatch.setattr(verify, "checks", lambda: {"one": (lambda: against(key=["a", "c"]), None)})
    monkeypatch.setattr(sys, "argv", ["verify.py", "--all"])
    assert verify.main() == 1
    assert re.search(r"one .*inf .*DIFFERS", capsys.readouterr().out)
    monkeypatch.undo()
    monkeypatch.setenv("INTERP_CACHE", str(tmp_path / "nothing"))
    monkeypatch.delenv("INTERP_DATA", raising=False)
    monkeypatch.setenv("INTERP_REFERENCE", str(place))
    monkeypatch.setattr(sys, "argv", ["verify.py", "--only", "norms"])
    assert verify.main() == 2
    told = capsys.readouterr().err
    assert told.startswith("error: mcrae: no file")
    assert len(told.splitlines()) == 1


def test_every_committed_entry_can_be_verified():
    from scripts import verify

    commands = {meta["command"].partition("ONLY=")[2] for meta in reference.made().values()}
    assert commands <= set(verify.checks())


def test_unknown_entries_are_one_line(monkeypatch, capsys):
    from scripts import verify

    monkeypatch.setattr(sys, "argv", ["verify.py", "--only", "normz"])
    assert verify.main() == 2
    assert capsys.readouterr().err == "error: unknown reference result 'normz'; did you mean 'norms'?\n"
