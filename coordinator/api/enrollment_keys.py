"""/enrollment_keys: the strings that let new hosts in; answers are `{data, meta}`."""

from __future__ import annotations

from datetime import datetime

import msgspec
from litestar import delete, get, patch, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody

from coordinator.api import calls, paging
from coordinator.api.auth import admit
from coordinator.api.calls import Call, Caller
from coordinator.api.documented import Creating
from coordinator.api.paging import Field, Grammar
from coordinator.api.problems import documented
from coordinator.context import App
from coordinator.domain import enrolment_keys
from coordinator.domain.enrolment_keys import Issuer
from protocol import api
from protocol.api import EnrolmentKeyInfo

TAGS = ["enrollment keys"]
_FIELD_RULES = {"invalid": "validation_failed"}


class KeyAnswer(msgspec.Struct, frozen=True):
    """One key."""

    data: EnrolmentKeyInfo
    meta: api.Meta


class KeyList(msgspec.Struct, frozen=True):
    """One page of keys."""

    data: tuple[EnrolmentKeyInfo, ...]
    meta: api.Meta


def grammar(now: float) -> Grammar[EnrolmentKeyInfo]:
    """Return what the list may be filtered and sorted by, at a time."""
    return Grammar(
        fields=(
            Field("cluster_name", "text", lambda k: k.cluster_name, wild=True, many=True),
            Field("name", "text", lambda k: k.name, wild=True, sortable=True),
            Field("has_name", "flag", lambda k: k.name is not None),
            # The string itself is not stored: the handler looks its hash up before.
            Field("key", "text", lambda k: k.key),
            Field(
                "uses_remaining", "number", lambda k: k.uses_remaining, sortable=True, ranges=True
            ),
            Field("is_unlimited", "flag", lambda k: k.uses_remaining is None),
            Field("is_spent", "flag", lambda k: k.uses_remaining == 0),
            Field("is_expired", "flag", lambda k: _before(k.expires_at, now)),
            Field("is_never_used", "flag", lambda k: k.last_used_at is None),
            Field("has_expiry", "flag", lambda k: k.expires_at is not None),
            _time("expires_at"),
            _time("last_used_at"),
            _time("inserted_at"),
            _time("updated_at"),
        ),
        identity=lambda k: k.id,
    )


def _time(name: str) -> Field[EnrolmentKeyInfo]:
    def read(key: EnrolmentKeyInfo) -> str | None:
        text: str | None = getattr(key, name)
        return text

    return Field(name, "time", read, sortable=True, exact=False, ranges=True)


def _before(text: str | None, now: float) -> bool:
    return text is not None and datetime.fromisoformat(text).timestamp() <= now


_GRAMMAR = grammar(0.0)


@post(
    ["/clusters/{cluster_name:str}/enrollment_keys", "/clusters/default/enrollment_keys"],
    tags=TAGS,
    summary="Make an enrollment key",
    operation_class=Creating,
    opt=_FIELD_RULES,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "not_found", "conflict", "payload_too_large",
        "validation_failed",
    ),
)  # fmt: skip
async def create_key(
    call: Caller,
    data: JSONBody[api.CreateEnrolmentKeyRequest],
    cluster_name: FromPath[str] = "default",
) -> KeyAnswer:
    """Make a key; `key` in the answer is the string, and it is never shown again."""
    actor, issuer = call.actor, _issuer(call.context)
    made = await call.create(
        EnrolmentKeyInfo,
        lambda tx: enrolment_keys.create(tx, actor, cluster_name, data, issuer),
    )
    return _answer(call, made)


@post(
    "/clusters/default/enrollment_keys/public",
    tags=TAGS,
    summary="Make a public enrollment key",
    responses=documented("forbidden", "conflict", "too_many_requests", "unavailable"),
)
async def create_public_key(call: Caller, state: State) -> KeyAnswer:
    """Make a key for one host for anybody who asks, if the settings allow that."""
    if not call.context.config.public_enrollment_key_enabled:
        raise calls.refuse("forbidden", "public enrolment keys are turned off here")
    admit(call, state)
    issuer = _issuer(call.context)
    made = await call.change(lambda tx: enrolment_keys.create_public(tx, issuer))
    return _answer(call, made)


@get(
    "/enrollment_keys",
    tags=TAGS,
    summary="List enrollment keys",
    operation_class=paging.operation(_GRAMMAR),
    opt={"query_names": _GRAMMAR.names()},
    responses=documented("bad_request", "unauthorized", "forbidden"),
)
async def list_keys(call: Caller) -> KeyList:
    """Return a page of keys, newest first unless sorted otherwise."""
    query = dict(call.request.query_params.items())
    text = query.pop("key", None)
    keys = await call.read(enrolment_keys.listing)
    if text is not None:
        wanted = await call.read(lambda tx: enrolment_keys.find_by_text(tx, text))
        keys = tuple(key for key in keys if key.id == wanted)
    page = calls.accept(paging.select(grammar(call.context.clock()), query, keys))
    return KeyList(page.items, call.trace.meta(page.pagination))


@get(
    "/enrollment_keys/{key_id:str}",
    tags=TAGS,
    summary="Show an enrollment key",
    responses=documented("bad_request", "unauthorized", "forbidden", "not_found"),
)
async def show_key(call: Caller, key_id: FromPath[str]) -> KeyAnswer:
    """Return one key without its string."""
    return _answer(call, await call.read(lambda tx: enrolment_keys.get(tx, key_id)))


@patch(
    "/enrollment_keys/{key_id:str}",
    tags=TAGS,
    summary="Change an enrollment key",
    opt=_FIELD_RULES,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "not_found", "payload_too_large",
        "validation_failed",
    ),
)  # fmt: skip
async def update_key(
    call: Caller, key_id: FromPath[str], data: JSONBody[api.UpdateEnrolmentKeyRequest]
) -> KeyAnswer:
    """Change name, uses or end; what is absent stays, null clears."""
    actor = call.actor
    return _answer(
        call, await call.change(lambda tx: enrolment_keys.update(tx, actor, key_id, data))
    )


@delete(
    "/enrollment_keys/{key_id:str}",
    tags=TAGS,
    summary="Delete an enrollment key",
    responses=documented("bad_request", "unauthorized", "forbidden", "not_found"),
)
async def delete_key(call: Caller, key_id: FromPath[str]) -> None:
    """Delete a key; hosts that came with it stay."""
    actor = call.actor
    await call.change(lambda tx: enrolment_keys.delete(tx, actor, key_id))


def _issuer(context: App) -> Issuer:
    return Issuer(context.config.urls(), context.identity.public, context.tls_fingerprint)


def _answer(call: Call, key: EnrolmentKeyInfo) -> KeyAnswer:
    return KeyAnswer(key, call.trace.meta())


routes = (create_key, create_public_key, list_keys, show_key, update_key, delete_key)
