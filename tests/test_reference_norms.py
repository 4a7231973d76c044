"""The description of norm sets, and the committed one of the human sets."""

import numpy as np
import pytest

from interp import reference
from interp.norms import CURVES, describe, load, marginals
from interp.norms.normset import NormSet
from interp.studies import reference_norms


def normset(values, unit="value"):
    n, m = values.shape
    names = tuple(f"c{i}" for i in range(n))
    return NormSet("x", names, names, tuple(f"f{j}" for j in range(m)), values, ("a",) * n, None, unit, "", "")


def test_marginals_against_counting():
    values = np.array([[6.0, 0, 0, 3], [0, 6, 0, 3], [0, 6, 30, 3], [0, 0, 0, 15]])
    norms = normset(values, "production frequency (of 30)")
    curves = marginals(norms)
    assert set(curves["curve"]) == set(CURVES)
    got = {name: list(zip(c["x"], c["y"], strict=True)) for name, c in curves.groupby("curve")}
    assert got["features a concept"] == [(1, 1.0), (2, 0.75), (3, 0.25)]
    assert got["carriers"] == [(1, 4), (2, 2), (3, 1), (4, 1)]
    assert got["values"] == [(0.1, 1.0), (0.2, pytest.approx(5 / 8)), (0.5, 0.25), (1.0, 0.125)]
    singular = np.linalg.svd(values - values.mean(axis=0), compute_uv=False)
    assert [y for _, y in got["spectrum"]] == pytest.approx(list(singular[:3] / singular[0]))


def test_marginals_of_everyday_stay_small():
    curves = marginals(load("everyday"))
    assert curves.groupby("curve").size().max() <= 60
    carried = curves[curves["curve"] == "carriers"].sort_values("x")
    assert carried["y"].is_monotonic_decreasing
    assert carried["x"].iloc[-1] == len(load("everyday").features)


def test_the_reference_says_where_it_comes_from():
    tables = reference_norms.read()
    sets = tuple(tables["description"]["norms"])
    assert sets == tuple(dict.fromkeys(tables["marginals"]["norms"])) == reference_norms.HUMAN
    assert list(tables["description"].columns) == list(describe(load("everyday")))
    identities = reference.meta(reference_norms.NAME, reference_norms.ENTRY)["identities"]
    # It compares the embedded set with McRae's: whoever changes the one has to run the command again.
    assert identities["everyday"] == load("everyday").checksum


@pytest.mark.data
@pytest.mark.slow
def test_the_reference_is_what_the_real_norms_give():
    found = reference_norms.again()
    assert found.ok, found
    for name, checksum in reference.meta(reference_norms.NAME, reference_norms.ENTRY)["identities"].items():
        assert checksum == load(name).checksum
