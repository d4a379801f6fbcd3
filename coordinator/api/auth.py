"""POST /auth/challenge and /auth/verify: how an operator's key becomes a session token."""

from __future__ import annotations

from litestar import post
from litestar.datastructures import State
from litestar.params import JSONBody

from coordinator.api.calls import Call, Caller, accept, refuse
from coordinator.api.problems import documented
from coordinator.api.rates import RateLimit
from coordinator.domain import auth
from coordinator.domain.refusals import Refusal
from protocol import api


@post(
    "/auth/challenge",
    status_code=200,
    tags=["auth"],
    summary="Ask for a log-in challenge",
    responses=documented("bad_request", "payload_too_large"),
)
async def challenge(
    call: Caller, state: State, data: JSONBody[api.ChallengeRequest]
) -> api.ChallengeResponse:
    """Return a nonce for any well-formed key, known or not; it may be answered once, for 60 s.

    Who asks too often gets the same one again for half a minute.
    """
    limit: RateLimit = state.log_in_rate
    crowded = not limit.admit(call.source, call.context.clock())
    own = call.context.identity.public.hex()
    return await call.change(lambda tx: auth.challenge(tx, data, own, crowded=crowded))


@post(
    "/auth/verify",
    status_code=200,
    tags=["auth"],
    summary="Answer a challenge",
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "payload_too_large", "too_many_requests"
    ),
)
async def verify(
    call: Caller, state: State, data: JSONBody[api.VerifyRequest]
) -> api.VerifyResponse:
    """Return a session token for the signature over the challenge's statement.

    Only wrong answers are counted and, beyond the limit, told to wait: a right one always passes.
    """
    own, source = call.context.identity.public.hex(), call.source
    lifetime = call.context.config.session_token_expiry_secs
    outcome = await call.context.store.write(
        lambda tx: auth.verify(tx, data, own, lifetime, source)
    )
    if isinstance(outcome, Refusal) and outcome.kind == "unauthorized":
        await _failed(call, state, data.public_key)
    return accept(outcome)


async def _failed(call: Call, state: State, public_key: str) -> None:
    now = call.context.clock()
    reports: RateLimit = state.report_rate
    # One bucket for all: however many strangers there are, the log grows by a few lines a minute.
    if reports.admit("", now):
        await call.context.store.write(lambda tx: auth.failed(tx, public_key, call.source))
    wrong: RateLimit = state.wrong_rate
    if not wrong.admit(call.source, now):
        raise refuse("too_many_requests", "too many wrong answers from this address; wait a little")


def admit(call: Call, state: State) -> None:
    """Count a request of a stranger's address.

    Raises:
        ProblemError: there were too many of them in the last minute.
    """
    limit: RateLimit = state.log_in_rate
    if not limit.admit(call.source, call.context.clock()):
        raise refuse("too_many_requests", "too many requests from this address; wait a little")


routes = (challenge, verify)
