"""The coordinator's own pulse: what time alone makes due in runs, looked at again and again."""

from __future__ import annotations

from typing import NoReturn

import anyio
import structlog
from sqlalchemy.exc import SQLAlchemyError

from coordinator.context import App
from coordinator.domain import runs
from coordinator.store import presence
from coordinator.store.database import Tx
from coordinator.store.threads import StoreBusyError

# A lease lives 60 s and a deadline 15 minutes: 5 s more or less is nobody's loss.
EVERY_SECONDS = 5.0

_log = structlog.get_logger("coordinator.sweeper")


def forget_links(tx: Tx) -> None:
    """Mark every host as cut off: no link of an earlier process is alive. For start-up."""
    presence.disconnect_all(tx)


def _pulse(tx: Tx) -> None:
    runs.sweep(tx)


async def sweep(context: App) -> NoReturn:
    """Sweep for ever; a store that is busy or full is tried again at the next turn.

    Start it before agents can come: its first turn marks every host as cut off.
    """
    job = forget_links
    while True:
        try:
            await context.store.write(job)
            job = _pulse
        except (StoreBusyError, SQLAlchemyError) as error:
            _log.warning("sweep_failed", error=str(error))
        await anyio.sleep(EVERY_SECONDS if job is _pulse else 0.1)
