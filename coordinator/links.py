"""Which agents are linked now, and how many may knock at once. No bytes and no rules of the link.

Lives in one event loop, for the life of the process.
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol

# Handshakes at once: each holds a few KiB and one signature check of 100 us for at most 20 s.
# A fleet of 1,000 that comes back at once is let in at over 500 a second, the rest tries again.
MAX_HANDSHAKES = 256
# From one address: a whole site behind one NAT comes back at once, a stranger gets no more.
MAX_HANDSHAKES_OF_PEER = 64
# Linked agents: 16 frames of at most 1 MiB in each outbox, nearly all of them empty.
MAX_LINKS = 10_000


class Replaceable(Protocol):
    """A live link that can be asked to end."""

    def ask_to_close(self, code: str, message: str) -> None:
        """Ask the link to say a last word and end; returns at once."""
        ...


class Links:
    """The live links by node, one each, and the admission of handshakes."""

    def __init__(
        self, *, max_handshakes: int = MAX_HANDSHAKES, max_of_peer: int = MAX_HANDSHAKES_OF_PEER
    ) -> None:
        self._live: dict[str, Replaceable] = {}
        self._knocking: Counter[str] = Counter()
        self._max_handshakes = max_handshakes
        self._max_of_peer = max_of_peer

    def admit(self, peer: str) -> bool:
        """Take a place for a handshake of this address, if there is one; give it back after."""
        if len(self._live) >= MAX_LINKS or self._knocking.total() >= self._max_handshakes:
            return False
        if self._knocking[peer] >= self._max_of_peer:
            return False
        self._knocking[peer] += 1
        return True

    def give_back(self, peer: str) -> None:
        """Give a handshake's place back."""
        self._knocking[peer] -= 1
        if self._knocking[peer] <= 0:
            del self._knocking[peer]

    def put(self, node_id: str, link: Replaceable) -> None:
        """Make this the node's one link; an older one is asked to end."""
        older = self._live.get(node_id)
        self._live[node_id] = link
        if older is not None:
            older.ask_to_close("replaced", "a newer link of this host has come")

    def drop(self, node_id: str, link: Replaceable) -> None:
        """Forget a link that has ended, if it is still the node's one."""
        if self._live.get(node_id) is link:
            del self._live[node_id]

    def count(self) -> int:
        """Return how many agents are linked."""
        return len(self._live)

    def is_live(self, node_id: str) -> bool:
        """Say whether a node has a link now."""
        return node_id in self._live

    def close(self) -> None:
        """Ask every link to end: the process is about to."""
        for link in tuple(self._live.values()):
            link.ask_to_close("going_away", "the coordinator stops")
