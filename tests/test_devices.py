"""Every statistic in half precision and on another device: the same numbers, nearly.

bfloat16 keeps three digits: means of shares, similarities and cosines are stated to 0.02.
"""

import numpy as np
import pandas as pd
import pytest

from interp import attention, residual, subjects
from tests.test_memory import texts
from tests.tiny import FAMILIES

SENTENCES = texts(12)
STATISTICS = {
    "mixing": lambda s: residual.pooled(residual.mixing_table(s, SENTENCES, ["norm"])),
    "structure": lambda s: attention.pooled(
        attention.map_tables(s, SENTENCES, ["shuffle-embeddings"])[0], resamples=20
    ),
    "positional share": lambda s: attention.share(attention.positional_table(s, SENTENCES)).reset_index(name="value"),
    "identity": lambda s: residual.pooled(
        residual.identity_table(s, SENTENCES, types=30, queries=20).query("measure != 'retrieval, vocabulary'"),
        by=["target", "view", "measure", "types", "layer"],
    ),
}


def apart(statistic, one, other):
    """The largest and the mean difference between two versions of a subject; both are defined for the same rows."""
    a, b = (STATISTICS[statistic](s) for s in (one, other))
    named = a.columns.difference(["value", "low", "high", "replicates"])
    pd.testing.assert_frame_equal(a[named], b[named])
    assert np.isfinite(b["value"]).all()
    difference = (a["value"] - b["value"]).abs()
    return float(difference.max()), float(difference.mean())


@pytest.mark.parametrize("statistic", list(STATISTICS))
@pytest.mark.parametrize("family", ["bert", "llama"])
def test_bfloat16_gives_nearly_the_same(tiny_folders, family, statistic):
    exact, half = (subjects.load(str(tiny_folders[family]), dtype=d) for d in ("float32", "bfloat16"))
    assert 0 < apart(statistic, exact, half)[1] < 0.02


@pytest.mark.gpu
@pytest.mark.parametrize("statistic", list(STATISTICS))
@pytest.mark.parametrize("family", FAMILIES)
def test_a_gpu_gives_the_same(tiny_folders, family, statistic):
    here, there = (subjects.load(str(tiny_folders[family]), device=d) for d in ("cpu", "cuda"))
    assert apart(statistic, here, there)[0] < 1e-3
