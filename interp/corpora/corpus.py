"""A set of sentences with its origin."""

import hashlib
from dataclasses import dataclass

from interp.errors import InputError
from interp.seeding import generator


@dataclass(frozen=True)
class Corpus:
    """Sentences, in the order of their source."""

    name: str
    texts: tuple[str, ...]
    source: str
    licence: str

    @property
    def checksum(self) -> str:
        """sha256 of the sentences."""
        return hashlib.sha256("\n".join(self.texts).encode()).hexdigest()

    def sample(self, count: int, seed: int = 0) -> list[str]:
        """`count` sentences drawn without replacement, in the order of the source; all, where there are fewer.

        Raises
        ------
        InputError
            If `count` is not positive.
        """
        if count < 1:
            raise InputError(f"corpus {self.name}: cannot take {count} sentences")
        if count >= len(self.texts):
            return list(self.texts)
        chosen = generator(seed, "corpus", self.name).choice(len(self.texts), size=count, replace=False)
        return [self.texts[i] for i in sorted(chosen)]
