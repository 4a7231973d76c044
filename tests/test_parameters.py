"""Every parameter of every chapter says what it means, in one place, and an executed chapter shows it."""

import re
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from interp import cli
from interp.errors import InputError
from interp.report import chapters
from interp.report.parameters import MEANINGS, folded, rows


@pytest.mark.parametrize("chapter", chapters.names())
def test_every_parameter_of_a_chapter_has_a_meaning(chapter):
    known = chapters.parameters(chapter)
    told = rows(known)
    assert [r["parameter"] for r in told] == list(known)
    assert all(len(r["meaning"]) > 15 for r in told)


def test_no_meaning_is_left_of_a_parameter_that_is_gone():
    assert set(MEANINGS) == {name for chapter in chapters.names() for name in chapters.parameters(chapter)}


def test_a_name_without_a_meaning_is_refused():
    with pytest.raises(InputError, match="unknown parameter 'txts'; did you mean 'texts'"):
        rows({"txts": 3})


def test_what_is_shown_can_be_typed_again():
    for value in (None, 3, 0.5, "minilm", [1, 2], ["a", "b"]):
        shown = rows({"texts": value})[0]["default"]
        assert chapters.given([f"texts={shown}"]) == {"texts": value}


def test_the_table_stands_before_the_parameters_and_holds_text_as_text():
    cell = new_code_cell('subject = "minilm"', metadata={"tags": ["parameters"]})
    notebook = new_notebook(cells=[new_markdown_cell("# T"), cell, new_code_cell("x = 1")])
    chapters.show_parameters(notebook, {"subject": "minilm"}, {"subject": "<script>\n\n# x"})
    shown = chapters.canonical(notebook).cells
    assert [c.cell_type for c in shown] == ["markdown", "markdown", "code", "code"]
    assert shown[1].source.startswith('<details class="interp-parameters">')
    assert "\n" not in shown[1].source
    assert "&lt;script&gt; # x" in shown[1].source
    assert "<script>" not in shown[1].source
    assert MEANINGS["subject"] in re.sub("&#x27;", "'", shown[1].source)
    nbformat.validate(notebook)


def test_the_table_tells_what_differs_in_this_run():
    assert "<td>minilm</td><td>gpt2</td>" in folded({"subject": "minilm"}, {"subject": "gpt2"})


def test_interp_parameters_prints_them(capsys):
    for form in ([], ["--json"]):
        sys.argv = ["interp", "parameters", "attention-collapse", *form]
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 0
        out = capsys.readouterr().out
        assert "[1, 3, 6]" in out
        assert MEANINGS["view_layers"] in out
