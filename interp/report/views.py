"""Interactive pages of their own: a BertViz view of attention maps, and a page where the reader guesses.

A view is one HTML file under ``book/_static/views``, shown in a titled, lazy frame beside a static figure that says the
same. It loads nothing from elsewhere, and takes the light or dark of the page around it.
"""

from __future__ import annotations

import html
import json
import os
import re
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from interp.errors import InputError
from interp.files import replacing
from interp.profile import project_root

_TOKEN = "\N{REPLACEMENT CHARACTER}token"
"""Stands for a token, with its number, until BertViz has drawn."""

SCRIPTS = ("d3.min.js", "jquery.min.js")
"""Vendored under ``book/_static/bertviz`` (licences and checksums there)."""

THEME = """
(() => {
  const mine = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)");
  let around = null;
  try { around = window.parent !== window ? window.parent.document.documentElement : null; } catch { around = null; }
  const follow = () => { mine.dataset.theme = (around && around.dataset.theme) || (dark.matches ? "dark" : "light"); };
  if (around) new MutationObserver(follow).observe(around, { attributes: true, attributeFilter: ["data-theme"] });
  dark.addEventListener("change", follow);
  follow();
})();
"""

STYLE = """
:root { color-scheme: light; --ink: #1f2328; --surface: #ffffff; --line: #d0d7de; --accent: #2f7fc1; }
:root[data-theme="dark"] { color-scheme: dark; --ink: #e6edf3; --surface: #14181e; --line: #3d444d; }
body { margin: 0; padding: 0.5rem; background: var(--surface); color: var(--ink); }
body { font: 15px/1.4 system-ui, sans-serif; }
"""

_AMD = "window.require = { config() {} }; window.requirejs = (names, run) => run(window.jQuery, window.d3);"
"""BertViz asks for its scripts through require.js; they are on the page already."""


def folder() -> Path:
    """Where views are written: ``$INTERP_VIEWS``, else the book's static folder."""
    return Path(os.environ.get("INTERP_VIEWS") or project_root() / "book" / "_static" / "views")


def file_name(name: str) -> str:
    """The file of the view `name`; while a chapter is executed it carries the chapter's name, as forks share views."""
    chapter = os.environ.get("INTERP_CHAPTER")
    return f"{chapter}--{name}.html" if chapter else f"{name}.html"


def page(title: str, body: str, *, head: str = "", style: str = "") -> str:
    """A whole page around `body`."""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{html.escape(title)}</title>\n'
        f"<style>{STYLE}{style}</style>\n<script>{THEME}</script>\n{head}</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def script_json(value: Any) -> str:
    """JSON for inside a ``<script>``: only ``<`` could end it or open a comment, and as an escape it is the same JSON.

    >>> print(script_json(["</script>"]))
    ["\\u003c/script>"]
    """
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def attention_page(
    maps: Sequence[Float[Tensor, "head query key"]],
    tokens: Sequence[str],
    title: str,
    *,
    layers: Sequence[int],
    standalone: bool = False,
) -> str:
    """BertViz' head view of some layers of one text, as a page.

    Parameters
    ----------
    maps
        One per layer of the model.
    layers
        Which to show, counted from 1 (BertViz counts from 0, and so does the page's selector).
    standalone
        Carry the scripts inside, so that the file works anywhere.

    Raises
    ------
    InputError
        Where BertViz is not installed.
    """
    if find_spec("bertviz") is None:
        raise InputError("BertViz is not installed: pip install 'llms-explaint[book]'")
    from bertviz import head_view
    from bertviz.util import format_special_chars

    # BertViz wants a batch of one. Rounded (in float64, so that .058 is spelled so), a page is a third as large.
    wanted = [m.detach().cpu().double().mul(1000).round().div(1000)[None] for m in maps]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # BertViz leaves the file of its script to be closed by chance
        # BertViz does not escape tokens: it gets numbers for them, and they are put in below.
        numbers = [f"{_TOKEN}{i}" for i in range(len(tokens))]
        include = [x - 1 for x in layers]
        shown = head_view(wanted, numbers, include_layers=include, prettify_tokens=False, html_action="return").data
    shown = re.sub(r'<script src="https?://[^"]*"></script>', "", shown)
    shown = re.sub(r"paths: \{[^}]*\}", "paths: {}", shown)
    shown = re.sub(r"bertviz-[0-9a-f]{32}", "bertviz-view", shown)
    shown = shown.replace('console.log("d3 version", d3.version)', "")
    shown = shown.replace('<select id="layer">', '<select id="layer" aria-label="Layer">')
    if "http://" in re.sub(r"http://www\.w3\.org\S*", "", shown) or "src=" in shown:
        raise ValueError("the view would load something from elsewhere")
    spelled = format_special_chars(list(tokens))
    shown = re.sub(rf'"{re.escape(json.dumps(_TOKEN)[1:-1])}(\d+)"', lambda m: script_json(spelled[int(m[1])]), shown)
    shown = f"<script>{_AMD}</script>{shown}"
    style = "svg text { fill: var(--ink); } #vis { min-width: 380px; overflow-x: auto; }"
    return page(title, shown, head=_scripts(standalone), style=style)


def _scripts(standalone: bool) -> str:
    if not standalone:
        return "".join(f'<script src="../bertviz/{name}"></script>\n' for name in SCRIPTS)
    found = Path(__file__).resolve().parents[2] / "book" / "_static" / "bertviz"
    if not all((found / name).is_file() for name in SCRIPTS):
        raise InputError(f"{found} lacks {' and '.join(SCRIPTS)}: write views from a checkout of the book")
    return "".join(f"<script>{(found / name).read_text(encoding='utf-8')}</script>\n" for name in SCRIPTS)


def game_page(rounds: Sequence[dict[str, Any]], title: str, question: str) -> str:
    """A page where the reader picks, round after round, one of several maps, and is told the score at the end.

    Parameters
    ----------
    rounds
        Each with ``tokens``, ``note`` (what the maps are of) and ``maps``: a list of ``label`` and ``cells`` (query x
        key, 0..1), the first of which is the right one. The page deals them in random order.
    """
    for each in rounds:
        for map_ in each["maps"]:
            map_["cells"] = np.round(np.asarray(map_["cells"], dtype=float), 2).tolist()
    here = Path(__file__).parent
    data = script_json({"question": question, "rounds": list(rounds)})
    body = (
        '<main id="game" aria-labelledby="question"></main>\n'
        f'<script type="application/json" id="data">{data}</script>\n'
        f"<script>{(here / 'game.js').read_text(encoding='utf-8')}</script>"
    )
    return page(title, body, style=(here / "game.css").read_text(encoding="utf-8"))


def write(name: str, content: str) -> Path:
    """Write a view under `folder`, whole or not at all."""
    path = folder() / file_name(name)
    with replacing(path) as partial:
        partial.write_text(content, encoding="utf-8")
    return path


def show(name: str, *, title: str, height: int, caption: str) -> None:
    """Show the view `name` in a frame; `title` is what a reader who cannot see it is told it is."""
    from IPython.display import HTML, display

    display(HTML(frame_html(name, title=title, height=height, caption=caption)))


def frame_html(name: str, *, title: str, height: int, caption: str) -> str:
    """The HTML of `show`. Chapters lie two folders below the site's root."""
    source = f"../../_static/views/{html.escape(file_name(name))}"
    return (
        f'<figure class="interp-figure interp-view" id="view-{html.escape(name)}">'
        f'<iframe src="{source}" loading="lazy" '
        f'title="{html.escape(title, quote=True)}" style="width: 100%; height: {height}px; border: 1px solid '
        'var(--interp-grid, #d0d7de)"></iframe>'
        f'<figcaption>{html.escape(caption)} <a href="{source}">Open it on a page of '
        "its own.</a></figcaption></figure>"
    )
