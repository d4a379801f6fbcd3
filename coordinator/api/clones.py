"""/clones: hosts of which several hold the key, and the choice which of them is the host."""

from __future__ import annotations

from litestar import get, post
from litestar.params import FromPath, JSONBody

from coordinator.api.calls import Caller
from coordinator.api.documented import Deciding
from coordinator.api.problems import documented
from coordinator.domain import clones
from protocol import api_clones

TAGS = ["clones"]


@get("/clones", tags=TAGS, summary="List cloned hosts", responses=documented("unauthorized"))
async def list_clones(call: Caller) -> tuple[api_clones.Clones, ...]:
    """Return the hosts of which several hold the key while nobody has chosen."""
    return await call.read(clones.listing)


@get(
    "/agents/{node_id:str}/clones",
    tags=TAGS,
    summary="Show who holds a host's key",
    responses=documented("bad_request", "unauthorized", "not_found"),
)
async def show_clones(call: Caller, node_id: FromPath[str]) -> api_clones.Clones:
    """Return who holds a host's key, and who was sent away."""
    return await call.read(lambda tx: clones.show(tx, node_id))


@post(
    "/agents/{node_id:str}/clones",
    status_code=200,
    tags=TAGS,
    summary="Choose the holder that is the host",
    operation_class=Deciding,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "not_found", "conflict", "payload_too_large"
    ),
)
async def keep_clone(
    call: Caller, node_id: FromPath[str], data: JSONBody[api_clones.KeepRequest]
) -> api_clones.Clones:
    """Keep one holder of a host's key; the others are sent away from their next link on."""
    actor = call.actor
    return await call.create(api_clones.Clones, lambda tx: clones.keep(tx, actor, node_id, data))


routes = (list_clones, show_clones, keep_clone)
