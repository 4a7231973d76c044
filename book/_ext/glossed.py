"""Link the first use of each of the glossary's words on a page to its entry, which also shows when one points at it.

Chapters write the field's words as they are; a page, a fork or a new entry of the glossary needs no marking up.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.addnodes import glossary

GLOSSARY = "book/glossary"
PAGES = ("book/chapters/", "book/start", "book/summary")
"""Where words are linked: pages that are read from top to bottom."""

EVERYDAY = {"block", "claim", "concept", "held-out", "reading", "subject", "token"}
"""Words that mostly stand for what they mean anywhere, or that every page says in its first lines."""

NOT_IN = (nodes.reference, nodes.literal, nodes.Admonition, nodes.title, nodes.caption, nodes.math, glossary)


def entries(env: Any) -> dict[str, tuple[str, str]]:
    """The glossary's words, each with the anchor of its entry and the first sentence there."""
    found = {}
    for item in env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
        told = " ".join(item.next_node(nodes.definition).astext().split())
        first = re.match(r".*?[.:](?=\s|$)", told)
        for term in item.findall(nodes.term):
            if term.astext() not in EVERYDAY:
                found[term.astext()] = (term["ids"][0], first.group() if first else told)
    return found


def pattern(words: list[str]) -> re.Pattern[str]:
    """Any of the words, longer ones first, in the singular or the plural, at the beginning of a sentence too."""
    longest_first = [r"\s+".join(map(re.escape, word.split())) for word in sorted(words, key=len, reverse=True)]
    spelled = "|".join(f"[{word[0].upper()}{word[0]}]{word[1:]}" for word in longest_first)
    return re.compile(rf"(?<![\w-])({spelled})s?(?![\w-])")


def link(app: Any, doctree: nodes.document, page: str) -> None:
    """Put the links into one page."""
    if app.builder.format != "html" or not page.startswith(PAGES) or GLOSSARY not in app.env.found_docs:
        return
    left = entries(app.env)
    address = app.builder.get_relative_uri(page, GLOSSARY)
    for text in [t for p in doctree.findall(nodes.paragraph) for t in p.findall(nodes.Text)]:
        if not left or _inside(text, NOT_IN):
            continue
        parts: list[nodes.Node] = []
        end = 0
        for match in pattern(list(left)).finditer(text):
            found = " ".join(match[1].split())
            word = next((w for w in left if w[1:] == found[1:] and w[0].lower() == found[0].lower()), None)
            if word is None:  # linked a few words before
                continue
            anchor, told = left.pop(word)
            parts += [nodes.Text(text[end : match.start()])]
            to = nodes.reference("", "", internal=True, refuri=f"{address}#{anchor}", reftitle=told)
            to += nodes.inline("", match[0], classes=["interp-term"])
            parts += [to]
            end = match.end()
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(text[end:])])


def _inside(node: nodes.Node, kinds: tuple[type, ...]) -> bool:
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("doctree-resolved", link)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
