"""The book for another subject lies in a folder of its own and leaves the default book alone."""

from pathlib import Path

import pytest
import yaml

from interp.errors import InputError
from interp.report import contents, editions
from tests import scratch
from tests.conftest import ROOT
from tests.tiny import folder


def test_only_a_subject_moves_the_book():
    default = editions.edition({"device": "cuda", "dtype": "bfloat16"})
    assert (default.source, default.chapters, default.html) == (Path(), Path("book/chapters"), Path("_build/html"))
    other = editions.edition({"subject": "org/Name@0123456789abcdef0123456789abcdef01234567"})
    home = Path("_build/books/org-name-0123456789")
    assert (other.chapters, other.html) == (home / "source/book/chapters", home / "html")
    for bad in (3, "", "///", ["gpt2"]):
        with pytest.raises(InputError, match="a short name"):
            editions.edition({"subject": bad})


def test_no_subject_leads_out_of_the_folder_of_books():
    for name in ("../../x", "/etc", "..", "html/../../..", "a\nb"):
        try:
            found = editions.edition({"subject": name}).html
        except InputError:
            continue
        assert found.parts[:2] == ("_build", "books")
        assert ".." not in found.parts


def test_forks_are_not_in_the_book_of_another_subject():
    content = yaml.safe_load(contents.with_fork((ROOT / "_toc.yml").read_text(), "mine"))
    assert content["parts"][-1]["caption"] == "Forks"
    assert contents.without_forks(content) == yaml.safe_load((ROOT / "_toc.yml").read_text())


TOC = "format: jb-book\nroot: book/start\nparts:\n  - caption: One\n    chapters:\n      - file: book/chapters/{}\n"
START = "# Start\n\nOf {{glue:text}}`chapters/{}.ipynb::subject_name:s`.\n\n```{{include}} chapters/ledger.txt\n```\n\n"
START += "```{{bibliography}}\n```\n"


def written(html):
    """Every page and figure of a built book, by its name."""
    return {
        p.relative_to(html): p.read_bytes() for p in html.rglob("*") if p.suffix in (".html", ".svg", ".js", ".json")
    }


@pytest.mark.slow
def test_make_book_for_a_subject(tmp_path):
    """A book of one chapter: the machinery is the same for all."""
    here, name = scratch.checkout(tmp_path / "checkout"), "token-identity"
    model = folder("gpt2", here / "small-gpt2", positions=200)
    settings = yaml.safe_load((here / "config" / "smoke.yml").read_text())
    settings |= {"parameters": {"subject": "minilm"}, "chapters": {name: settings["chapters"][name]}}
    (here / "config" / "one.yml").write_text(yaml.safe_dump(settings))
    (here / "_toc.yml").write_text(TOC.format(name))
    (here / "book" / "start.md").write_text(START.format(name))
    text = (here / "notebooks" / f"{name}.md").read_text().replace("[residual mixing](residual-mixing)", "another")
    (here / "notebooks" / f"{name}.md").write_text(text)
    before = scratch.status(here)

    done = scratch.run(f"make book PROFILE=one SUBJECT={model.name}", here)
    assert done.returncode == 0, done.stdout + done.stderr
    home = here / "_build" / "books" / "small-gpt2"
    assert f"make serve SUBJECT={model.name}" in done.stdout
    page = (home / "html" / "book" / "start.html").read_text(encoding="utf-8")
    assert "The book for <strong>small-gpt2</strong>" in page
    assert "small-gpt2" in (home / "html" / "book" / "chapters" / f"{name}.html").read_text(encoding="utf-8")
    assert 'data-outcome="not run"' in page
    assert (home / "source" / "book" / "chapters" / f"{name}.ipynb").is_file()
    assert not (here / "book" / "chapters").exists()
    assert not (here / "_build" / "html").exists()
    assert scratch.status(here) == before
    again = scratch.run(f"make book PROFILE=one SUBJECT={model.name}", here)
    assert "nothing to do" in again.stdout, again.stdout + again.stderr
    pages = written(home / "html")
    built = scratch.run(f"python scripts/pages.py --subject {model.name}", here, PYTHONHASHSEED="1")
    assert built.returncode == 0, built.stdout + built.stderr
    assert written(home / "html") == pages, "the same chapters give the same bytes, whatever the clock says"
    assert scratch.run(f"make -n serve SUBJECT={model.name}", here).returncode == 0
    where = scratch.run(f"python scripts/pages.py --where --subject {model.name}", here)
    assert here / where.stdout.strip() == home / "html"
    missing = scratch.run("make serve", here)
    assert missing.returncode != 0
    assert "there is no book in _build/html yet; run make book\n" in missing.stdout
