"""Pages of their own: they load nothing from elsewhere, are rounded and reproducible, and the game can be played."""

import hashlib
import json
import re

import numpy as np
import pytest
import torch

from interp.errors import InputError
from interp.report import views
from scripts.browser import browser
from tests.conftest import ROOT

TOKENS = ["[CLS]", "the", "<b>", "[SEP]"]


def maps(layers=3, heads=2, size=4):
    rng = torch.Generator().manual_seed(0)
    return [torch.randn(heads, size, size, generator=rng).softmax(dim=-1) for _ in range(layers)]


def test_vendored_scripts_are_those_of_the_readme():
    folder = ROOT / "book" / "_static" / "bertviz"
    told = dict(re.findall(r"\| `(\S+)` \|.*\| `([0-9a-f]{64})` \|", (folder / "README.md").read_text()))
    assert set(told) == set(views.SCRIPTS)
    for name, sha in told.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha
    assert {p.name for p in folder.glob("LICENSE-*")} == {"LICENSE-d3", "LICENSE-jquery", "LICENSE-bertviz"}


@pytest.mark.parametrize("standalone", [False, True])
def test_a_bertviz_page_loads_nothing_from_elsewhere(standalone):
    page = views.attention_page(maps(), TOKENS, "a <view>", layers=[1, 3], standalone=standalone)
    sources = re.findall(r'<script[^>]*\bsrc="([^"]+)"', page)
    assert sources == ([] if standalone else ["../bertviz/d3.min.js", "../bertviz/jquery.min.js"])
    assert not re.search(r"""<(script|link|img|iframe)[^>]*(src|href)=["']?(https?:)?//""", page)
    assert "cdnjs" not in page
    assert "<title>a &lt;view&gt;</title>" in page
    assert page == views.attention_page(maps(), TOKENS, "a <view>", layers=[1, 3], standalone=standalone)


def test_a_bertviz_page_holds_the_layers_asked_for_with_three_decimals():
    page = views.attention_page(maps(), TOKENS, "view", layers=[1, 3])
    params = json.loads(re.search(r"const params = (\{.*?\}); //", page, re.DOTALL).group(1))
    assert params["include_layers"] == [0, 2]
    shown = np.array(params["attention"][0]["attn"])
    assert shown.shape == (2, 2, 4, 4)
    assert np.abs(shown[1] - maps()[2].numpy()).max() <= 5.1e-4
    assert (np.round(shown, 3) == shown).all()
    assert params["attention"][0]["left_text"] == TOKENS


def test_views_go_where_the_run_says(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERP_VIEWS", str(tmp_path / "views"))
    path = views.write("x", "content")
    assert path == tmp_path / "views" / "x.html"
    assert path.read_text() == "content"
    assert list(path.parent.iterdir()) == [path]


def test_a_frame_has_a_title_and_waits_until_it_is_seen():
    frame = views.frame_html("x", title='maps of "it"', height=300, caption="What <one> sees.")
    assert 'loading="lazy"' in frame
    assert 'title="maps of &quot;it&quot;"' in frame
    assert 'src="../../_static/views/x.html"' in frame
    assert "What &lt;one&gt; sees." in frame


def test_without_bertviz_there_is_a_line(monkeypatch):
    monkeypatch.setattr(views, "find_spec", lambda _: None)
    with pytest.raises(InputError, match="BertViz is not installed"):
        views.attention_page(maps(), TOKENS, "view", layers=[1])


def rounds(count=3):
    labels = ["the right one", "another </script>", "a third"]
    return [
        {
            "tokens": ["a", "<i>", "c"],
            "note": f"Note {i}.",
            "maps": [{"label": label, "cells": np.eye(3) * (k + 1) / 3} for k, label in enumerate(labels)],
        }
        for i in range(count)
    ]


def test_the_game_is_one_file_and_its_data_cannot_end_its_script():
    page = views.game_page(rounds(), "Game", "Which?")
    assert page.count("</script>") == page.count("<script")
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL).group(1))
    assert [m["label"] for m in data["rounds"][0]["maps"]][1] == "another </script>"
    assert data["rounds"][0]["maps"][2]["cells"] == np.eye(3).tolist()
    assert "src=" not in page


@pytest.mark.book
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_game_is_played_to_its_end_by_keyboard_and_by_mouse(tmp_path, mode):
    path = tmp_path / "game.html"
    path.write_text(views.game_page(rounds(), "Game", "Which?"), encoding="utf-8")
    wrong: list[str] = []
    with browser() as chromium:
        page = chromium.new_page(color_scheme=mode)
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.dataset.theme") == mode
        right = 0
        for i in range(3):
            assert f"Round {i + 1} of 3" in page.inner_text("main")
            assert page.locator("svg[role=img]").count() == 3
            if i:
                page.keyboard.press("b")
            else:
                page.locator("button", has_text="Map B").click()
            said = page.inner_text("#said")
            right += said.startswith("Right.")
            assert said.endswith(f"Note {i}.")
            assert page.locator("button.right").count() == 1
            page.keyboard.press("a")  # a second answer counts for nothing
            page.keyboard.press("Enter")  # the next-button has the focus
        assert page.inner_text("h1") == f"{right} of 3 right"
        assert "Guessing gets about 1.0" in page.inner_text("main")
        page.keyboard.press("Enter")
        assert "Round 1 of 3" in page.inner_text("main")
    assert wrong == []


@pytest.mark.book
@pytest.mark.parametrize("standalone", [False, True])
def test_a_bertviz_page_draws_and_asks_for_nothing(tmp_path, standalone):
    scripts = tmp_path / "bertviz"
    scripts.mkdir()
    for name in views.SCRIPTS:
        (scripts / name).write_bytes((ROOT / "book" / "_static" / "bertviz" / name).read_bytes())
    path = tmp_path / "views" / "view.html"
    path.parent.mkdir()
    path.write_text(views.attention_page(maps(), TOKENS, "v", layers=[1, 3], standalone=standalone), encoding="utf-8")
    wrong: list[str] = []
    with browser() as chromium:
        page = chromium.new_page()
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.on("request", lambda r: wrong.append(r.url) if not r.url.startswith("file:") else None)
        page.goto(path.as_uri())
        page.wait_for_selector("#attention line", state="attached")
        assert page.locator("#attention line").count() == 2 * 4 * 4
        assert page.locator("#layer option").all_inner_texts() == ["0", "2"]
    assert wrong == []
