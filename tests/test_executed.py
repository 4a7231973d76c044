"""What pages take over from executed chapters; figures say what drew them, and are the same bytes twice."""

import inspect
import re

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml

from interp.errors import InputError
from interp.report import chapters, contents, drawn, executed, figures, page, provenance, style, svg
from tests.conftest import ROOT

V4 = nbformat.v4


@pytest.fixture
def map_figure():
    with plt.rc_context():
        style.apply()
        yield lambda: figures.token_map(np.array([[0.9, 0.8], [0.5, 0.4]]), ["one", "two"])
    plt.close("all")


def notebook(path, *outputs):
    cells = [V4.new_code_cell(outputs=[V4.new_output("display_data", data)]) for data in outputs]
    nbformat.write(V4.new_notebook(cells=cells), path)
    return path


def test_every_figure_function_notes_its_lines(map_figure):
    for name in figures.__all__:
        assert hasattr(getattr(figures, name), "__wrapped__"), f"{name} is not decorated with @drawn"
    link = drawn.source_link(map_figure())
    path, first, last = re.search(r"/blob/[0-9a-f]{40}/(\S+)#L(\d+)-L(\d+)$", link).groups()
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()[int(first) - 1 : int(last)]
    assert "\n".join(lines).strip() == inspect.getsource(figures.token_map.__wrapped__).strip()
    assert drawn.source_link(plt.figure()) is None


def test_a_figure_is_the_same_bytes_twice(map_figure):
    assert svg.inline(map_figure(), "map", "words") == svg.inline(map_figure(), "map", "words")


def test_the_repository_is_told_once():
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert drawn.address() == config["repository"]["url"] == citation["repository-code"]


def test_a_figure_is_found_by_its_key(tmp_path, map_figure, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda content: shown.append(content.data))
    page.show_figure(map_figure(), "map", alt="words", caption="A < B.")
    path = notebook(tmp_path / "x.ipynb", {"text/html": "<p>before</p>"}, {"text/html": shown[0]})
    found = executed.figure(path, "map")
    assert found == shown[0]
    assert "A &lt; B." in found
    assert 'class="interp-source" href="https://' in found
    with pytest.raises(InputError, match="has no figure 'other'"):
        executed.figure(path, "other")


def test_the_execution_page_tells_every_run(tmp_path):
    _, record = provenance.provenance({"subject": "minilm"}, 12.0)
    for name in ("first", "second"):
        notebook(tmp_path / f"{name}.ipynb", {"text/html": "<p></p>", provenance.MIME: record})
    runs = executed.records(tmp_path)
    content = executed.execution_html(runs, {"second": "The < second", "first": "The first"})
    assert content.index("The &lt; second") < content.index('chapters/first.html">The first<')
    assert "executed in 0.4 minutes in all" in content
    for told in (record["commit"], record["machine"], *record["versions"].values()):
        assert told in content
    notebook(tmp_path / "third.ipynb", {"text/html": "<p></p>"})
    with pytest.raises(InputError, match=r"third\.ipynb has no provenance"):
        executed.records(tmp_path)


def test_chapters_have_titles_and_an_order():
    assert sorted(contents.chapters()) == chapters.names()
    assert chapters.title("residual-mixing") == "Residual mixing"


def test_intervals_and_short_names_stay_on_one_line():
    table = pd.DataFrame(
        {"control": ["shuffle-rows", 30 * "x"], "score": ["0.53 [-0.46, 0.61], p = 1", "see [a, b, c]"]}
    )
    shown = page.table_html(table, "k", caption="c")
    assert "0.53 [-0.46,\N{NO-BREAK SPACE}0.61], p = 1" in shown
    assert "see [a, b, c]" in shown
    assert '<th scope="row" class="short">shuffle-rows</th>' in shown
    assert shown.count('class="short"') == 1
