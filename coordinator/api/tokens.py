"""/tokens: named API tokens, under the published paths of both interfaces."""

from __future__ import annotations

from litestar import delete, get, post
from litestar.params import FromPath, JSONBody

from coordinator.api.calls import Caller
from coordinator.api.documented import Creating
from coordinator.api.problems import documented
from coordinator.domain import tokens
from protocol.api_tokens import CreatedToken, CreateTokenRequest, Tokens

TAGS = ["tokens"]
PATHS = ["/api/v1/tokens", "/v1/tokens"]


@get(
    PATHS,
    tags=TAGS,
    summary="List API tokens",
    responses=documented("bad_request", "unauthorized", "forbidden"),
)
async def list_tokens(call: Caller) -> Tokens:
    """Return all tokens by name, without their secrets."""
    return await call.read(tokens.listing)


@post(
    PATHS,
    tags=TAGS,
    summary="Make an API token",
    operation_class=Creating,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "conflict", "payload_too_large"
    ),
)
async def create_token(call: Caller, data: JSONBody[CreateTokenRequest]) -> CreatedToken:
    """Return the new token; this answer alone holds it, the coordinator keeps its hash."""
    actor = call.actor
    return await call.create(CreatedToken, lambda tx: tokens.create(tx, actor, data))


@delete(
    [f"{path}/{{name:str}}" for path in PATHS],
    tags=TAGS,
    summary="Revoke an API token",
    responses=documented("bad_request", "unauthorized", "forbidden", "not_found"),
)
async def revoke_token(call: Caller, name: FromPath[str]) -> None:
    """End a token; its next call is 401, and its name is free."""
    actor = call.actor
    await call.change(lambda tx: tokens.revoke(tx, actor, name))


routes = (list_tokens, create_token, revoke_token)
