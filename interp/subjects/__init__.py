"""The models being explained: one way to load them, to watch them and to intervene in them."""

from interp.subjects.catalogue import SUBJECTS, identify, load, shared
from interp.subjects.subject import Batch, Subject

__all__ = ["SUBJECTS", "Batch", "Subject", "identify", "load", "shared"]
