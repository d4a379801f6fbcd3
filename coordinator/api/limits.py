"""How much a request may bring: body size before a byte is read, known query parameters only.

A chunked body has no size to look at; the framework counts it with the same limit as it comes.
"""

from __future__ import annotations

from collections.abc import Mapping

from litestar.handlers import BaseRouteHandler
from litestar.params import CookieParameter, HeaderParameter, ParameterKwarg
from litestar.types import HTTPScope, Send

from coordinator.api import problems
from coordinator.domain.refusals import Refusal
from protocol.limits import MAX_BODY

# What the framework injects by name; these never come from the query.
_RESERVED = frozenset(
    {"body", "cookies", "data", "headers", "query", "request", "scope", "socket", "state"}
)
# The names of a query string that are looked at; one more is refused with the unknown ones.
_MAX_SHOWN = 5


def refused_length(
    content_length: bytes | None, limit: int = MAX_BODY
) -> problems.ProblemKind | None:
    """Say what is wrong with a declared body size, if anything."""
    if content_length is None:
        return None
    # More than 18 digits is over every limit, and would only cost time to convert.
    if not content_length.isdigit() or len(content_length) > 18:
        return "bad_request" if not content_length.isdigit() else "payload_too_large"
    return "payload_too_large" if int(content_length) > limit else None


async def refuse(scope: HTTPScope, send: Send, kind: problems.ProblemKind) -> None:
    """Answer without reading the body, and have the connection closed after it."""
    limit = problems.body_limit(scope["method"], scope["path"])
    message = (
        f"a body has at most {limit} bytes"
        if kind == "payload_too_large"
        else "content-length is not a number"
    )
    content = problems.body(scope, kind, Refusal("bad_request", message))
    await send(
        {
            "type": "http.response.start",
            "status": problems.STATUS[kind],
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(content)).encode()),
                (b"connection", b"close"),
            ],
        }
    )
    await send({"type": "http.response.body", "body": content, "more_body": False})


def unknown_parameters(given: Mapping[str, str], handler: BaseRouteHandler) -> Refusal | None:
    """Say which query parameters the operation does not know, if any."""
    known = query_names(handler)
    unknown = sorted(set(given) - known)[:_MAX_SHOWN]
    if not unknown:
        return None
    allowed = ", ".join(sorted(known)) or "none"
    meant: tuple[str, ...] = (f"unknown; known here: {allowed}",)
    details = dict.fromkeys(unknown, meant)
    shown = ", ".join(repr(name[:64]) for name in unknown)
    return Refusal("bad_request", f"unknown query parameter {shown}", details)


def query_names(handler: BaseRouteHandler) -> frozenset[str]:
    """Return the query parameters that an operation reads."""
    injected = handler.resolve_dependencies()
    names: set[str] = set(handler.opt.get("query_names", ()))
    paths = "".join(handler.paths)
    for name, field in handler.parsed_fn_signature.parameters.items():
        if name in _RESERVED or name in injected or f"{{{name}:" in paths:
            continue
        marked = field.kwarg_definition
        if isinstance(marked, (HeaderParameter, CookieParameter)):
            continue
        given = marked.name if isinstance(marked, ParameterKwarg) else None
        names.add(given or name)
    return frozenset(names)


def check_query(given: Mapping[str, str], handler: BaseRouteHandler) -> None:
    """Refuse a request with an unknown query parameter.

    Raises:
        ProblemError: there is one.
    """
    refusal = unknown_parameters(given, handler)
    if refusal is not None:
        raise problems.ProblemError(refusal)
