"""Sentences to run subjects on."""

from interp.corpora.catalogue import CORPORA, identify, load
from interp.corpora.contexts import CONTEXTS, Context, drawn_contexts, identify_contexts
from interp.corpora.corpus import Corpus
from interp.corpora.embedded import RoleReversal, contexts_of, role_reversals

__all__ = [
    "CONTEXTS",
    "CORPORA",
    "Context",
    "Corpus",
    "RoleReversal",
    "contexts_of",
    "drawn_contexts",
    "identify",
    "identify_contexts",
    "load",
    "role_reversals",
]
