"""The keeper of the event log: signs where it ends as it grows, removes what is older than decided.

One task. It looks at the stored log, so a restart is no special case.
"""

from __future__ import annotations

from functools import partial
from typing import NoReturn

import anyio
import structlog
from sqlalchemy.exc import SQLAlchemyError

from coordinator.context import App
from coordinator.domain import audit
from coordinator.store.connecting import StoreUnusableError
from coordinator.store.database import Tx
from coordinator.store.threads import StoreBusyError

# A head is at most so old when there is something new; 15 s of a log are what a thief of the
# database could still take back unseen.
HEAD_SECONDS = 15.0
# Retention is in days.
PRUNE_SECONDS = 3_600.0

_log = structlog.get_logger("coordinator.audit_keeper")


async def keep(context: App) -> NoReturn:
    """Keep the log for ever; a store that is busy or full is tried again at the next turn."""
    prune_at = anyio.current_time()
    while True:
        try:
            await sign(context)
            if anyio.current_time() >= prune_at:
                prune_at = anyio.current_time() + PRUNE_SECONDS
                await prune(context)
        except (StoreBusyError, StoreUnusableError, SQLAlchemyError) as error:
            _log.warning("audit_keeper_failed", error=str(error))
        await anyio.sleep(HEAD_SECONDS)


async def sign(context: App) -> None:
    """Sign where the log ends, if it grew."""
    # Mostly nothing is new: then nothing is written, and the writer is left alone.
    if await context.store.read(partial(audit.head_is_due, key=context.identity)):
        await context.store.write(partial(audit.sign_head, key=context.identity))


async def prune(context: App) -> None:
    """Remove what is older than the retention says."""
    days = context.config.audit_retention_days

    def due(tx: Tx) -> bool:
        return audit.old_is_there(tx, days)

    if await context.store.read(due):
        job = partial(audit.prune_old, key=context.identity, default_days=days)
        done = await context.store.write(job)
        _log.info("audit_pruned", deleted=done.deleted)
