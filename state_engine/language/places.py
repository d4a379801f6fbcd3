"""Where everything stands in a module file, found again from its text when a problem is shown.

Most modules have no problem, and a map of every pointer is ten times as large as the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from state_engine.language.problems import Findings, Place
from state_engine.language.yaml_tree import parse, walk


class Places(Mapping[str, Place]):
    """Maps JSON pointers into a text to (line, column); the text is read at the first question."""

    __slots__ = ("_found", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: dict[str, Place] | None = None

    def __getitem__(self, path: str) -> Place:
        """Return the place of a pointer."""
        return self._places()[path]

    def __iter__(self) -> Iterator[str]:
        """Return all pointers."""
        return iter(self._places())

    def __len__(self) -> int:
        """Return how many pointers there are."""
        return len(self._places())

    def _places(self) -> dict[str, Place]:
        if self._found is None:
            # What is wrong with the text was said when it was read for the module.
            root = parse(self._text, Findings(""))
            self._found = {} if root is None else dict(walk(root))
        return self._found
