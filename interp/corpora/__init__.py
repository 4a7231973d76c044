"""Sentences to run subjects on."""

from interp.corpora.catalogue import CORPORA, identify, load
from interp.corpora.corpus import Corpus
from interp.corpora.embedded import RoleReversal, contexts_of, role_reversals

__all__ = ["CORPORA", "Corpus", "RoleReversal", "contexts_of", "identify", "load", "role_reversals"]
