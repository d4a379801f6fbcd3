"""/roster: the signed chain of operator lists, carried to hosts as it is."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from coordinator.api.calls import Caller
from coordinator.api.documented import Creating
from coordinator.api.problems import documented
from coordinator.domain import roster, roster_proposals
from protocol import api, api_approvals

TAGS = ["roster"]
After = Annotated[
    int, QueryParameter(ge=0, le=2**53 - 1, description="Only versions after this one.")
]


@get(
    "/roster",
    tags=TAGS,
    summary="Show the roster chain",
    responses=documented("bad_request", "unauthorized"),
)
async def show_roster(call: Caller, after: After = 0) -> api.RosterResponse:
    """Return version and digest held, and the chain, oldest first; version 0 means none yet."""
    return await call.read(lambda tx: roster.show(tx, after))


@post(
    "/roster",
    tags=TAGS,
    summary="Bring the next roster version",
    operation_class=Creating,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "conflict", "payload_too_large"
    ),
)
async def bring_roster(call: Caller, data: JSONBody[api.RosterRequest]) -> api.RosterResponse:
    """Take a version that a quorum of the admins of the one held has signed."""
    actor = call.actor
    return await call.create(api.RosterResponse, lambda tx: roster.accept(tx, actor, data.envelope))


@get(
    "/roster/proposals",
    tags=TAGS,
    summary="List proposed rosters",
    responses=documented("bad_request", "unauthorized"),
)
async def list_proposals(call: Caller) -> api_approvals.ProposalPage:
    """Return the latest proposals with who signed them, newest first."""
    return await call.read(roster_proposals.listing)


@post(
    "/roster/proposals",
    tags=TAGS,
    summary="Propose the next roster version",
    operation_class=Creating,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "conflict", "payload_too_large"
    ),
)
async def propose_roster(
    call: Caller, data: JSONBody[api_approvals.ProposeRequest]
) -> api_approvals.Proposal:
    """Take a version with one admin's signature at least; it collects the others for a week."""
    actor = call.actor
    return await call.create(
        api_approvals.Proposal, lambda tx: roster_proposals.propose(tx, actor, data.envelope)
    )


@get(
    "/roster/proposals/{digest:str}",
    tags=TAGS,
    summary="Show a proposed roster",
    responses=documented("bad_request", "unauthorized", "not_found"),
)
async def show_proposal(call: Caller, digest: FromPath[str]) -> api_approvals.Proposal:
    """Return one proposal."""
    return await call.read(lambda tx: roster_proposals.get(tx, digest))


@post(
    "/roster/proposals/{digest:str}/signatures",
    status_code=200,
    tags=TAGS,
    summary="Sign a proposed roster",
    operation_class=Creating,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "not_found", "conflict", "payload_too_large"
    ),
)
async def sign_proposal(
    call: Caller, digest: FromPath[str], data: JSONBody[api_approvals.SignProposalRequest]
) -> api_approvals.Proposal:
    """Add signatures; the one that makes them enough makes the proposal the roster."""
    actor = call.actor
    return await call.create(
        api_approvals.Proposal,
        lambda tx: roster_proposals.sign(tx, actor, digest, data.signatures),
    )


routes = (
    show_roster,
    bring_roster,
    list_proposals,
    propose_roster,
    show_proposal,
    sign_proposal,
)
