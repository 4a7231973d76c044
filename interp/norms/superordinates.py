"""What a norm set puts above a concept: *robin* is *a bird*. Pairs for the relation probe, and what is no error.

Participants name several superordinates for a concept, at several levels and in several forms (``a_bird``,
``clothing``, ``a_piece_of_furniture``, ``a_musical_instrument``). Here each becomes one noun.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from interp import datasets
from interp.errors import InputError
from interp.norms import mcrae, wordnet
from interp.norms.normset import NormSet
from interp.registry import unknown
from interp.seeding import generator

SUPERORDINATE_KINDS = ("superordinate", "taxonomic")
"""Kinds of feature that name what a concept is."""

ANCESTORS = ("auto", "norms", "wordnet")
"""Where one can look up what must not be called wrong."""

UNITS = ("piece", "kind", "type", "sort")
"""``a_piece_of_furniture`` says *furniture*, and says it without an article."""

MASS = frozenset(
    [
        "armour",
        "bedding",
        "clothing",
        "crockery",
        "cutlery",
        "equipment",
        "footwear",
        "furniture",
        "hardware",
        "jewellery",
        "jewelry",
        "linen",
        "lingerie",
        "luggage",
        "poultry",
        "seafood",
        "stationery",
        "underwear",
    ]
)
"""Superordinates that take no article, whatever the norm writes (McRae has ``a_footwear``)."""

NO_CATEGORY = frozenset(["coniferous", "feature", "inanimate", "object", "part", "thing"])
"""What is no noun, or names no category once it stands alone (``a_natural_feature``, ``a_body_part``)."""


@dataclass(frozen=True)
class Hyponymy:
    """Pairs (lemma, superordinate), each lemma once, and everything that is known to stand above a lemma."""

    pairs: tuple[tuple[str, str], ...]
    mass: frozenset[str]
    """Superordinates that take no article."""
    listed: Mapping[str, frozenset[str]]
    """By lemma: the superordinates people named for it, whether or not they are among the pairs."""
    above: Mapping[str, frozenset[str]]
    """By lemma: every noun that must not serve as a wrong superordinate."""
    source: str
    """Where `above` comes from."""


def _from_kinds(norms: NormSet) -> dict[str, dict[str, float]]:
    kinds = norms.kinds or ()
    columns = [j for j, kind in enumerate(kinds) if kind in SUPERORDINATE_KINDS]
    if not columns:
        raise InputError(
            f"norms {norms.name}: no feature is of kind {' or '.join(map(repr, SUPERORDINATE_KINDS))}, so nothing says "
            "what a concept is; the relation probe needs norms that do (mcrae, everyday)"
        )
    return {
        concept: {norms.features[j]: float(norms.values[i, j]) for j in columns if norms.values[i, j] > 0}
        for i, concept in enumerate(norms.concepts)
    }


LISTERS: Mapping[str, Callable[[NormSet], dict[str, dict[str, float]]]] = {"mcrae": lambda _: mcrae.superordinates()}
"""Norm sets that label superordinates more finely than by the kinds of their features."""


def noun_of(feature: str) -> tuple[str, bool] | None:
    """The noun that a superordinate feature names, and whether it takes no article; None where it names none.

    Compounds become their head, which stands above the compound: a noun phrase of two words would differ from other
    superordinates in length, which attention can see.

    >>> noun_of("a_bird"), noun_of("a_piece_of_clothing"), noun_of("a_musical_instrument"), noun_of("a_bird_of_prey")
    (('bird', False), ('clothing', True), ('instrument', False), None)
    """
    words = feature.lower().split("_")
    article = words[0] in ("a", "an")
    words = words[article:]
    if len(words) > 2 and words[0] in UNITS and words[1] == "of":
        words, article = [w for w in words[2:] if w not in ("a", "an")], False
    if not words or not words[-1].isalpha() or {"of", "for", "with", "in", "is"} & set(words):
        return None
    head = words[-1]
    return None if head in NO_CATEGORY else (head, head in MASS or not article)


def is_plural(lemma: str) -> bool:
    """Whether a lemma looks plural (*jeans*, *scissors*): it fits no pattern that says *a kind of*.

    A spelling rule that also refuses a few singulars (*lens*), which costs a pair and no more.
    """
    return lemma.endswith("s") and not lemma.endswith(("ss", "us", "is", "as", "os"))


def hyponymy(norms: NormSet, *, count: int | None = None, with_wordnet: bool = False, seed: int = 0) -> Hyponymy:
    """Pairs for the relation probe from the superordinate features of `norms` (PROTOCOL 7).

    Each lemma enters with one superordinate, so that it stands in as many true as untrue sentences; lemmas are spread
    over the superordinates as evenly as they allow, so that *animal* is not a quarter of the data. (The protocol asks
    for the pairs of a norm set and fixes neither.) Superordinates of a single lemma, plural lemmas, and pairs that
    share letters (*paintbrush*, *brush*) are left out.

    Parameters
    ----------
    count
        Number of pairs; all there are for None.
    with_wordnet
        Whether WordNet's ancestors, over all noun senses, count as standing above, too. Else only the norms do.

    Raises
    ------
    InputError
        If the norms do not say what a concept is, there are too few pairs, or WordNet is asked for and is not here.
    """
    features = LISTERS.get(norms.name, _from_kinds)(norms)
    lemma_of = dict(zip(norms.concepts, norms.lemmas))
    listed: dict[str, set[str]] = {lemma: set() for lemma in norms.lemmas}
    mass: set[str] = set()
    for concept, mine in features.items():
        for noun, no_article in filter(None, map(noun_of, mine)):
            listed[lemma_of[concept]].add(noun)
            mass |= {noun} if no_article else set()
    named = {lemma: frozenset(nouns) for lemma, nouns in listed.items()}
    above = _above(named)
    if with_wordnet:
        higher = wordnet.ancestors(list(named))
        above = {lemma: nouns | higher.get(lemma, frozenset()) for lemma, nouns in above.items()}
    pairs = _spread(named, count, seed)
    if len({hypernym for _, hypernym in pairs}) < 4:
        raise InputError(f"norms {norms.name}: {len(pairs)} pairs are too few for a relation probe")
    source = f"the norms {norms.name}" + (" and WordNet" if with_wordnet else "")
    return Hyponymy(pairs, frozenset(mass), named, above, source)


def settled_ancestors(source: str) -> str:
    """``"norms"`` or ``"wordnet"``; ``"auto"`` becomes WordNet where its file is, else the norms.

    Raises
    ------
    InputError
        For another name.
    """
    if source not in ANCESTORS:
        raise InputError(unknown("source of ancestors", source, list(ANCESTORS)))
    if source != "auto":
        return source
    return "wordnet" if datasets.available("wordnet") else "norms"


def _above(listed: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """What the norms themselves put above each lemma: what people named, and what stands above that.

    A superordinate is taken to stand above another if some concept has both and more concepts have the first: *animal*
    above *bird*. That refuses a few wrong superordinates that would have been fine, and lets no true one pass that the
    norms know of.
    """
    size = Counter(noun for nouns in listed.values() for noun in nouns)
    over: dict[str, set[str]] = {noun: set() for noun in size}
    for nouns in listed.values():
        for low in nouns:
            over[low] |= {high for high in nouns if size[high] > size[low]}
    for noun in listed:
        if noun in over:  # a superordinate that is itself a concept
            over[noun] |= listed[noun]
    return {lemma: frozenset(nouns).union(*(over[n] for n in nouns)) for lemma, nouns in listed.items()}


def _spread(listed: Mapping[str, frozenset[str]], count: int | None, seed: int) -> tuple[tuple[str, str], ...]:
    """One superordinate for each lemma, the one with the fewest lemmas so far."""
    rng = generator(seed, "hyponymy")
    fit = {
        lemma: sorted(noun for noun in nouns if noun not in lemma)
        for lemma, nouns in sorted(listed.items())
        if not is_plural(lemma)
    }
    size = Counter(noun for nouns in fit.values() for noun in nouns)
    fit = {lemma: [n for n in nouns if size[n] > 1] for lemma, nouns in fit.items()}
    order = [lemma for lemma in fit if fit[lemma]]
    rng.shuffle(order)
    # The lemmas with the least choice choose first.
    order.sort(key=lambda lemma: len(fit[lemma]))
    chosen: dict[str, list[str]] = {}
    for lemma in order:
        best = min(fit[lemma], key=lambda noun: (len(chosen.get(noun, [])), noun))
        chosen.setdefault(best, []).append(lemma)
    chosen = {noun: lemmas for noun, lemmas in chosen.items() if len(lemmas) > 1}
    total = sum(map(len, chosen.values()))
    count = total if count is None else min(count, total)
    # Round by round, large superordinates first; the first round takes two lemmas of each, since a superordinate with
    # one lemma could not be dealt to another.
    nouns = sorted(chosen, key=lambda noun: (-len(chosen[noun]), noun))
    ranked = sorted(
        (max(rank, 1), nouns.index(noun), lemma, noun) for noun in nouns for rank, lemma in enumerate(chosen[noun])
    )
    kept = [(lemma, noun) for *_, lemma, noun in ranked[:count]]
    often = Counter(noun for _, noun in kept)
    return tuple(sorted((lemma, noun) for lemma, noun in kept if often[noun] > 1))
