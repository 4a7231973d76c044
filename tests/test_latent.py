import numpy as np
import pytest

from interp.errors import InputError
from interp.inference.latent import RULES, choose

SIZES = np.arange(41)


def errors(curve, concepts=30, spread=0.0):
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((concepts, 1)) * spread
    return np.asarray(curve)[None] + noise - noise.mean()


def test_argmin_takes_the_smallest_and_on_ties_the_first():
    assert choose("argmin", SIZES, errors((SIZES - 17.0) ** 2)) == 17
    assert choose("argmin", SIZES, errors(np.ones(41))) == 0


def test_elbow_is_the_knee_of_an_exponential():
    # Kneedle on exp(-x/4) over 1..40: the point farthest from the chord, found here by hand.
    curve = np.r_[2.0, np.exp(-SIZES[1:] / 4)]
    x, y = (SIZES[1:] - 1) / 39, (curve[1:] - curve[-1]) / (curve[1] - curve[-1])
    by_hand = SIZES[1:][np.argmax(1 - y - x)]
    assert choose("elbow", SIZES, errors(curve)) == by_hand


def test_elbow_of_a_rising_curve_is_argmin():
    assert choose("elbow", SIZES, errors(SIZES.astype(float))) == 0
    assert choose("elbow", SIZES, errors(np.r_[2, 1, 1.5, np.full(38, 3.0)])) == 1


def test_one_se_is_the_smallest_size_within_one_standard_error():
    curve = np.r_[np.linspace(1, 0.5, 21), np.full(20, 0.49)]
    table = errors(curve, spread=0.2)
    limit = 0.49 + table[:, 21].std(ddof=1) / np.sqrt(30)
    assert choose("one-se", SIZES, table) == np.flatnonzero(curve <= limit)[0]


def test_a_number_is_that_size_and_must_be_there():
    assert choose("20", SIZES, errors(SIZES.astype(float))) == 20
    with pytest.raises(InputError, match="the data allow 0 to 40"):
        choose("50", SIZES, errors(SIZES.astype(float)))
    with pytest.raises(InputError, match="did you mean 'argmin'"):
        choose("argmn", SIZES, errors(SIZES.astype(float)))
    assert set(RULES) == {"argmin", "elbow", "one-se"}
