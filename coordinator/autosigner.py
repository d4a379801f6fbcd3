"""The service that signs what the coordinator may sign itself; what that is, the domain says."""

from __future__ import annotations

from functools import partial

import anyio
import structlog
from sqlalchemy.exc import SQLAlchemyError

from coordinator.context import App
from coordinator.domain import autosigning
from coordinator.domain.refusals import Refusal
from coordinator.store.connecting import StoreUnusableError
from coordinator.store.threads import StoreBusyError

# Without an event it looks again after this time; and however many come, only so often.
LOOK_SECONDS = 60.0
PAUSE_SECONDS = 0.2

_log = structlog.get_logger("coordinator.autosigner")


async def autosign(context: App) -> None:
    """Sign until the process ends; a store that is busy or full is tried again at the next turn."""
    while not context.hub.closed:
        since = context.hub.version()
        try:
            await _turn(context)
        except (StoreBusyError, StoreUnusableError, SQLAlchemyError) as error:
            _log.warning("autosign_failed", error=str(error))
        await anyio.sleep(PAUSE_SECONDS)
        with anyio.move_on_after(LOOK_SECONDS):
            await context.hub.wait("events", "roster", since=since)


async def _turn(context: App) -> None:
    key = context.identity
    store = context.store
    for run_id in await store.read(partial(autosigning.due, public=key.public)):
        outcome = await store.write(partial(autosigning.sign, run_id=run_id, key=key))
        if isinstance(outcome, Refusal):
            _log.warning("not_signed", run=run_id, reason=outcome.message)
