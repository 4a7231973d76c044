"""The loaders, on the package's own norms and on tables made for the purpose; the real ones are in test_data.py."""

import numpy as np
import pytest

from interp.errors import InputError
from interp.norms import NORMS, NormSet, describe, load
from interp.norms.normset import lemma_of, settled_taxonomy
from interp.norms.treatments import TREATMENTS, categorised

GOOD = """concept,feature,value,category
robin,has_wings,20,bird
robin,sings,12,bird
sparrow,has_wings,18,bird
car,has_wheels,25,vehicle
"""
BATS = """concept	feature	value	kind	lemma
bat_(animal)	flies	9	motion	bat
bat_(club)	is_long	8	form	bat
"""


@pytest.fixture
def table(tmp_path):
    def write(text, name="mine.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_own_table_becomes_a_matrix(table):
    norms = load(table(GOOD))
    assert norms.concepts == ("car", "robin", "sparrow")
    assert norms.features == ("has_wheels", "has_wings", "sings")
    assert norms.values.tolist() == [[25, 0, 0], [0, 20, 12], [0, 18, 0]]
    assert norms.taxonomy == ("uncategorised", "bird", "bird")  # a category of one is none
    assert norms.kinds is None


def test_tab_separated_with_kinds_and_lemmas(table):
    norms = load(table(BATS, "x.tsv"))
    assert norms.lemmas == ("bat", "bat")
    assert norms.kinds == ("motion", "form")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("concept,feature\nrobin,sings\n", "lacks the column value"),
        ("a,b,c\n1,2,3\n", "lacks the columns concept, feature, value"),
        (GOOD + "robin,sings,3,bird\n", r"line 6: the pair \(robin, sings\) occurs twice"),
        (GOOD + "wren,sings,lots,bird\n", "line 6: value 'lots' is not a finite number"),
        (GOOD + "wren,sings,inf,bird\n", "is not a finite number"),
        (GOOD + ",sings,3,bird\n", "line 6: the concept or the feature is empty"),
        (GOOD + "robin,flies,3,fish\n", "concept 'robin' has more than one category: 'bird', 'fish'"),
        ("", "is no table of norms"),
        ("concept,feature,value\n", "no rows"),
        ('concept,feature,value\n"robin,sings,3\n', "is no table of norms"),
    ],
)
def test_a_malformed_table_is_refused_with_its_place(table, text, message):
    with pytest.raises(InputError, match=message) as caught:
        load(table(text))
    assert "mine.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_names_and_files(tmp_path):
    with pytest.raises(InputError, match="did you mean 'mcrae'"):
        load("mcray")
    with pytest.raises(InputError, match="no file of norms"):
        load(str(tmp_path / "none.csv"))
    (tmp_path / "norms.xlsx").write_text("x")
    with pytest.raises(InputError, match=r"ends in \.csv or \.tsv"):
        load(str(tmp_path / "norms.xlsx"))
    (tmp_path / "latin.csv").write_bytes("concept,feature,value\ncaf\xe9,hot,3\n".encode("latin-1"))
    with pytest.raises(InputError, match="no table of norms"):
        load(str(tmp_path / "latin.csv"))


def test_real_norms_that_are_nowhere_say_how_to_get_them(monkeypatch):
    monkeypatch.delenv("INTERP_DATA", raising=False)
    for name in ("mcrae", "buchanan", "binder"):
        with pytest.raises(InputError, match=f"run `interp fetch {name}` or set INTERP_DATA"):
            load(name)


def test_a_truncated_file_has_the_wrong_checksum(monkeypatch, tmp_path):
    monkeypatch.setenv("INTERP_DATA", str(tmp_path))
    (tmp_path / "mcrae").mkdir()
    (tmp_path / "mcrae" / "CONCS_FEATS_concstats_brm.txt").write_bytes(b"Concept\tFeature\n")
    with pytest.raises(InputError, match="wrong checksum"):
        load("mcrae")


def test_a_broken_gzip_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("INTERP_DATA", str(tmp_path))
    (tmp_path / "mcrae").mkdir()
    (tmp_path / "mcrae" / "CONCS_FEATS_concstats_brm.txt.gz").write_bytes(b"not gzip")
    with pytest.raises(InputError, match=r"cannot read .*brm.txt.gz"):
        load("mcrae")


def test_lemmas():
    assert lemma_of("bat_(animal)") == "bat"
    assert lemma_of("Tape_Measure") == "tape measure"
    assert lemma_of("listened to") == "listened to"


def test_categories_of_one_are_none():
    assert settled_taxonomy(["a", "b", "a", ""]) == ("a", "uncategorised", "a", "uncategorised")


def test_a_normset_checks_itself():
    values = np.eye(2)
    ok = {"name": "x", "concepts": ("a", "b"), "lemmas": ("a", "b"), "features": ("f", "g"), "values": values}
    rest = {"taxonomy": ("", ""), "kinds": None, "unit": "", "citation": "", "licence": ""}
    NormSet(**ok, **rest)
    for change, message in [
        ({"values": np.ones((3, 2))}, "2 concepts x 2 features"),
        ({"concepts": ("a", "a")}, "'a' occurs twice"),
        ({"lemmas": ("a",)}, "one lemma"),
        ({"values": np.array([[1, np.nan], [0, 1]])}, r"value of \(a, g\)"),
    ]:
        with pytest.raises(InputError, match=message):
            NormSet(**{**ok, **change}, **rest)


def test_checksum_sees_every_part(table):
    base = load(table(GOOD)).checksum
    assert load(table(GOOD)).checksum == base
    for changed in (GOOD.replace("25", "24"), GOOD.replace("sparrow", "wren"), GOOD.replace("bird", "fowl")):
        assert load(table(changed)).checksum != base


def test_subset_keeps_rows_and_drops_features_nobody_carries(table):
    some = load(table(GOOD)).subset(np.array([1, 2]))
    assert some.concepts == ("robin", "sparrow")
    assert some.features == ("has_wings", "sings")


def test_everyday_has_the_form_of_mcraes_norms():
    norms = NORMS["everyday"]()
    assert len(norms.concepts) >= 100
    assert norms.values[norms.values > 0].min() >= 5
    assert norms.values.max() <= 30
    assert norms.kinds is not None
    assert describe(norms)["concepts"] == len(norms.concepts)
    assert not norms.dense


def of_values(values):
    n, m = values.shape
    words = tuple(f"w{i}" for i in range(n))
    features = tuple(f"f{j}" for j in range(m))
    return NormSet("x", words, words, features, values, ("a",) * n, None, "value", "nobody", "free")


def test_forms_of_the_targets():
    values = np.zeros((3, 12))
    values[0, 4], values[1, 1], values[1, 2] = 7, 20, 12
    norms = of_values(values)
    assert TREATMENTS["raw"](norms) is norms
    assert np.array_equal(TREATMENTS["binary"](norms).values, values > 0)
    unit = TREATMENTS["unit-row"](norms).values
    assert np.allclose(np.linalg.norm(unit, axis=1), [1, 1, 0])
    assert np.allclose(unit[1], values[1] / np.hypot(20, 12))
    with pytest.raises(InputError, match="did you mean 'unit-row'"):
        TREATMENTS["unit-rows"]


def test_dense_ratings_become_binary_about_the_features_median():
    values = np.array([[1.0, 6.0], [2.0, 5.0], [3.0, 4.0]])
    assert TREATMENTS["binary"](of_values(values)).values.tolist() == [[0, 1], [0, 0], [1, 0]]


def test_only_the_categorised_are_left(table):
    assert categorised(load(table(GOOD))).concepts == ("robin", "sparrow")
