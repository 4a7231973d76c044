"""Sentences to run subjects on."""

from interp.corpora.catalogue import CORPORA, identify, load
from interp.corpora.corpus import Corpus

__all__ = ["CORPORA", "Corpus", "identify", "load"]
