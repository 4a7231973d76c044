"""Supersenses from Princeton's files, in their own format, where the project's extract is not at hand."""

import hashlib
from dataclasses import replace

import pytest

from interp import datasets
from interp.errors import InputError
from interp.norms import wordnet

LICENCE = "  1 This software and database is being provided to you, the LICENSEE, by  \n"
INDEX = (
    LICENCE
    + """bat n 2 3 @ ~ + 2 2 00000200 00000300
ice_cream n 1 1 @ 1 0 00000400
man n 1 1 @ 1 1 00000500
"""
)
DATA = (
    LICENCE
    + """00000200 05 n 01 bat 0 001 @ 00000100 n 0000 | a flying mammal
00000300 06 n 01 bat 0 001 @ 00000100 n 0000 | a club
00000400 13 n 01 ice_cream 0 001 @ 00000100 n 0000 | frozen dessert
00000500 18 n 01 man 0 001 @ 00000100 n 0000 | an adult male
"""
)


@pytest.fixture
def princeton(tmp_path, monkeypatch):
    files = []
    for file, text in zip(datasets.DATASETS["wordnet31"].files, (INDEX, DATA), strict=True):
        path = tmp_path / "wordnet31" / file.name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        files.append(replace(file, sha256=hashlib.sha256(text.encode()).hexdigest()))
    monkeypatch.setitem(
        datasets.DATASETS._members, "wordnet31", replace(datasets.DATASETS["wordnet31"], files=tuple(files))
    )
    monkeypatch.setenv("INTERP_DATA", str(tmp_path))
    monkeypatch.setenv("INTERP_CACHE", str(tmp_path / "cache"))
    wordnet.princeton.cache_clear()
    wordnet._extract.cache_clear()
    yield
    wordnet.princeton.cache_clear()
    wordnet._extract.cache_clear()


@pytest.mark.usefixtures("princeton")
def test_the_first_noun_sense_decides():
    found = wordnet.supersenses("buchanan", ["bat_animal", "bats", "men", "ice cream", "quickly"])
    assert found == {
        "bat_animal": "noun.animal",
        "bats": "noun.animal",
        "men": "noun.person",
        "ice cream": "noun.food",
    }


def test_with_neither_edition_one_line_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERP_DATA", str(tmp_path))
    monkeypatch.setenv("INTERP_CACHE", str(tmp_path / "cache"))
    wordnet._extract.cache_clear()
    with pytest.raises(InputError, match="interp fetch wordnet31"):
        wordnet.supersenses("buchanan", ["bat"])


def test_what_buchanan_asks_for_is_fetched_with_it():
    assert datasets.DATASETS["buchanan"].also == ("wordnet31",)
    assert all(file.url for file in datasets.DATASETS["wordnet31"].files)
