"""How long to wait before the next try to connect: a pure rule, randomness comes from outside."""

from __future__ import annotations

import msgspec

from protocol.limits import RECONNECT_BASE, RECONNECT_CAP, RECONNECT_STABLE

# 2**32 seconds are beyond any cap, and a larger power would only cost time.
_MAX_DOUBLINGS = 32


class Backoff(msgspec.Struct, frozen=True):
    """Doubling waits with full jitter; all values are seconds.

    A fleet that lost its coordinator comes back spread over the whole window, not in waves.
    """

    base: float = RECONNECT_BASE
    cap: float = RECONNECT_CAP
    stable: float = RECONNECT_STABLE

    def next_delay(self, attempt: int, random01: float) -> float:
        """Return the wait before try number `attempt` (0 is the first), for a random in 0 to 1."""
        window = min(self.cap, self.base * 2.0 ** min(max(attempt, 0), _MAX_DOUBLINGS))
        return window * min(max(random01, 0.0), 1.0)

    def next_attempt(self, attempt: int, established_for: float) -> int:
        """Return the number of the try after one whose session held for so long.

        Only a session that was stable starts again at 0: a coordinator that accepts and drops at
        once would else be hammered.
        """
        return 0 if established_for >= self.stable else attempt + 1
