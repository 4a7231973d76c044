"""Sentences that say of one noun that it is a kind of another: the patterns of the relation probe, filled in."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from interp.corpora.embedded import table
from interp.errors import InputError
from interp.registry import unknown

_SLOT = re.compile(r"\{(A_|a_)?(concept|category)\}")
_VOWEL = re.compile(r"(?!(uni|use|usu|uten|uku|eu|ewe|one\b|once))[aeiou]|hour|heir|honest|honou?r", re.IGNORECASE)


@dataclass(frozen=True)
class Sentence:
    """A filled pattern, and where its two nouns stand (characters, end not included; articles not included)."""

    text: str
    concept: tuple[int, int]
    category: tuple[int, int]


def article(noun: str) -> str:
    """*a* or *an*, by how the word sounds.

    >>> [article(word) for word in ("robin", "apple", "unicycle", "umbrella", "hourglass", "ukulele")]
    ['a', 'an', 'a', 'an', 'an', 'a']
    """
    return "an" if _VOWEL.match(noun) else "a"


def patterns(ids: Collection[str] | None = None) -> dict[str, str]:
    """Patterns by id, in the order of the table; all that say hypernymy for None.

    Raises
    ------
    InputError
        For an unknown id.
    """
    rows = table("hypernym_patterns")
    known = dict(zip(rows["id"], rows["pattern"]))
    for name in ids or ():
        if name not in known:
            raise InputError(unknown("pattern", name, known))
    return {name: pattern for name, pattern in known.items() if ids is None or name in ids}


def fill(pattern: str, concept: str, category: str, *, mass: Collection[str] = ()) -> Sentence:
    """Put two nouns into a pattern, with *a* or *an* where it asks for an article and the noun is not in `mass`.

    >>> fill("{A_concept} is {a_category}.", "otter", "animal")
    Sentence(text='An otter is an animal.', concept=(3, 8), category=(15, 21))
    >>> fill("{A_concept} is {a_category}.", "shirt", "clothing", mass={"clothing"}).text
    'A shirt is clothing.'
    """
    nouns = {"concept": concept, "category": category}
    text, at, spans = "", 0, {}
    for slot in _SLOT.finditer(pattern):
        text += pattern[at : slot.start()]
        noun = nouns[slot[2]]
        front = f"{article(noun)} " if slot[1] and noun not in mass else ""
        filled = front + noun
        if slot[1] == "A_":
            filled = filled[0].upper() + filled[1:]
        spans[slot[2]] = (len(text) + len(front), len(text) + len(filled))
        text += filled
        at = slot.end()
    return Sentence(text + pattern[at:], spans["concept"], spans["category"])
