"""The coordinator's own pulse: what time alone makes due in runs, looked at again and again."""

from __future__ import annotations

from functools import partial
from typing import NoReturn

import anyio
import structlog
from sqlalchemy.exc import SQLAlchemyError

from coordinator.context import App
from coordinator.domain import runs, secret_views
from coordinator.store import presence
from coordinator.store.connecting import StoreUnusableError
from coordinator.store.database import Tx
from coordinator.store.threads import StoreBusyError

# A lease lives 60 s and a deadline 15 minutes: 5 s more or less is nobody's loss.
EVERY_SECONDS = 5.0

_log = structlog.get_logger("coordinator.sweeper")


def forget_links(tx: Tx) -> None:
    """Mark every host as cut off: no link of an earlier process is alive. For start-up."""
    presence.disconnect_all(tx)


async def _turn(context: App) -> None:
    # Mostly nothing is due: then nothing is written, and the writer is left alone.
    if found := await context.store.read(runs.due):
        await context.store.write(partial(runs.sweep, run_ids=found))
    if ending := await context.store.read(secret_views.expiring):
        await context.store.write(partial(secret_views.warn, uids=ending))


async def sweep(context: App) -> NoReturn:
    """Sweep for ever; a store that is busy or full is tried again at the next turn.

    Start it before agents can come: its first turn marks every host as cut off.
    """
    started = False
    while True:
        try:
            if not started:
                await context.store.write(forget_links)
                started = True
            await _turn(context)
        except (StoreBusyError, StoreUnusableError, SQLAlchemyError) as error:
            _log.warning("sweep_failed", error=str(error))
        await anyio.sleep(EVERY_SECONDS if started else 0.1)
