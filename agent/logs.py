"""Log lines of the agent: one JSON object per line on standard output, nothing else.

Written by hand and not by a logging library: an idle agent would pay 5 MB of memory for one.
"""

from __future__ import annotations

import sys
from typing import Literal, TextIO

import msgspec

from agent.clock import Clock

Level = Literal["debug", "info", "warning", "error"]
_RANK: dict[Level, int] = {"debug": 0, "info": 1, "warning": 2, "error": 3}
Field = str | int | float | None


class Log:
    """Writes lines of at least one level; a reader that is gone does not stop the agent."""

    def __init__(self, clock: Clock, level: Level = "info", stream: TextIO | None = None) -> None:
        self._clock = clock
        self._least = _RANK[level]
        self._stream = stream if stream is not None else sys.stdout

    def write(self, level: Level, event: str, **fields: Field) -> None:
        """Write one line: time (seconds since the epoch), level, event and what belongs to it."""
        if _RANK[level] < self._least:
            return
        line = {"time": round(self._clock(), 3), "level": level, "event": event, **fields}
        try:
            self._stream.write(msgspec.json.encode(line).decode() + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return

    def info(self, event: str, **fields: Field) -> None:
        """Write a line about something that went as it should."""
        self.write("info", event, **fields)

    def warning(self, event: str, **fields: Field) -> None:
        """Write a line about something that an operator may want to know."""
        self.write("warning", event, **fields)

    def failure(self, event: str, **fields: Field) -> None:
        """Write a line about something that an operator must know."""
        self.write("error", event, **fields)
