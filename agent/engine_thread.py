"""The only door from the event loop to a thread: the state engine works behind it, one job at once.

The inline mode runs a job where it stands, for simulations under a virtual clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import trio

T = TypeVar("T")


class EngineThread:
    """Runs one engine job at a time; jobs ask their own stop flag, since threads cannot be killed.

    A cancelled wait leaves the job behind: whoever stops the agent gives jobs their time first.
    """

    def __init__(self, *, inline: bool = False) -> None:
        self.inline = inline
        # One: two looks at a host at once would see each other's half-done work.
        self._turn = trio.Lock()
        self._since: float | None = None

    async def run(self, job: Callable[[], T]) -> T:
        """Run a job when its turn comes and return its answer."""
        async with self._turn:
            self._since = trio.current_time()
            try:
                if self.inline:
                    await trio.lowlevel.checkpoint()
                    return job()
                return await trio.to_thread.run_sync(job, abandon_on_cancel=True)
            finally:
                self._since = None

    def busy_for(self, now: float) -> float:
        """Return for how many seconds the running job has run at `now`, 0 if none is running."""
        return 0.0 if self._since is None else now - self._since

    async def settled(self) -> None:
        """Wait until no job is running."""
        async with self._turn:
            return
