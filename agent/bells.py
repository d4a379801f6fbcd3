"""Waking tasks by level, not by edge: a bell that rang while nobody listened is still heard.

A bell carries no data; whoever hears it looks at the state. It may be rung from the worker thread.
"""

from __future__ import annotations

import trio


class Bell:
    """Counts its rings; a listener waits until the count differs from the one that it knows."""

    def __init__(self) -> None:
        self.count = 0
        self._event = trio.Event()
        self._token: trio.lowlevel.TrioToken | None = None

    def ring(self) -> None:
        """Wake every listener; call it in the event loop."""
        self.count += 1
        self._event.set()
        self._event = trio.Event()

    def attach(self) -> None:
        """Remember the event loop, so that threads can ring; call it in the event loop."""
        self._token = trio.lowlevel.current_trio_token()

    def ring_from_thread(self) -> None:
        """Wake every listener from any thread; lost without harm if the loop is over."""
        if self._token is None:
            self.ring()
            return
        try:
            self._token.run_sync_soon(self.ring, idempotent=True)
        except trio.RunFinishedError:
            return

    async def heard(self, known: int) -> int:
        """Wait until the bell was rung after the count was `known`; return the new count."""
        if self.count != known:
            await trio.lowlevel.checkpoint()
            return self.count
        await self._event.wait()
        return self.count
