"""Giving a host the artifacts that it asks for over its link, part by part.

Whether it may have one is `coordinator.domain.artifact_asks`.
"""

from __future__ import annotations

from functools import partial

import structlog

from coordinator.context import App
from coordinator.domain import artifact_asks
from coordinator.domain.artifact_asks import Granted
from coordinator.domain.host_reports import Host
from protocol.artifacts import ArtifactAsk, ArtifactPart

_log = structlog.get_logger("coordinator.link")


class ArtifactDesk:
    """Answers the asks of one link; one part is read at a time, and only when it is asked for."""

    def __init__(self, app: App) -> None:
        self._app = app
        # The last grant is kept: an artifact of 64 MiB is asked for in 128 parts.
        self._granted: Granted | None = None

    async def answer(self, host: Host, ask: ArtifactAsk, *, approved: bool) -> ArtifactPart:
        """Return the part that was asked for, or the refusal."""
        granted = await self._grant(host, ask.sha256, approved=approved)
        if isinstance(granted, str):
            _log.info("artifact_refused", node=host.node_id, sha256=ask.sha256, why=granted)
            return artifact_asks.refusal(ask, granted)
        self._granted = granted
        return await self._app.store.read(partial(artifact_asks.answer, ask=ask, granted=granted))

    async def _grant(self, host: Host, sha256: str, *, approved: bool) -> Granted | str:
        if not approved:
            return "this host is not approved"
        if self._granted is not None and self._granted.sha256 == sha256:
            return self._granted
        return await self._app.store.read(partial(artifact_asks.grant, host=host, sha256=sha256))
