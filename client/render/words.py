"""Numbers with their nouns, as a person writes them. Pure."""

from __future__ import annotations


def counted(number: int, word: str) -> str:
    """Return `1 host`, `2 hosts`."""
    return f"{number} {plural(number, word)}"


def plural(number: int, word: str) -> str:
    """Return the noun as it stands after the number; it takes a plain `s`."""
    return word if number == 1 else f"{word}s"
