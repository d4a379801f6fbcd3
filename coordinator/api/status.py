"""GET /status: a little to everybody, more to operators."""

from __future__ import annotations

from litestar import get

from coordinator.api.calls import Caller
from coordinator.api.problems import documented
from coordinator.domain import status
from protocol import api
from protocol.version import VERSION


@get(
    "/status", tags=["status"], summary="Health and identity", responses=documented("unauthorized")
)
async def show_status(call: Caller) -> api.Status:
    """Return protocol version, health and public key; with a session also roster and hosts."""
    public_key, rotations = call.context.identity.public, call.context.rotations
    if call.request.user is None:
        return status.public(public_key, rotations)
    return await call.read(lambda tx: status.full(tx, public_key, rotations, VERSION))


routes = (show_status,)
