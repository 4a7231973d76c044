"""One choice changed at a time, on a few concepts of the embedded norms."""

from interp import studies
from interp.studies.sensitivity import READINGS, VARIATIONS


def test_every_variation_is_a_row_and_says_what_moves():
    found = studies.sensitivity("minilm", "everyday", largest=6, folds=3, concepts=60)
    table = studies.sensitivity_table(found)
    assert table["changed"].tolist()[0] == "as in the book"
    assert set(VARIATIONS) <= set(table["changed"])
    assert {"latent size: elbow", "latent size: one-se"} <= set(table["changed"])
    assert table[list(READINGS)].isin(["holds", "partly", "fails", "undecided", "not run"]).all().all()
    told = studies.sensitivity_moves(found)
    moved = (table[list(READINGS)] != table.loc[0, list(READINGS)]).any(axis=1)
    assert all(label in told for label in table.loc[moved, "changed"])


def test_an_uncased_vocabulary_knows_no_capitals():
    found = studies.sensitivity("minilm", "everyday", largest=6, folds=3, concepts=60)
    rows = studies.sensitivity_table(found).set_index("changed")
    assert rows.loc["lemmas capitalised", "original"] == rows.loc["as in the book", "original"]
