"""Artifacts that the engine needs, fetched over the link while its worker thread waits.

What comes is only put together here: that it has the digest it was asked for by is checked by
whoever asked (`state_engine.host.sources`).
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import trio

from agent.bells import Bell
from protocol.artifacts import ArtifactAsk, ArtifactPart
from state_engine.ports import MAX_CONTENT, PortError

# From one part to the next: a link that broke is back by then (60 s at most between two attempts).
SILENCE_SECONDS = 120.0
# For all of one artifact: 64 MiB over a line of 1 Mbit/s take 9 minutes.
WHOLE_SECONDS = 600.0
# How often somebody who waits sees that the step was cancelled.
CANCEL_CHECK = 0.5
# Text of a refusal that is shown.
MAX_WHY = 512


class _Wanted(msgspec.Struct):
    """The artifact that the engine waits for; `flying` while an ask is open on the link."""

    sha256: str
    data: bytearray
    size: int | None = None
    flying: bool = False
    moved_at: float = 0.0
    error: str | None = None

    @property
    def whole(self) -> bool:
        return self.size is not None and len(self.data) == self.size


class Artifacts:
    """One artifact at a time, for the engine does one thing at a time.

    `asked` rings when there may be something to ask for. `cancelled` says that nobody needs it any
    more. A link that breaks in between is no harm: the rest is asked for over the next one.
    """

    def __init__(
        self,
        cancelled: Callable[[], bool],
        *,
        silence: float = SILENCE_SECONDS,
        whole: float = WHOLE_SECONDS,
    ) -> None:
        self.asked = Bell()
        self._moved = Bell()
        self._cancelled = cancelled
        self._silence, self._whole = silence, whole
        self._wanted: _Wanted | None = None

    def fetch(self, sha256: str) -> bytes:
        """Return what the coordinator gives as an artifact; in the worker thread.

        Raises:
            PortError: it refuses, nobody answered in time, or the step was cancelled.
        """
        try:
            return trio.from_thread.run(self._fetch, sha256)
        except trio.RunFinishedError:
            raise PortError(f"artifact {sha256}: the agent stops", "ECANCELED") from None

    async def _fetch(self, sha256: str) -> bytes:
        wanted = self._wanted = _Wanted(sha256, bytearray(), moved_at=trio.current_time())
        self.asked.ring()
        try:
            with trio.move_on_after(self._whole):
                await self._until_whole(wanted)
        finally:
            self._wanted = None
        if wanted.error is not None:
            raise PortError(f"artifact {sha256}: {wanted.error}", "EACCES")
        if not wanted.whole:
            came = f"{len(wanted.data)} bytes of it came in time"
            raise PortError(f"artifact {sha256}: {came}", "ETIMEDOUT")
        return bytes(wanted.data)

    async def _until_whole(self, wanted: _Wanted) -> None:
        while not wanted.whole and wanted.error is None:
            known = self._moved.count
            if self._cancelled():
                raise PortError(f"artifact {wanted.sha256}: cancelled", "ECANCELED")
            left = wanted.moved_at + self._silence - trio.current_time()
            if left <= 0:
                return
            with trio.move_on_after(min(left, CANCEL_CHECK)):
                await self._moved.heard(known)

    def link_is_new(self) -> None:
        """Note that what was asked over an earlier link will not be answered."""
        if self._wanted is not None:
            self._wanted.flying = False

    def next_ask(self) -> ArtifactAsk | None:
        """Return what to ask for now, None if nothing is wanted or an ask is open."""
        wanted = self._wanted
        if wanted is None or wanted.flying or wanted.whole or wanted.error is not None:
            return None
        wanted.flying = True
        return ArtifactAsk(wanted.sha256, len(wanted.data))

    def take(self, part: ArtifactPart) -> None:
        """Take in a part; one that was not asked for changes nothing."""
        wanted = self._wanted
        if (
            wanted is None
            or not wanted.flying
            or (part.sha256, part.offset) != (wanted.sha256, len(wanted.data))
        ):
            return
        wanted.flying = False
        wanted.error = _wrong(wanted, part)
        if wanted.error is None:
            wanted.size = part.size
            wanted.data += part.data
            wanted.moved_at = trio.current_time()
        self._moved.ring()
        self.asked.ring()


def _wrong(wanted: _Wanted, part: ArtifactPart) -> str | None:
    if part.refused:
        return f"the coordinator refuses it: {part.refused[:MAX_WHY]}"
    if part.size > MAX_CONTENT:
        return f"it has more than {MAX_CONTENT} bytes"
    end = part.offset + len(part.data)
    grows = len(part.data) > 0 or part.size == 0
    if wanted.size not in {None, part.size} or end > part.size or not grows:
        return "the coordinator's parts do not fit together"
    return None
