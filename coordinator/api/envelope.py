"""What stands round every request: its ids, the body limit, security headers, one log line.

Pure ASGI outside the framework, so that a 404 or a refused body has them as well.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import cast

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from coordinator.api import limits, problems, tracing
from coordinator.clock import Clock

_log = structlog.get_logger("coordinator.api")
Headers = Iterable[tuple[bytes, bytes]]
_ALWAYS: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
)


def wrap(app: ASGIApp, clock: Clock, entropy: Callable[[int], bytes] = os.urandom) -> ASGIApp:
    """Return the application with ids, limits and logging round it."""

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        headers = scope["headers"]
        trace = tracing.begin(
            _header(headers, b"x-request-id"),
            _header(headers, b"traceparent"),
            clock(),
            entropy(18),
        )
        # A new mapping: the server shares the one it gives among all requests.
        scope["state"] = {**_state(scope), tracing.STATE_KEY: trace}
        answer = _Answer(send, trace)
        length = _header(headers, b"content-length")
        refused = limits.refused_length(length, problems.body_limit(scope["method"], scope["path"]))
        try:
            if refused is None:
                await app(scope, receive, answer.send)
            else:
                await limits.refuse(scope, answer.send, refused)
        finally:
            _log.info(
                "request",
                method=scope["method"],
                path=scope["path"][:200],
                status=answer.status,
                request_id=trace.request_id,
                seconds=round(max(0.0, clock() - trace.now), 4),
            )

    return outer


class _Answer:
    """Sends an answer on, with the headers that every answer has."""

    def __init__(self, send: Send, trace: tracing.Trace) -> None:
        self._send = send
        self._trace = trace
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._added(message["headers"])]
        await self._send(message)

    def _added(self, present: Headers) -> list[tuple[bytes, bytes]]:
        names = {name.lower() for name, _ in present}
        added = [(b"x-request-id", self._trace.request_id.encode())]
        if self._trace.traceparent is not None:
            added.append((b"traceparent", self._trace.traceparent.encode()))
        return added + [pair for pair in _ALWAYS if pair[0] not in names]


def _state(scope: Mapping[str, object]) -> dict[str, object]:
    return cast("dict[str, object]", scope.get("state", {}))


def _header(headers: Headers, name: bytes) -> bytes | None:
    return next((value for key, value in headers if key == name), None)
