"""Keeping the output of a program within a limit, whatever the program writes."""

from __future__ import annotations

from collections import deque


class Kept:
    """Head and tail of one stream, half of `limit` bytes each; `dropped` counts the rest."""

    def __init__(self, limit: int) -> None:
        self._half = max(1, limit // 2)
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self.dropped = 0

    def add(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        room = self._half - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if not data:
            return
        self._tail.append(data)
        self._tail_size += len(data)
        while self._tail_size - len(self._tail[0]) >= self._half:
            gone = self._tail.popleft()
            self._tail_size -= len(gone)
            self.dropped += len(gone)

    def text(self) -> str:
        """Return what was kept as text, with a mark where bytes were left out."""
        tail = b"".join(self._tail)
        surplus = len(tail) - self._half
        if surplus > 0:
            tail = tail[surplus:]
            self.dropped += surplus
        middle = f"\n[{self.dropped} bytes left out]\n".encode() if self.dropped else b""
        return (bytes(self._head) + middle + tail).decode("utf-8", "replace")
