"""What is wrong with this agent right now, by code: heartbeats carry it until it is put right."""

from __future__ import annotations


class Problems:
    """A small set of problems, each with one sentence; setting one again replaces its sentence."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def put(self, code: str, text: str) -> bool:
        """Record a problem; True if it is new."""
        new = code not in self._texts
        self._texts[code] = text
        return new

    def clear(self, code: str) -> None:
        """Forget a problem that is over."""
        self._texts.pop(code, None)

    def listed(self) -> tuple[str, ...]:
        """Return `code: sentence` for each, in a stable order."""
        return tuple(f"{code}: {self._texts[code]}" for code in sorted(self._texts))
