"""What a command prints: the beginning live, the end at the end, all of it beside in a file.

Bounded whatever comes: pieces hold the first and the last half MiB as whole UTF-8, the file the
first 32 MiB as they are. What is in neither is counted.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

# Published: 1 MiB of output is shown, half of it from either end.
HEAD = 524_288
TAIL = 524_288
# Half of what one artifact may have: it waits in the journal until the coordinator has it.
SPILL = 33_554_432
# One piece: replaced bytes grow to three, so it is at most an eleventh of a journal batch.
PIECE = 16_384
# A slow talker must not fill the journal: 100 pieces five times a second, 900 each second, then
# one in ten seconds: a week of dots is 60,000 pieces of 150 bytes, which is 9 MB.
PACE = ((100, 0.2), (1_000, 1.0))
SLOWEST = 10.0

# Where a piece begins, how many bytes it stands for, and its text.
Say = Callable[[int, int, str], None]


class Collector:
    """Takes bytes and says pieces of text; nothing of it grows without bound."""

    def __init__(
        self, path: Path, say: Say, *, head: int = HEAD, tail: int = TAIL, spill: int = SPILL
    ) -> None:
        self._say = say
        self._head = head
        self._most_tail = tail
        self._most_spill = spill
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._spilling = True
        self._waiting = bytearray()
        self._said = 0
        self._pieces = 0
        self._since: float | None = None
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self.size = 0
        self.spilled = 0
        self.omitted = 0
        self.unkept = 0

    def add(self, data: bytes, now: float) -> None:
        """Take the next bytes, read at `now` of a clock that is never set."""
        self._spill(data)
        room = max(0, self._head - self.size)
        self.size += len(data)
        if room:
            self._waiting += data[:room]
            self._since = now if self._since is None else self._since
            data = data[room:]
        if data:
            self._keep(data)
        if len(self._waiting) >= PIECE:
            self._tell(whole(self._waiting))

    def tick(self, now: float) -> None:
        """Say what has waited long enough."""
        if self._since is None or now - self._since < self._pace():
            return
        self._tell(whole(self._waiting))
        # Only the beginning of a character may be left: it waits for its rest.
        self._since = now if self._waiting else None

    def finish(self) -> None:
        """Say what is left: with nothing left out all of it, else the end as it stands."""
        tail = b"".join(self._tail)
        left_out = self.size - self._said - len(self._waiting) - len(tail)
        if left_out == 0 and len(tail) <= self._most_tail:
            self._waiting += tail
            self._tell(len(self._waiting))
        else:
            self._tell(whole(self._waiting))
            tail = tail[max(0, len(tail) - self._most_tail) :]
            tail = tail[continued(tail) :]
            start = self.size - len(tail)
            self.omitted = start - self._said
            self.unkept = max(0, start - max(self.spilled, self._said))
            self._waiting = bytearray(tail)
            self._said = start
            self._tell(len(self._waiting))
        self._tail.clear()
        self._waiting.clear()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _spill(self, data: bytes) -> None:
        part = data[: max(0, self._most_spill - self.spilled)] if self._spilling else b""
        try:
            while part:
                written = os.write(self._file, part)
                self.spilled += written
                part = part[written:]
        except OSError:
            # A full disk ends the copy, not the command; what is lost of it is counted.
            self._spilling = False

    def _keep(self, data: bytes) -> None:
        self._tail.append(data)
        self._tail_size += len(data)
        while self._tail_size - len(self._tail[0]) >= self._most_tail:
            self._tail_size -= len(self._tail.popleft())

    def _pace(self) -> float:
        return next((pause for most, pause in PACE if self._pieces < most), SLOWEST)

    def _tell(self, count: int) -> None:
        part, self._waiting = bytes(self._waiting[:count]), self._waiting[count:]
        self._since = None
        while part:
            size = len(part) if len(part) <= PIECE else whole(part[:PIECE])
            self._pieces += 1
            self._say(self._said, size, part[:size].decode("utf-8", "replace"))
            self._said += size
            part = part[size:]


def whole(data: bytes | bytearray) -> int:
    """Return how many bytes at the beginning end with no broken character."""
    for back in range(1, min(3, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            break
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if back < length else len(data)
    return len(data)


def continued(data: bytes) -> int:
    """Return how many bytes at the beginning belong to a character that began before."""
    for at, byte in enumerate(data[:3]):
        if byte & 0xC0 != 0x80:
            return at
    return min(3, len(data))


def forget(path: Path) -> None:
    """Remove a file of output, if it is there."""
    with suppress(OSError):
        path.unlink()
