"""Refusals and failures as HTTP: the only file that holds a 4xx or 5xx number.

Status, public code, public message and private detail are kept apart: a message of an unexpected
exception goes to the log and never to the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec
import structlog
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException, MethodNotAllowedException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import Method

from coordinator.api import tracing
from coordinator.domain.refusals import Refusal, RefusalKind, invalid
from coordinator.store.connecting import StoreUnusableError
from coordinator.store.threads import StoreBusyError, StoreClosedError
from protocol import api, explanations
from protocol.errors import DecodeError, InvalidName, StandfastError
from protocol.limits import MAX_ARTIFACT, MAX_BODY

ProblemKind = (
    RefusalKind
    | Literal[
        "method_not_allowed", "payload_too_large", "unsupported_media_type", "internal_server_error"
    ]
)
STATUS: Mapping[ProblemKind, int] = {
    "bad_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "conflict": 409,
    "payload_too_large": 413,
    "unsupported_media_type": 415,
    "validation_failed": 422,
    "too_many_requests": 429,
    "internal_server_error": 500,
    "unavailable": 503,
}
_KINDS: Mapping[int, ProblemKind] = {number: kind for kind, number in STATUS.items()}
_CODES: Mapping[ProblemKind, str] = {"unavailable": "service_unavailable"}
_MEANINGS: Mapping[ProblemKind, str] = {
    "bad_request": "The request breaks a rule; `details` says which field and what is right.",
    "unauthorized": "No valid session token came with the request.",
    "forbidden": "The operator's role does not allow this.",
    "not_found": "There is no such object.",
    "conflict": "The object is not in the state that the request needs.",
    "payload_too_large": "The body is over the limit.",
    "validation_failed": "A field breaks its rule; `details` says which and how.",
    "too_many_requests": "Too many requests; `retry-after` says when to come back.",
    "unavailable": "The coordinator cannot do this now; trying again later may help.",
}
_AGAIN_SECONDS = "5"
# What the decoder says of a body that breaks off, without saying where.
_TRUNCATED = "Input data was truncated"
_METHODS: tuple[Method, ...] = ("GET", "POST", "PUT", "PATCH", "DELETE")

# The one operation whose body is no JSON document, but the bytes of an artifact.
_UPLOAD = "/api/v1/artifacts/"

AnyRequest = Request[object, object, State]
_log = structlog.get_logger("coordinator.api")


class _Wrong(msgspec.Struct, frozen=True):
    """What the framework says of one value that does not fit its type."""

    message: str
    key: str = "body"


class ProblemError(Exception):
    """Carries a refusal from a handler or guard out to its answer; raised in `api` only."""

    def __init__(self, refusal: Refusal, kind: ProblemKind | None = None) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.kind: ProblemKind = kind or refusal.kind


def body_limit(method: str, path: str) -> int:
    """Return how many bytes the body of a request may have."""
    return MAX_ARTIFACT if method == "PUT" and path.startswith(_UPLOAD) else MAX_BODY


def documented(*kinds: ProblemKind) -> dict[int, ResponseSpec]:
    """Return the error answers of an operation for the API document, by status number."""
    return {
        STATUS[kind]: ResponseSpec(
            data_container=api.ErrorResponse,
            description=_MEANINGS.get(kind, kind),
            generate_examples=False,
        )
        for kind in kinds
    }


def body(scope_state: tracing.StateHolder, kind: ProblemKind, refusal: Refusal) -> bytes:
    """Return the JSON of an error answer, for those who answer below the framework."""
    return tracing.encode(_envelope(tracing.of(scope_state), kind, refusal))


def answer(request: AnyRequest, error: Exception) -> Response[api.ErrorResponse]:
    """Return the answer to a request whose handling raised."""
    match error:
        case ProblemError():
            return _answer(request, error.kind, error.refusal)
        case HTTPException():
            return _from_framework(request, error)
        case DecodeError() | InvalidName() | UnicodeError():
            return _answer(request, "bad_request", Refusal("bad_request", str(error)))
        case RecursionError():
            refusal = Refusal("bad_request", "the JSON is nested too deeply")
            return _answer(request, "bad_request", refusal)
        case StoreBusyError() | StoreClosedError() | StoreUnusableError():
            return _from_store(request, error)
        case _:
            return _from_unexpected(request, error)


def _envelope(trace: tracing.Trace, kind: ProblemKind, refusal: Refusal) -> api.ErrorResponse:
    code = refusal.code or _CODES.get(kind, kind)
    known = explanations.explain(code)
    following = known.next if known is not None and known.next else None
    error = api.ErrorBody(code, refusal.message, refusal.details, following)
    return api.ErrorResponse(error, trace.meta())


def _answer(
    request: AnyRequest, kind: ProblemKind, refusal: Refusal, headers: Mapping[str, str] = {}
) -> Response[api.ErrorResponse]:
    added = dict(headers)
    if kind == "unauthorized":
        added["www-authenticate"] = 'Bearer realm="standfast"'
    if kind in {"too_many_requests", "unavailable"}:
        added.setdefault("retry-after", _AGAIN_SECONDS)
    if kind == "payload_too_large":
        # The rest of the body is still on its way; only a closed connection stops it.
        added["connection"] = "close"
    content = _envelope(tracing.of(request.scope), kind, refusal)
    return Response(content, status_code=STATUS[kind], headers=added, media_type="application/json")


def _from_store(request: AnyRequest, error: StandfastError) -> Response[api.ErrorResponse]:
    _log.warning("store", request_id=tracing.of(request.scope).request_id, error=str(error))
    refusal = Refusal("unavailable", "the store cannot take this now; try again")
    return _answer(request, "unavailable", refusal)


def _from_framework(request: AnyRequest, error: HTTPException) -> Response[api.ErrorResponse]:
    kind = _KINDS.get(error.status_code)
    if kind is None or kind == "internal_server_error":
        return _from_unexpected(request, error)
    if isinstance(error, ValidationException):
        return _from_validation(request, error)
    headers: dict[str, str] = {}
    message = error.detail
    match kind:
        case "not_found":
            message = f"there is nothing at {request.scope['path'][:200]}"
        case "method_not_allowed" if isinstance(error, MethodNotAllowedException):
            headers["allow"] = ", ".join(_allowed(request))
            message = f"{request.method} is not possible here; allowed: {headers['allow']}"
        case "payload_too_large":
            limit = body_limit(request.method, request.scope["path"])
            message = f"a body has at most {limit} bytes"
        case "bad_request" if message == _TRUNCATED:
            end = request.headers.get("content-length", "its end")
            message = f"the JSON ends too early, or in half a surrogate pair (byte {end})"
        case _:
            pass
    return _answer(request, kind, Refusal("bad_request", message), headers)


def _from_validation(
    request: AnyRequest, error: ValidationException
) -> Response[api.ErrorResponse]:
    found: dict[str, tuple[str, ...]] = {}
    for item in msgspec.convert(error.extra or [], list[_Wrong], strict=False):
        if (item.key, item.message) == ("data", "'data'"):
            return _answer(request, "bad_request", invalid("body", "a JSON body is required"))
        found[item.key] = (*found.get(item.key, ()), item.message)
    kind: ProblemKind = "bad_request"
    if found and request.route_handler.opt.get("invalid") == "validation_failed":
        kind = "validation_failed"
    where = "; ".join(f"{key}: {', '.join(texts)}" for key, texts in found.items())
    return _answer(request, kind, Refusal("bad_request", where or error.detail, found or None))


def _from_unexpected(request: AnyRequest, error: Exception) -> Response[api.ErrorResponse]:
    trace = tracing.of(request.scope)
    _log.error(
        "request failed",
        request_id=trace.request_id,
        method=request.method,
        path=request.scope["path"][:200],
        exc_info=error,
    )
    message = f"this is a bug or a fault of the coordinator; its log has {trace.request_id}"
    return _answer(request, "internal_server_error", Refusal("unavailable", message))


def _allowed(request: AnyRequest) -> list[str]:
    found: list[str] = []
    for method in _METHODS:
        try:
            request.app.asgi_router.handle_routing(path=request.scope["path"], method=method)
        except HTTPException:
            continue
        found.append(method)
    return found
