"""Chapters at full size: what is kept of a run, and what a page shows of it, there or not, or of this size."""

import re
import sys

import pytest
import yaml

from interp import claims, reference
from interp.claims import ledger
from interp.errors import InputError
from interp.report import chapters, full_size, svg
from tests.conftest import ROOT

SMALL = 150_000
"""Bytes that an entry may have."""

CHAPTER = """# A toy

```{code-cell}
:tags: [parameters]

subject = "minilm"
texts = 3
```

```{code-cell}
from matplotlib.figure import Figure
from interp import claims, report

report.begin()
figure = Figure()
axes = figure.subplots()
axes.plot([0, texts], [0, 1], clip_on=True)
report.show_figure(figure, "line", alt="A line.", caption="A line.")
found = claims.Verdict("holds", 0.1 * texts, 0.1, 0.4, 0.95)
bodies = {subject: {"A1-norm-cumulated": found}, f"{subject}:random": {"A1-norm-cumulated": found}}
report.show_verdicts(bodies, data="plain", caption="Verdicts.")
report.glue(n_texts=texts, share=texts / 7, word="yes", none=float("nan"))
```

```{code-cell}
report.show_reference("residual-mixing", subject=subject, texts=texts)
report.end(subject=subject, texts=texts)
```
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A checkout with one chapter, which goes by the name of one that is run at full size."""
    for folder in ("notebooks", "config"):
        (tmp_path / folder).mkdir()
    header = (ROOT / "notebooks" / "residual-mixing.md").read_text(encoding="utf-8").split("# Residual")[0]
    (tmp_path / "notebooks" / "residual-mixing.md").write_text(header + CHAPTER, encoding="utf-8")
    (tmp_path / "_config.yml").write_text((ROOT / "_config.yml").read_text(encoding="utf-8"), encoding="utf-8")
    profile = {
        "description": "large",
        "parameters": {"subject": "minilm"},
        "chapters": {"residual-mixing": {"texts": 5}},
    }
    (tmp_path / "config" / "norms.yml").write_text(yaml.safe_dump(profile))
    monkeypatch.setenv("INTERP_ROOT", str(tmp_path))
    monkeypatch.setenv("INTERP_REFERENCE", str(tmp_path / "reference"))
    shown = full_size.Shown(("line",), {"n_texts": "texts", "word": "a word", "none": "nothing", "share": "a share"})
    monkeypatch.setattr(full_size, "plan", lambda: {"residual-mixing": shown})
    return tmp_path


@pytest.mark.slow
def test_a_run_is_kept_and_shown_beside_a_build(toy, monkeypatch):
    found = claims.Verdict("holds", 0.3, 0.1, 0.4, 0.95)
    bodies = {name: {"A1-norm-cumulated": found} for name in ("minilm", "minilm:random")}
    judged = ledger.records(bodies, data="plain")
    named = {"n_texts": 3, "share": 3 / 7, "word": "yes", "none": float("nan")}
    assert "has not been computed at full size yet" in full_size.section("residual-mixing", named, judged, {"texts": 3})

    where = full_size.make("residual-mixing")
    assert where == toy / "reference" / "chapters" / "minilm-residual-mixing"
    meta = reference.meta("chapters", "minilm-residual-mixing")
    assert (meta["parameters"], meta["profile"]) == ({"subject": "minilm", "texts": 5}, "norms")
    assert meta["command"] == "make reference ONLY=chapter-residual-mixing"
    assert sorted(meta["files"]) == ["line.html", "numbers.parquet", "verdicts.parquet"]
    numbers = reference.load("chapters", "numbers").set_index("name")
    assert set(numbers.index) == {"n_texts", "share", "word", "none"}, "the run's own cost is left out"
    assert numbers.loc["share", "value"] == pytest.approx(5 / 7)

    page = full_size.section("residual-mixing", named, judged, {"subject": "minilm", "texts": 3})
    assert '<th scope="row">texts</th><td>3</td><td>5</td>' in page
    assert page.count("<td>holds: 0.30 [0.10, 0.40]</td><td>holds: 0.50 [0.10, 0.40]</td>") == 1, "twins are left out"
    assert "<td>0.43</td><td>0.71</td>" in page
    assert "<td>yes</td><td>yes</td>" in page
    assert "<td>–</td><td>–</td>" in page
    drawn = reference.text("chapters", "minilm-residual-mixing", "line.html")
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert not set(ids) & set(re.findall(r'\bid="([^"]+)"', drawn)), "both figures can stand on one page"
    assert set(re.findall(r'(?:url\(|href=")#([^)"]+)', page)) <= set(ids)

    same = full_size.section("residual-mixing", named, judged, {"subject": "minilm", "texts": 5})
    assert "This build has the size of that run" in same
    assert "<svg" not in same
    known = ledger.of_reference()
    assert known[["reading", "subject", "data", "source"]].to_numpy().tolist() == [
        ["A1-norm-cumulated", subject, "plain", "reference"] for subject in ("minilm", "minilm:random")
    ]

    fresh = {table: reference.load("chapters", table) for table in ("numbers", "verdicts")}
    monkeypatch.setattr(full_size, "_executed", lambda *_: (fresh, {}, {}))
    assert full_size.again("minilm-residual-mixing").ok
    fresh["verdicts"].loc[0, "outcome"] = "fails"
    assert not full_size.again("minilm-residual-mixing").ok


def test_ids_and_references_go_together():
    drawn = (
        '<g id="a" clip-path="url(#b)"><use xlink:href="#b"/><use href="#b"/></g><a href="https://x.org/f.py#L1">x</a>'
    )
    assert svg.prefixed(drawn, "p") == (
        '<g id="p-a" clip-path="url(#p-b)"><use xlink:href="#p-b"/><use href="#p-b"/></g><a href="https://x.org/f.py#L1">x</a>'
    )


@pytest.mark.parametrize("chapter", full_size.plan())
def test_what_is_shown_is_in_the_chapter(chapter):
    text = chapters.source(chapter).read_text(encoding="utf-8")
    assert f'report.show_reference("{chapter}"' in text or f'report.show_reference(\n    "{chapter}"' in text
    shown = full_size.plan()[chapter]
    for key in shown.figures:
        assert f'"{key}",' in text
    for name in shown.numbers:
        assert re.search(rf"\b{name}=", text), f"{chapter} glues no {name}"
    profile = yaml.safe_load((ROOT / "config" / f"{full_size.PROFILE}.yml").read_text())
    assert chapter in profile["chapters"]


def test_the_committed_chapters_are_small():
    for entry in reference.entries(full_size.NAME):
        assert reference.meta(full_size.NAME, entry)["profile"] == full_size.PROFILE
        folder = reference.folder() / full_size.NAME / entry
        assert sum(path.stat().st_size for path in folder.iterdir()) < SMALL, entry


def test_a_chapter_without_its_texts_is_one_line(monkeypatch, tmp_path, capsys):
    from scripts import reference as script

    monkeypatch.delenv("INTERP_DATA", raising=False)
    monkeypatch.setenv("INTERP_REFERENCE", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["reference.py", "--only", "chapter-residual-mixin"])
    assert script.main() == 2
    assert "did you mean 'chapter-residual-mixing'?" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"has no x\.html|no reference result"):
        reference.text("chapters", "minilm-residual-mixing", "x.html")
