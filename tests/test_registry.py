import pytest

from interp.errors import InputError
from interp.registry import Registry, unknown


def test_members_keep_their_order_and_a_name_is_taken_once():
    family = Registry("fruit", "interp fruits")
    family.add("pear", 1)
    family.register("apple")(2)
    assert list(family) == ["pear", "apple"]
    assert "pear" in family
    with pytest.raises(ValueError, match="registered twice"):
        family.add("pear", 3)


def test_unknown_name_gets_a_suggestion_or_the_list():
    assert "did you mean 'shuffle-rows'? (interp controls lists them)" in unknown(
        "control", "shufle-rows", ["original", "shuffle-rows"], "interp controls"
    )
    assert unknown("control", "zzz", ["a", "b"]) == "unknown control 'zzz'; known: a, b"
    with pytest.raises(InputError):
        Registry("fruit", "")["x"]
