"""Every page, light and dark: axe-core finds nothing serious or critical, and the keyboard reaches everything."""

import hashlib
import re

import pytest

from tests.conftest import ROOT
from tests.test_book import HTML, PAGES, browser, site  # noqa: F401 (fixtures)

AXE = ROOT / "tests" / "axe" / "axe.min.js"
VIEWS = sorted(str(p.relative_to(HTML)) for p in (HTML / "_static" / "views").glob("*.html"))

FOUND = """
async () => {
  const found = await axe.run({ exclude: [[".interp-svg > *"]] }, { resultTypes: ["violations"] });
  return found.violations
    .filter((v) => v.impact === "serious" || v.impact === "critical")
    .flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(" ")}: ${n.failureSummary.split("\\n")[1].trim()}`));
}
"""
"""A figure is one image with words of its own (tests/test_book.py); its thousands of strokes are not looked at."""

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


def test_axe_is_the_one_of_the_readme():
    version, told = re.search(r"axe-core (\S+) \| `([0-9a-f]{64})`", (AXE.parent / "README.md").read_text()).groups()
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == told
    assert AXE.read_text(encoding="utf-8").startswith(f"/*! axe v{version}")


@pytest.mark.book
@pytest.mark.parametrize("page_name", [*PAGES, *VIEWS])
def test_axe_finds_nothing_serious(site, browser, page_name):  # noqa: F811
    page = browser.new_page(color_scheme="light")
    page.goto(f"{site}/{page_name}")
    page.wait_for_load_state("networkidle")
    # What opens and what changes its colours does so at once: nothing is caught while it fades in.
    page.add_style_tag(content="*, ::before, ::after { transition: none !important; animation: none !important; }")
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    page.add_script_tag(path=AXE)
    for mode in ("light", "dark"):
        page.emulate_media(color_scheme=mode)
        page.wait_for_function(f"document.documentElement.dataset.theme === '{mode}'")
        assert page.evaluate(FOUND) == [], mode
    assert page.evaluate(UNREACHED) == []
    page.close()


@pytest.mark.book
def test_axe_would_find_something(browser):  # noqa: F811
    page = browser.new_page()
    page.set_content('<main><p style="color: #bbb; background: #fff">pale</p><img src="data:," width="9"></main>')
    page.add_script_tag(path=AXE)
    assert {line.split(":")[0] for line in page.evaluate(FOUND)} >= {"color-contrast", "image-alt"}
    page.set_content('<main><div role="button" onclick="1">press</div></main>')
    assert page.evaluate(UNREACHED) != []
    page.close()
