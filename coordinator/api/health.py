"""GET /healthz and /readyz: probes that are open to everybody and count nothing."""

from __future__ import annotations

import msgspec
from litestar import get

from coordinator.api.calls import Caller, refuse
from coordinator.api.problems import documented
from coordinator.store.connecting import StoreUnusableError
from coordinator.store.database import Tx
from coordinator.store.threads import StoreBusyError, StoreClosedError


class Probe(msgspec.Struct, frozen=True):
    """The answer of a probe."""

    status: str


@get("/healthz", tags=["health"], summary="Is the process alive")
async def alive() -> Probe:
    """Answer as long as the event loop turns."""
    return Probe("ok")


@get("/readyz", tags=["health"], summary="Can it serve", responses=documented("unavailable"))
async def ready(call: Caller) -> Probe:
    """Answer once the store can be read."""
    try:
        await call.context.store.read(_nothing)
    except (StoreBusyError, StoreClosedError, StoreUnusableError) as error:
        raise refuse("unavailable", "the store cannot be read now") from error
    return Probe("ok")


def _nothing(tx: Tx) -> None:
    tx.conn.exec_driver_sql("SELECT 1")


routes = (alive, ready)
