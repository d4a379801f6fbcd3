"""One call of the API as handlers see it: who asks, reading, changing, refusals on the way out.

Handlers stay thin: they name a domain function and the type of its answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from coordinator.api import problems, tracing
from coordinator.context import App
from coordinator.domain import idempotency
from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal, RefusalKind, invalid
from coordinator.store.database import Tx

T = TypeVar("T")
_ETAG = re.compile(r'(?:W/)?"([0-9]{1,15})"\Z')
_WAIT = re.compile(r"(?:^|,)\s*wait\s*=\s*([0-9]{1,4})\s*(?:,|;|\Z)")
_ASYNC = re.compile(r"(?:^|,)\s*respond-async\s*(?:,|;|\Z)")
# How long a plan is waited for unless the caller says otherwise (`Prefer: wait=N`), in seconds.
DEFAULT_WAIT = 30.0
MAX_WAIT = 120.0

ApiRequest = Request[Actor | None, object, State]


class Call:
    """One authenticated request and the parts it works with."""

    def __init__(self, request: ApiRequest, context: App) -> None:
        self.request = request
        self.context = context

    @property
    def actor(self) -> Actor:
        """The operator who asks; only operations with a role in the table have one."""
        user = self.request.user
        if user is None:
            raise AssertionError("an open operation asked for its operator")
        return user

    @property
    def source(self) -> str:
        """The address that the request came from."""
        client = self.request.client
        return client.host if client is not None else ""

    @property
    def trace(self) -> tracing.Trace:
        """The ids of this request."""
        return tracing.of(self.request.scope)

    async def read(self, job: Callable[[Tx], T | Refusal]) -> T:
        """Return what a reading job returns.

        Raises:
            ProblemError: it refused.
        """
        return accept(await self.context.store.read(job))

    async def change(self, job: Callable[[Tx], T | Refusal]) -> T:
        """Return what a writing job returns, once that is on disk.

        Raises:
            ProblemError: it refused.
        """
        return accept(await self.context.store.write(job))

    async def create(self, kind: type[T], job: Callable[[Tx], T | Refusal]) -> T:
        """Do `change`, at most once for an `Idempotency-Key`; `kind` is the type of the answer.

        Raises:
            ProblemError: it refused, or the key came with another request before.
        """
        request, actor = self.request, self.actor
        key = request.headers.get("idempotency-key")
        body = await request.body() if key is not None else b""
        digest = f"{request.method} {request.scope['path']}\n".encode() + body
        return accept(
            await self.context.store.write(
                lambda tx: idempotency.once(tx, actor, key, digest, job, kind)
            )
        )

    def expected_version(self) -> int | None:
        """Return the resource version that `If-Match` asks for, None for any.

        Raises:
            ProblemError: the header is not an entity tag of ours.
        """
        header = self.request.headers.get("if-match")
        if header is None or header.strip() == "*":
            return None
        match = _ETAG.match(header.strip())
        if match is None:
            message = 'If-Match must be "N" with the resource_version, or *'
            raise problems.ProblemError(invalid("If-Match", message))
        return int(match[1])

    def patience(self) -> float:
        """Return how many seconds the caller wants to wait for a result (`Prefer`, RFC 7240)."""
        header = self.request.headers.get("prefer", "").lower()
        if _ASYNC.search(header):
            return 0.0
        match = _WAIT.search(header)
        return min(float(match[1]), MAX_WAIT) if match is not None else DEFAULT_WAIT


def accept(outcome: T | Refusal) -> T:
    """Return an outcome that is no refusal.

    Raises:
        ProblemError: it is one.
    """
    if isinstance(outcome, Refusal):
        raise problems.ProblemError(outcome)
    return outcome


def refuse(kind: RefusalKind, message: str) -> problems.ProblemError:
    """Return the error to raise for a refusal that only the API can know of."""
    return problems.ProblemError(Refusal(kind, message))


def provide_call(request: Request[Actor | None, object, State]) -> Call:
    """Make the call of a request, for the framework's injection."""
    context: App = request.app.state.context
    return Call(request, context)


# What handlers write as the type of their `call`.
Caller = NamedDependency[SkipValidation[Call]]
