"""Nothing that is read can run code (no pickles, no remote code, safe YAML), and no text of a user becomes markup."""

import ast
import json
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from interp import cli, subjects
from interp.errors import InputError
from interp.report import svg, views
from interp.report.page import table_html
from scripts.browser import browser
from tests import bad_inputs, tiny
from tests.conftest import ROOT

SOURCES = sorted(p for folder in ("interp", "scripts", "benchmarks") for p in (ROOT / folder).rglob("*.py"))
CHAPTERS = sorted((ROOT / "notebooks").glob("*.md"))

MODULES = {"pickle", "cloudpickle", "dill", "shelve", "marshal", "joblib", "jsonpickle", "xmlrpc", "telnetlib"}
CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.load", "torch.hub.load", "pd.read_pickle",
    "yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "yaml.unsafe_load_all", "zipfile.extractall",
    "subprocess.getoutput", "subprocess.getstatusoutput",
}  # fmt: skip
METHODS = {"extractall", "read_pickle", "to_pickle"}
KEYWORDS = {"trust_remote_code", "shell", "allow_pickle", "unsafe"}
"""Keyword arguments that may only be False."""


def unsafe(tree):
    """What in a module could run what it reads, as (line, what)."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, a.name) for a in node.names if a.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.lineno, node.module)] * ((node.module or "").split(".")[0] in MODULES)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            last = called.rsplit(".", 1)[-1]
            if called in CALLS or last in METHODS or (called in ("np.load", "numpy.load")):
                found.append((node.lineno, called))
            if called == "yaml.compose" and "Loader=yaml.SafeLoader" not in ast.unparse(node):
                found.append((node.lineno, called))
            found += [
                (node.lineno, f"{k.arg}={ast.unparse(k.value)}")
                for k in node.keywords
                if k.arg in KEYWORDS and ast.unparse(k.value) != "False"
            ]
            if (
                called.startswith("subprocess.")
                and node.args
                and isinstance(node.args[0], (ast.JoinedStr, ast.Constant))
            ):
                found.append((node.lineno, f"{called} of a line"))
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_module_can_run_what_it_reads(path):
    assert unsafe(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_no_chapter_can_run_what_it_reads(path):
    import jupytext

    code = [c.source for c in jupytext.read(path).cells if c.cell_type == "code"]
    assert unsafe(ast.parse("\n".join(code))) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle", "from joblib import load", "import dill as d", "eval(x)", "torch.load(p)", "np.load(p)",
        "yaml.load(t)",
        "f(x, trust_remote_code=True)", "subprocess.run(x, shell=True)", "subprocess.run(f'rm {x}')", "z.extractall()",
        "pd.read_pickle(p)", "yaml.compose(t)", "exec(compile(x, 'a', 'exec'))", "f(x, trust_remote_code=given)",
    ],
)  # fmt: skip
def test_what_could_is_found(line):
    assert unsafe(ast.parse(line))


def test_every_model_is_loaded_without_code_of_its_own():
    tree = ast.parse((ROOT / "interp" / "subjects" / "catalogue.py").read_text())
    loads = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".from_pretrained")
    ]
    assert len(loads) == 3
    for node in loads:
        told = {k.arg: ast.unparse(k.value) for k in node.keywords}
        assert told["trust_remote_code"] == "False"
        assert told["local_files_only"] == "True"
    assert "use_safetensors=True" in ast.unparse(tree)


@pytest.mark.parametrize("family", ["gpt2", "bert"])
def test_code_beside_a_known_family_is_never_run(family, tiny_folders, tmp_path, monkeypatch):
    """A model that transformers knows itself loads by its own class, whatever its configuration points to."""
    import shutil

    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_folders[family], tmp_path / "model")
    bad_inputs.code(tmp_path / "model")
    own = json.loads((tiny_folders[family] / "config.json").read_text())
    bad_inputs.config(model_type=own["model_type"])(tmp_path / "model")
    try:
        loaded = subjects.load("model")
    except InputError:
        loaded = None
    if loaded is not None:
        assert type(loaded.model).__module__.startswith("transformers.")
    assert not list(tmp_path.rglob("executed"))
    assert "modeling_own" not in " ".join(sys.modules)


def test_yaml_of_the_table_of_contents_makes_no_objects(tmp_path):
    from interp.report import yaml_lines

    text = "chapters:\n  a: !!python/object/apply:os.system ['touch executed']\n"
    assert yaml_lines.block(text, "x.yml", "chapters")
    with pytest.raises(yaml.YAMLError):
        yaml.safe_load(text)
    assert not list(tmp_path.rglob("executed"))


HOSTILE = (
    "<script>window.hurt=1</script>\"><img src=x onerror=window.hurt=1>'--><svg onload=window.hurt=1> ]]> {{ x }} "
    "</script></style></title><iframe srcdoc='<script>parent.hurt=1</script>'> `a` $(b) &lt;script&gt; javascript:hurt"
)
"""What a user may have written wherever text is asked for."""


@pytest.fixture
def traced(tmp_path, monkeypatch):
    """What `interp trace` and `interp attend` write of a hostile text, by name."""
    monkeypatch.chdir(tmp_path)
    model = tiny.folder("bert", tmp_path / "<img src=x onerror=hurt=1>", positions=400)
    for command, files in {"trace": ("t.svg", "t.html"), "attend": ("a.svg", "a.html")}.items():
        arguments = ["--subject", model.name, "--text", HOSTILE, "--out", files[0], "--html", files[1]]
        monkeypatch.setattr(sys, "argv", ["interp", command, *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 0
    return {name: tmp_path / name for name in ("t.svg", "t.html", "a.svg", "a.html")}


def visited(chromium, path):
    """A page of Chromium after it has had time to run what it would run."""
    opened = chromium.new_page()
    opened.goto(path.as_uri())
    opened.wait_for_load_state()
    opened.wait_for_timeout(200)
    return opened


@pytest.mark.book
def test_what_the_command_line_writes_runs_nothing_of_a_text(traced):
    with browser() as chromium:
        for path in traced.values():
            opened = visited(chromium, path)
            assert opened.evaluate("window.hurt") is None, path.name
            if path.suffix == ".html":
                assert opened.locator("img").count() == 0, path.name
                assert "<img" in opened.title(), "the subject's name is shown as it is"


@pytest.mark.book
def test_tables_figures_and_frames_show_text_as_text(tmp_path):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(20, 3))
    axes.set_title(HOSTILE.replace("$", ""), fontsize=4)
    drawn = svg.inline(figure, "x", HOSTILE) + svg.standalone(figure, HOSTILE).split("?>", 1)[1]
    plt.close(figure)
    table = pd.DataFrame({HOSTILE: [HOSTILE], "value": [1.0]})
    parts = [
        drawn,
        table_html(table, "t", caption=HOSTILE),
        views.frame_html("x", title=HOSTILE, height=9, caption=HOSTILE),
    ]
    rounds = [{"tokens": [HOSTILE], "note": HOSTILE, "maps": [{"label": HOSTILE, "cells": np.eye(1)}] * 2}]
    maps = [torch.ones(1, 2, 2)]
    pages = {
        "parts": views.page(HOSTILE, "".join(parts)),
        "game": views.game_page(rounds, HOSTILE, HOSTILE),
        "view": views.attention_page(maps, [HOSTILE, "b"], HOSTILE, layers=[1], standalone=True),
    }
    with browser() as chromium:
        for name, content in pages.items():
            (tmp_path / f"{name}.html").write_text(content, encoding="utf-8")
            opened = visited(chromium, tmp_path / f"{name}.html")
            assert opened.evaluate("window.hurt") is None, name
            assert opened.locator("img").count() == 0, name


@pytest.mark.book
def test_a_page_of_a_hostile_fork_runs_nothing(tmp_path):
    """Its heading and its note, built into a page by the program that builds the book."""
    from interp.report import forks

    title = f"{HOSTILE[:90]} {{{{glue}}}} {{eval-rst}}`x` ```{{raw}} html"
    note = forks.escaped(HOSTILE)
    (tmp_path / "index.md").write_text(
        f"# {forks.escaped(title)}\n\n:::{{note}}\nWith {note}.\n:::\n", encoding="utf-8"
    )
    config = "extensions = ['myst_nb']\nmyst_enable_extensions = ['colon_fence', 'dollarmath', 'substitution']\n"
    (tmp_path / "conf.py").write_text(config)
    from sphinx.cmd.build import build_main

    assert build_main(["-q", "-b", "html", str(tmp_path), str(tmp_path / "html")]) == 0
    with browser() as chromium:
        opened = visited(chromium, tmp_path / "html" / "index.html")
        assert opened.evaluate("window.hurt") is None
        assert opened.locator("h1 img, h1 svg, .admonition img, .admonition svg, iframe").count() == 0
        shown = opened.locator("h1").first.inner_text()
        assert "<script>window.hurt=1</script>" in shown
        assert "{eval-rst}" in shown
