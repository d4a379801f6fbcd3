"""/tags and /agents/{id}/tags: what selectors match on."""

from __future__ import annotations

from litestar import delete, get, put
from litestar.params import FromPath, JSONBody

from coordinator.api.calls import Caller
from coordinator.api.documented import Updating
from coordinator.api.problems import documented
from coordinator.domain import tags
from protocol import api

TAGS = ["agents"]
_REFUSALS = documented(
    "bad_request", "unauthorized", "forbidden", "not_found", "conflict", "payload_too_large"
)


@get(
    "/tags",
    tags=TAGS,
    summary="List tags in use",
    responses=documented("bad_request", "unauthorized"),
)
async def list_tags(call: Caller) -> api.TagsResponse:
    """Return every tag key in use with its values."""
    return await call.read(tags.everything)


@put(
    "/agents/{node_id:str}/tags",
    status_code=204,
    tags=TAGS,
    summary="Replace a host's tags",
    operation_class=Updating,
    responses=_REFUSALS,
)
async def replace_tags(
    call: Caller, node_id: FromPath[str], data: JSONBody[api.SetTagsRequest]
) -> None:
    """Set the whole set of tags."""
    actor, expected = call.actor, call.expected_version()
    await call.change(lambda tx: tags.replace(tx, actor, node_id, data.tags, expected))


@put(
    "/agents/{node_id:str}/tags/{key:str}",
    status_code=204,
    tags=TAGS,
    summary="Set one tag",
    operation_class=Updating,
    responses=_REFUSALS,
)
async def put_tag(
    call: Caller, node_id: FromPath[str], key: FromPath[str], data: JSONBody[api.SetTagRequest]
) -> None:
    """Set one tag, new or not."""
    actor, expected = call.actor, call.expected_version()
    await call.change(lambda tx: tags.put(tx, actor, node_id, key, data.value, expected))


@delete(
    "/agents/{node_id:str}/tags/{key:str}",
    tags=TAGS,
    summary="Remove one tag",
    operation_class=Updating,
    responses=_REFUSALS,
)
async def remove_tag(call: Caller, node_id: FromPath[str], key: FromPath[str]) -> None:
    """Remove one tag."""
    actor, expected = call.actor, call.expected_version()
    await call.change(lambda tx: tags.remove(tx, actor, node_id, key, expected))


routes = (list_tags, replace_tags, put_tag, remove_tag)
