"""The built book in a real browser: nothing fails, nothing leaves the site, pictures have words."""

import html
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from interp.claims import CLAIMS
from scripts import browser as served
from tests.conftest import ROOT

pytestmark = pytest.mark.book
HTML = ROOT / "_build" / "html"
PAGES = sorted(str(p.relative_to(HTML)) for p in HTML.rglob("*.html") if "_static" not in p.parts) or ["index.html"]


@pytest.fixture(scope="module")
def site():
    with served.serving(HTML) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with served.browser() as opened:
        yield opened


@pytest.mark.parametrize("page_name", PAGES)
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_opens_without_errors_and_without_leaving_the_site(site, browser, page_name, mode):
    context = browser.new_context(color_scheme=mode)
    page = context.new_page()
    wrong: list[str] = []
    # The page that only leads to the start has no icon, and browsers look for one at this address.
    icon = f"{site}/favicon.ico"
    page.on(
        "console",
        lambda m: wrong.append(f"console: {m.text}") if m.type == "error" and m.location["url"] != icon else None,
    )
    page.on("pageerror", lambda e: wrong.append(f"script: {e}"))
    page.on("requestfailed", lambda r: wrong.append(f"failed: {r.url}"))
    page.on("response", lambda r: wrong.append(f"{r.status}: {r.url}") if r.status >= 400 and r.url != icon else None)
    page.on(
        "request",
        lambda r: wrong.append(f"foreign: {r.url}") if not r.url.startswith((site, "data:", "blob:")) else None,
    )
    page.goto(f"{site}/{page_name}")
    page.wait_for_load_state("networkidle")
    assert wrong == []
    assert page.evaluate("document.documentElement.dataset.theme") in (mode, None)
    context.close()


@pytest.mark.parametrize("page_name", [p for p in PAGES if "chapters/" in p] or PAGES)
def test_chapters_show_their_figures_and_fit_a_phone(site, browser, page_name):
    context = browser.new_context(viewport={"width": 375, "height": 800})
    page = context.new_page()
    page.goto(f"{site}/{page_name}")
    page.wait_for_load_state("networkidle")
    figures = page.locator("svg.interp-svg")
    for i in range(figures.count()):
        assert len(figures.nth(i).get_attribute("aria-label")) > 40
        assert figures.nth(i).bounding_box()["height"] > 80
    assert page.evaluate("document.documentElement.scrollWidth") <= 376
    assert page.locator(".interp-provenance").count() == ("chapters/" in page_name)
    context.close()


def test_the_start_page_opens_and_search_finds(site, browser):
    page = browser.new_page()
    page.goto(f"{site}/index.html")
    page.wait_for_url("**/start.html")
    assert page.locator("article h1").inner_text().startswith("LLMs Explain")
    page.goto(f"{site}/search.html?q=ladder")
    page.wait_for_selector("#search-results li a")
    page.close()


def test_no_page_is_too_heavy():
    for name in PAGES:
        assert (HTML / name).stat().st_size < 1_500_000, name
    assert sum(p.stat().st_size for p in HTML.rglob("*") if p.is_file()) < 60_000_000


def test_pages_hold_no_paths_of_the_machine_that_built_them():
    for name in PAGES:
        text = Path(HTML / name).read_text(encoding="utf-8")
        assert str(ROOT) not in text, name


class Anchors(HTMLParser):
    """What a page can be linked to by, and what it links to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids |= {found[k] for k in ("id", "name") if found.get(k)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])


def test_every_link_inside_the_site_leads_somewhere():
    pages = {HTML / name: Anchors((HTML / name).read_text(encoding="utf-8")) for name in PAGES}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            if not target.is_file():
                broken.append(f"{path.name}: {link}: no such file")
            elif address.fragment and target in pages and unquote(address.fragment) not in pages[target].ids:
                broken.append(f"{path.name}: {link}: no such place on the page")
    assert broken == []


def test_words_of_the_glossary_are_linked_once_on_each_chapter(site, browser):
    page = browser.new_page()
    for name in [p for p in PAGES if "chapters/" in p]:
        page.goto(f"{site}/{name}")
        links = page.locator("a:has(> .interp-term)").evaluate_all("all => all.map((a) => [a.href, a.title])")
        assert len(links) >= 3, name
        assert len({href for href, _ in links}) == len(links), name
        assert all("glossary.html#term-" in href and len(told) > 15 for href, told in links), name
    page.close()


def test_every_word_of_the_glossary_is_used():
    told = " ".join(p.read_text(encoding="utf-8") for p in [*ROOT.glob("notebooks/*.md"), *ROOT.glob("book/*.md")])
    told = " ".join(told.split()).lower()
    terms = re.findall(r'<dt id="term-[^"]+">([^<]+)', (HTML / "book" / "glossary.html").read_text(encoding="utf-8"))
    assert len(terms) > 40
    assert [t for t in terms if told.count(html.unescape(t).replace("’", "'").lower()) < 2] == []


def test_the_ledger_opens_by_keyboard_and_links_to_what_decides(site, browser):
    page = browser.new_page()
    page.goto(f"{site}/book/start.html")
    assert page.locator("details.interp-claim").count() == len(CLAIMS)
    summary = page.locator("#claim-P2 summary")
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("#claim-P2").get_attribute("open") is not None
    first = page.locator("#claim-P2 tbody a").first
    first.click()
    assert page.url.endswith("controls.html#fig-ladder-all")
    page.close()
