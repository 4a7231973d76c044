"""The whole book as one PDF: a headless Chromium puts the built pages one after another and prints them."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from interp import stopping  # noqa: E402  (found once the checkout is on the path)
from interp.errors import InputError  # noqa: E402
from interp.files import replacing  # noqa: E402
from interp.report import contents  # noqa: E402
from scripts.browser import CHROMIUM, browser, serving  # noqa: E402

HTML = ROOT / "_build" / "html"
OUT = ROOT / "_build" / "pdf" / "book.pdf"

GATHER = """
async (pages) => {
  const whole = document.createElement("main");
  const prefix = (page, id) => `${page.replace(/\\W/g, "-")}--${id}`;
  for (const page of pages) {
    const address = new URL(`/${page}.html`, location);
    const read = new DOMParser().parseFromString(await (await fetch(address)).text(), "text/html");
    const article = read.querySelector("article");
    article.id = "";
    article.querySelectorAll(".headerlink, script, iframe, .toctree-wrapper").forEach((e) => e.remove());
    article.querySelectorAll("[id]").forEach((e) => (e.id = prefix(page, e.id)));
    // Ids inside figures are used by their own marks and clip paths.
    article.querySelectorAll("svg *").forEach((e) => [...e.attributes].forEach((a) => {
      if (a.value.includes("#")) a.value = a.value.replace(/(url\\()?#(?=[A-Za-z])/, (all) => all + prefix(page, ""));
    }));
    article.querySelectorAll("a[href]").forEach((a) => {
      const to = new URL(a.getAttribute("href"), address);
      if (to.origin !== location.origin) return;
      const target = decodeURIComponent(to.pathname).slice(1).replace(/\\.html$/, "");
      const place = decodeURIComponent(to.hash.slice(1)) || "page";
      if (pages.includes(target)) a.setAttribute("href", "#" + prefix(target, place));
      else a.removeAttribute("href");
    });
    const section = document.createElement("section");
    section.id = prefix(page, "page");
    section.className = "interp-printed";
    section.append(...article.childNodes);
    whole.append(section);
  }
  whole.querySelectorAll("details").forEach((d) => (d.open = d.classList.contains("interp-claim")));
  document.body.replaceChildren(whole);
  if (window.MathJax) { await MathJax.startup.promise; await MathJax.typesetPromise(); }
  return whole.children.length;
}
"""


def pages() -> list[str]:
    """The pages in the order of the table of contents; the API reference is for a screen."""
    return [page for page in contents.pages() if not page.startswith("book/api/")]


def print_book(out: Path) -> None:
    """Print the built book to `out`."""
    title = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["title"]
    small = '<div style="width: 100%; font-size: 8px; text-align: center; color: #555">'
    with serving(HTML) as address, browser() as chromium:
        page = chromium.new_page(color_scheme="light")
        page.goto(f"{address}/book/start.html")
        page.wait_for_load_state("networkidle")
        page.evaluate(GATHER, pages())
        with replacing(out) as partial:
            page.pdf(
                path=partial,
                format="A4",
                outline=True,
                tagged=True,
                margin={"top": "18mm", "bottom": "18mm", "left": "16mm", "right": "16mm"},
                display_header_footer=True,
                header_template=f"{small}{title}</div>",
                footer_template=f'{small}<span class="pageNumber"></span> / <span class="totalPages"></span></div>',
            )


def main() -> int:
    """Print the book that is there."""
    if not (HTML / "index.html").is_file():
        raise InputError("there is no book yet; run make book")
    if CHROMIUM is None:
        raise InputError("no chromium, chromium-browser or google-chrome to print with")
    print_book(OUT)
    print(f"the book as one file: {OUT.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(stopping.exit_code(main, "an earlier PDF is as it was", folder=OUT.parent))
