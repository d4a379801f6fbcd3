"""Where a run's luck comes from: streams of numbers that follow from the seed and a name.

One stream per concern, so that one more draw in one place does not change all the others.
"""

from __future__ import annotations

import hashlib
from random import Random


class Chance:
    """All the luck of one run."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def stream(self, name: str) -> Random:
        """Return the stream of a name from its beginning."""
        return Random(f"{self.seed}/{name}")  # noqa: S311 - it has to be the same each time

    def secret(self, name: str) -> bytes:
        """Return 32 bytes that are always the same for this name."""
        return hashlib.sha256(f"{self.seed}/secret/{name}".encode()).digest()


def happens(stream: Random, probability: float) -> bool:
    """Say whether something of this probability happens now."""
    return stream.random() < probability
