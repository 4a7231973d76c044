"""Chapters: in their committed form, executed on `smoke`, the same bytes twice, bad input in one line."""

import ast
import os
import re

import nbformat
import pytest
import yaml
from nbclient import NotebookClient

from interp import archive
from interp.errors import InputError
from interp.report import chapters
from interp.subjects import SUBJECTS
from scripts import canonical
from tests.conftest import ROOT
from tests.smoke import ONE_PROCESS, cells, execute, files, record


def test_every_chapter_is_in_canonical_form():
    for path in (ROOT / "notebooks").glob("*.md"):
        assert canonical.canonical(path.read_text(encoding="utf-8")) == path.read_text(encoding="utf-8"), path


def test_the_table_of_contents_holds_every_chapter():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    files = {c["file"] for part in toc["parts"] for c in part["chapters"]}
    assert {f"book/chapters/{name}" for name in chapters.names()} <= files


@pytest.mark.parametrize("name", chapters.names())
def test_chapters_are_short_cells_that_define_next_to_nothing(name):
    cells = [c for c in chapters.read(name).cells if c.cell_type == "code"]
    for cell in cells:
        tree = ast.parse(cell.source)
        assert len(tree.body) <= 16 or "parameters" in cell.metadata.get("tags", []), cell.source
        assert not any(isinstance(node, ast.ClassDef) for node in ast.walk(tree))
    assert chapters.parameters(name), "a chapter has parameters"
    assert "report.end(" in cells[-1].source, "a chapter ends with its provenance"


@pytest.mark.parametrize("name", chapters.names())
def test_what_a_chapter_takes_by_default_comes_with_the_package(name):
    defaults = chapters.parameters(name)
    named = {"subject", "norms", "norm_set", "corpus", "contexts", "positions_corpus", "device"} & set(defaults)
    together = {x for k in named for x in (defaults[k] if isinstance(defaults[k], list) else [defaults[k]])}
    assert together <= {"minilm", "everyday", "plain", "contexts", "cpu"}


@pytest.mark.slow
def test_a_chapter_runs_from_top_to_bottom_in_jupyter(monkeypatch, tmp_path):
    """Opened where it lies, with its own defaults, without Papermill."""
    monkeypatch.setenv("INTERP_VIEWS", str(tmp_path / "views"))
    notebook = chapters.read("subjects-and-norms")
    place = {"metadata": {"path": str(ROOT / "notebooks")}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place).execute()
    shown = "".join(o.data.get("text/html", "") for c in notebook.cells for o in c.get("outputs", []) if "data" in o)
    assert 'class="interp-provenance"' in shown
    assert 'role="img"' in shown


@pytest.mark.slow
@ONE_PROCESS
@pytest.mark.parametrize("name", chapters.names())
def test_executes_on_smoke_with_figures_numbers_and_provenance(executed, name):
    page = nbformat.read(executed / "chapters" / f"{name}.ipynb", as_version=4)
    outputs = [o for c in page.cells for o in c.get("outputs", [])]
    assert not [o for o in outputs if o.output_type in ("error", "stream")]
    pages = "".join(o.data.get("text/html", "") for o in outputs if "data" in o)
    assert "interp-provenance" in pages
    assert 'role="img" aria-label="' in pages or name == "references"
    glued = {o.metadata["scrapbook"]["name"] for o in outputs if "scrapbook" in o.get("metadata", {})}
    text = (ROOT / "notebooks" / f"{name}.md").read_text(encoding="utf-8")
    used = {key.split(":")[0] for key in re.findall(r"\{glue:text\}`([^`]+)`", text)}
    assert used <= glued
    assert set(page.metadata) == {"kernelspec", "language_info"}
    assert [c.id for c in page.cells] == [f"cell-{i:03d}" for i in range(len(page.cells))]


@pytest.fixture
def elsewhere(executed, kernels, monkeypatch, tmp_path):
    """The results of `executed` in a store that an archive brought, where the subject's package has no weights."""
    monkeypatch.setenv("INTERP_RESULTS", str(executed / "results"))
    packed = executed / "results.zip"
    if not packed.exists():
        archive.pack(packed)
    monkeypatch.setenv("INTERP_RESULTS", str(tmp_path / "results"))
    archive.unpack(packed)
    package = tmp_path / "without" / str(SUBJECTS["minilm"].package)
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(package.parent), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("JUPYTER_PATH", str(kernels))
    return tmp_path


@pytest.mark.slow
@ONE_PROCESS
@pytest.mark.parametrize("name", chapters.names())
def test_a_replay_from_an_archive_needs_no_model_and_differs_in_nothing_but_the_clock(executed, elsewhere, name):
    before = files(elsewhere / "results")
    execute(elsewhere, os.environ["JUPYTER_PATH"], [name])
    for a, b in zip(cells(executed, name)[:-1], cells(elsewhere, name)[:-1], strict=True):
        assert a.source == b.source
        assert a.get("outputs") == b.get("outputs")
    again = record(elsewhere, name)
    # What a study computes by way of another one is not asked for again.
    assert again["replayed"] == again["stored"] <= record(executed, name)["stored"]
    assert (again["stored"] > 0) == (name != "everyday")  # which shows a table of this repository and computes nothing
    assert files(elsewhere / "results") == before


@pytest.mark.slow
@ONE_PROCESS
def test_where_there_is_neither_model_nor_result_a_line_says_so(elsewhere, monkeypatch):
    monkeypatch.setenv("INTERP_RESULTS", str(elsewhere / "none"))
    with pytest.raises(InputError, match=r"chapter residual-mixing: cannot get .*MiniLM"):
        chapters.execute("residual-mixing", {"texts": 3}, elsewhere / "x.ipynb")


@pytest.mark.slow
@ONE_PROCESS
def test_bad_input_inside_a_chapter_is_its_line(kernels, monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTER_PATH", str(kernels))
    line = "chapter residual-mixing: unknown contribution method 'nrom'; did you mean 'norm'"
    with pytest.raises(InputError, match=line):
        chapters.execute("residual-mixing", {"texts": 2, "methods": ["nrom"]}, tmp_path / "x.ipynb")
    assert not (tmp_path / "x.ipynb").exists()
