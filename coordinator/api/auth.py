"""POST /auth/challenge and /auth/verify: how an operator's key becomes a session token."""

from __future__ import annotations

from litestar import post
from litestar.datastructures import State
from litestar.params import JSONBody

from coordinator.api.calls import Call, Caller, refuse
from coordinator.api.problems import documented
from coordinator.api.rates import RateLimit
from coordinator.domain import auth
from protocol import api


@post(
    "/auth/challenge",
    status_code=200,
    tags=["auth"],
    summary="Ask for a log-in challenge",
    responses=documented("bad_request", "payload_too_large", "too_many_requests"),
)
async def challenge(
    call: Caller, state: State, data: JSONBody[api.ChallengeRequest]
) -> api.ChallengeResponse:
    """Return a nonce for any well-formed key, known or not; it may be answered once, for 60 s."""
    admit(call, state)
    own = call.context.identity.public.hex()
    return await call.change(lambda tx: auth.challenge(tx, data, own))


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
    """Return a session token for the signature over the challenge's statement."""
    admit(call, state)
    own = call.context.identity.public.hex()
    lifetime = call.context.config.session_token_expiry_secs
    return await call.change(lambda tx: auth.verify(tx, data, own, lifetime))


def admit(call: Call, state: State) -> None:
    """Count a request of a stranger's address.

    Raises:
        ProblemError: there were too many of them in the last minute.
    """
    limit: RateLimit = state.log_in_rate
    client = call.request.client
    if not limit.admit(client.host if client is not None else "", call.context.clock()):
        raise refuse("too_many_requests", "too many requests from this address; wait a little")


routes = (challenge, verify)
