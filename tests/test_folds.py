import numpy as np
import pytest

from interp.errors import InputError
from interp.inference import grouped_folds


@pytest.fixture
def lemmas():
    rng = np.random.default_rng(0)
    return [f"w{rng.integers(40)}" for _ in range(97)]


def test_folds_partition_and_keep_lemmas_together(lemmas):
    splits = grouped_folds(lemmas, 10, seed=3)
    words = np.array(lemmas)
    assert sorted(np.concatenate([s.test for s in splits])) == list(range(97))
    for s in splits:
        parts = [set(words[p]) for p in (s.train, s.validation, s.test)]
        assert sum(map(len, parts)) == len(set.union(*parts))
        assert len(s.train) + len(s.validation) + len(s.test) == 97
        assert np.array_equal(s.validation, splits[(s.fold + 1) % 10].test)


def test_folds_are_of_nearly_one_size_and_depend_on_the_seed():
    words = [f"w{i}" for i in range(541)]
    sizes = [len(s.test) for s in grouped_folds(words, 10, seed=0)]
    assert max(sizes) - min(sizes) <= 1
    first, again, other = (grouped_folds(words, 10, seed=s)[0].test for s in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(("n", "folds", "message"), [(9, 10, "at least 10 different"), (50, 2, "too few")])
def test_impossible_folds_are_refused(n, folds, message):
    with pytest.raises(InputError, match=message):
        grouped_folds([f"w{i}" for i in range(n)], folds, seed=0)
