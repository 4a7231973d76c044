"""Published rank correlations of contributions with the importance of tokens, each with where it stands."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def published_faithfulness() -> pd.DataFrame:
    """Spearman correlations from Abnar & Zuidema (2020, Tables 1 to 3) and Modarressi et al. (2022, Table 1).

    Returns
    -------
    pandas.DataFrame
        source, table, model, task, against (what importance was measured by), method (as its authors call it), ours
        (the contribution method here that it is, or empty), layer, value (mean over examples), deviation (the authors'
        ±).
    """
    rows = pd.read_csv(Path(__file__).with_suffix(".tsv"), sep="\t", keep_default_na=False)
    return rows.astype({"value": "float64", "deviation": "float64"})
