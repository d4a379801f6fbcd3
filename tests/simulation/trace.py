"""What happened in a run, in order: a hash over all of it, and its last lines for people."""

from __future__ import annotations

import hashlib
from collections import deque

import trio

# What is shown of a run that failed: two screens.
LAST = 80


class Trace:
    """Lines with their virtual time; `violations` are the promises that did not hold."""

    def __init__(self, keep: int = LAST) -> None:
        self._hash = hashlib.sha256()
        self._kept: deque[str] = deque(maxlen=keep)
        self.count = 0
        self.violations: list[str] = []

    def note(self, kind: str, *fields: str | float) -> None:
        """Add a line."""
        shown = " ".join(str(field) for field in fields)
        line = f"{trio.current_time():12.6f} {kind} {shown}"
        self._hash.update(line.encode() + b"\n")
        self._kept.append(line)
        self.count += 1

    def violation(self, invariant: str, text: str) -> None:
        """Note that a promise did not hold; the run goes on, so that all of them are seen."""
        self.note("VIOLATION", invariant, text)
        if len(self.violations) < LAST:
            self.violations.append(f"{invariant}: {text}")

    def digest(self) -> str:
        """Return the hash over everything so far."""
        return self._hash.hexdigest()

    def tail(self) -> tuple[str, ...]:
        """Return the last lines."""
        return tuple(self._kept)
