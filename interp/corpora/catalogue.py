"""Which corpora there are."""

from collections.abc import Callable

from interp.corpora import embedded, ewt, wikitext
from interp.corpora.corpus import Corpus
from interp.registry import Registry

CORPORA: Registry[Callable[[], Corpus]] = Registry("corpus", "interp corpora")
CORPORA.add("plain", embedded.plain)
CORPORA.add("contexts", embedded.contexts)
CORPORA.add("ud_english_ewt", ewt.load)
CORPORA.add("wikitext2", wikitext.load)


def load(name: str) -> Corpus:
    """A corpus by name.

    Raises
    ------
    InputError
        For an unknown name, or files that are not here or have the wrong checksum.
    """
    return CORPORA[name]()


def identify(name: str) -> str:
    """Checksum of the sentences `name` stands for."""
    return load(name).checksum
