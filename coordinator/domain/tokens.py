"""Named API tokens for programs: made by an admin, shown once, ended by name or time."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Literal

from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal, invalid, not_found
from coordinator.store import tokens
from coordinator.store.database import Tx
from coordinator.store.events import NewEvent, Principal
from coordinator.store.tokens import StoredToken
from protocol import ids, scopes
from protocol.api_tokens import (
    TOKEN_PREFIX,
    CreatedToken,
    CreateTokenRequest,
    Token,
    TokenCapability,
    Tokens,
)
from protocol.errors import DecodeError, InvalidName
from protocol.roster import Role

TOKEN_BYTES = 32
# One for each pipeline of a large organisation; a list of them is 300 KB.
MAX_TOKENS = 1_000
# The year 10000: past it no clock shows a time.
_MAX_TIME = 253_402_300_799


def create(tx: Tx, by: Actor, request: CreateTokenRequest) -> CreatedToken | Refusal:
    """Make a token; the answer alone holds it."""
    checked = _checked(tx, by, request)
    if isinstance(checked, Refusal):
        return checked
    secret = base64.urlsafe_b64encode(tx.entropy(TOKEN_BYTES)).decode().rstrip("=")
    token = TOKEN_PREFIX + secret
    if tokens.count(tx) >= MAX_TOKENS:
        return Refusal("conflict", f"there are {MAX_TOKENS} tokens already; revoke one")
    if not tokens.create(tx, token, checked):
        return Refusal("conflict", f"there is a token {checked.name!r} already")
    _emit(tx, "auth.token_created", by.principal(), checked, "was made")
    return CreatedToken(*_fields(checked), token=token)


def _checked(tx: Tx, by: Actor, request: CreateTokenRequest) -> StoredToken | Refusal:
    try:
        name = ids.check_name(request.name)
    except InvalidName as error:
        return invalid("name", str(error))
    try:
        scope = scopes.check_pattern(request.scope)
    except DecodeError as error:
        return invalid("scope", str(error))
    ends = request.expires_at
    if ends is not None and not tx.now < ends <= _MAX_TIME:
        return invalid("expires_at", "expires_at must be a unix second in the future")
    role = _role(request.role)
    capabilities = tuple(sorted(set(request.capabilities)))
    expires_at = None if ends is None else float(ends)
    return StoredToken(
        name, role, capabilities, scope, by.operator_id, by.username, tx.now, expires_at
    )


def _role(asked: Role | Literal["reader", "writer"]) -> Role:
    match asked:
        case "reader":
            return "viewer"
        case "writer":
            return "operator"
        case _:
            return asked


def listing(tx: Tx) -> Tokens:
    """Return all tokens by name, without their secrets."""
    return Tokens(tuple(Token(*_fields(one)) for one in tokens.listing(tx)))


def revoke(tx: Tx, by: Actor, name: str) -> Refusal | None:
    """End a token; its next call is refused."""
    removed = tokens.remove(tx, name)
    if removed is None:
        return not_found("token", name)
    _emit(tx, "auth.token_revoked", by.principal(), removed, "was revoked")
    return None


def _emit(tx: Tx, kind: str, by: Principal, token: StoredToken, what: str) -> None:
    target = Principal("token", token.name, token.name)
    summary = f"token {token.name} ({token.role}) {what}"
    tx.emit(NewEvent(kind, ids.DEFAULT_SCOPE, by, target, summary))


def _fields(
    made: StoredToken,
) -> tuple[str, Role, str, str, tuple[TokenCapability, ...], str, int | None, int | None]:
    return (
        made.name,
        made.role,
        datetime.fromtimestamp(int(made.created_at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        made.created_by,
        made.capabilities,
        made.scope,
        None if made.expires_at is None else int(made.expires_at),
        None if made.last_used_at is None else int(made.last_used_at),
    )
