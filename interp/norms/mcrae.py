"""McRae, Cree, Seidenberg & McNorgan (2005): 541 concepts, features that at least 5 of 30 people produced."""

import pandas as pd

from interp import datasets
from interp.errors import InputError
from interp.norms.normset import NormSet, lemma_of, settled_taxonomy

FILE = "CONCS_FEATS_concstats_brm.txt"


def load() -> NormSet:
    """The 541 x 2,526 matrix of production frequencies (`Prod_Freq`, out of 30).

    Two (concept, feature) pairs occur twice in the file and are summed (PROTOCOL 2). A feature's kind is its
    `BR_Label`; six features carry more than one, and take their most frequent.
    """
    rows = _rows()
    matrix = rows.pivot_table(index="Concept", columns="Feature", values="value", aggfunc="sum", fill_value=0.0)
    kinds = rows.groupby("Feature")["BR_Label"].agg(lambda labels: labels.mode().iloc[0])
    concepts = tuple(matrix.index)
    return NormSet(
        "mcrae",
        concepts,
        tuple(map(lemma_of, concepts)),
        tuple(matrix.columns),
        matrix.to_numpy(dtype=float),
        settled_taxonomy(_superordinates(rows, concepts)),
        tuple(kinds.loc[matrix.columns]),
        "production frequency (of 30)",
        datasets.DATASETS["mcrae"].citation,
        datasets.DATASETS["mcrae"].licence,
    )


def _rows() -> pd.DataFrame:
    with datasets.reading("mcrae", FILE) as content:
        rows = pd.read_csv(content, sep="\t", dtype=str, keep_default_na=False)
        missing = {"Concept", "Feature", "WB_Label", "BR_Label", "Prod_Freq"} - set(rows.columns)
        if missing or rows.empty:
            raise InputError(f"mcrae: {FILE} lacks {f'the columns {sorted(missing)}' if missing else 'any row'}")
        rows["value"] = pd.to_numeric(rows["Prod_Freq"]).astype(float)
    return rows


def superordinates() -> dict[str, dict[str, float]]:
    """By concept: its features with `WB_Label` *superordinate*, with their production frequencies.

    The taxonomic `BR_Label`, which becomes a feature's kind, also holds coordinates and subordinates (PROTOCOL 2).
    """
    rows = _rows()
    rows = rows[rows["WB_Label"] == "superordinate"]
    found: dict[str, dict[str, float]] = {}
    for row in rows.itertuples():
        found.setdefault(str(row.Concept), {})[str(row.Feature)] = float(row.value)
    return found


def _superordinates(rows: pd.DataFrame, concepts: tuple[str, ...]) -> list[str]:
    """Each concept's most frequent superordinate among those that two concepts share; ``""`` if it has none.

    Of two named equally often, the one more concepts share comes first, then the alphabet.
    """
    superordinate = rows[rows["WB_Label"] == "superordinate"].copy()
    superordinate["sharing"] = superordinate.groupby("Feature")["Concept"].transform("nunique")
    shared = superordinate[superordinate["sharing"] >= 2].sort_values(
        ["value", "sharing", "Feature"], ascending=[False, False, True]
    )
    best = shared.drop_duplicates("Concept").set_index("Concept")["Feature"]
    return [str(best.get(concept, "")) for concept in concepts]
