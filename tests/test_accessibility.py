"""What is asked of every page, light and dark, by tests/test_book.py: axe-core finds nothing serious or critical,
and the keyboard reaches everything."""

import hashlib
import re

import pytest

from scripts.browser import browser
from tests.conftest import ROOT

AXE = ROOT / "tests" / "axe" / "axe.min.js"

FOUND = """
async () => {
  const found = await axe.run({ exclude: [[".interp-svg > *"]] }, { resultTypes: ["violations"] });
  return found.violations
    .filter((v) => v.impact === "serious" || v.impact === "critical")
    .flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(" ")}: ${n.failureSummary.split("\\n")[1].trim()}`));
}
"""
"""What axe-core finds. A figure is one image with words of its own; its thousands of strokes are not looked at."""

UNREACHED = """
() => {
  const shown = (e) => e.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true });
  const inert = (e) => e.disabled || e.closest("[inert], dialog:not([open])");
  return [...document.querySelectorAll("[onclick], summary, button, [role=button], a[href], iframe, .interp-scroll")]
    .filter((e) => shown(e) && !inert(e) && e.tabIndex < 0 && !e.matches("[aria-hidden=true]"))
    .map((e) => e.outerHTML.slice(0, 120));
}
"""
"""What can be clicked or scrolled and is left out when one goes through the page with the Tab key."""

STILL = "*, ::before, ::after { transition: none !important; animation: none !important; }"
"""What opens and what changes its colours does so at once: nothing is caught while it fades in."""


def problems(page):
    """What is wrong with a page, its folded parts opened."""
    page.add_style_tag(content=STILL)
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    page.add_script_tag(path=AXE)
    return page.evaluate(FOUND) + page.evaluate(UNREACHED)


def test_axe_is_the_one_of_the_readme():
    version, told = re.search(r"axe-core (\S+) \| `([0-9a-f]{64})`", (AXE.parent / "README.md").read_text()).groups()
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == told
    assert AXE.read_text(encoding="utf-8").startswith(f"/*! axe v{version}")


@pytest.mark.book
def test_axe_would_find_something():
    with browser() as chromium:
        page = chromium.new_page()
        page.set_content('<main><p style="color: #bbb; background: #fff">pale</p><img src="data:," width="9"></main>')
        assert {line.split(":")[0] for line in problems(page)} >= {"color-contrast", "image-alt"}
        page.set_content('<main><div role="button" onclick="1">press</div></main>')
        assert problems(page) != []
