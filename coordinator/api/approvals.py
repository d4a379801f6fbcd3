"""/approvals: what waits for signatures, who signed, and taking a decision back."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from coordinator.api.calls import Caller
from coordinator.api.documented import Creating
from coordinator.api.problems import documented
from coordinator.domain import approvals, revocations
from protocol import api_approvals

TAGS = ["approvals"]
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="Approvals on a page.")]
Offset = Annotated[int, QueryParameter(ge=0, le=2**53 - 1, description="How many to pass over.")]


@get(
    "/approvals",
    tags=TAGS,
    summary="List what waits for signatures",
    responses=documented("bad_request", "unauthorized"),
)
async def list_approvals(
    call: Caller, limit: Limit = 20, offset: Offset = 0
) -> api_approvals.ApprovalPage:
    """Return the runs that wait for a decision: who signed, what is still missing, until when."""
    return await call.read(lambda tx: approvals.listing(tx, limit=limit, offset=offset))


@get(
    "/approvals/{run_id:str}",
    tags=TAGS,
    summary="Show the approval of a run",
    responses=documented("bad_request", "unauthorized", "not_found"),
)
async def show_approval(call: Caller, run_id: FromPath[str]) -> api_approvals.Approval:
    """Return what the approval of a run takes, or took."""
    return await call.read(lambda tx: approvals.get(tx, run_id))


@post(
    "/approvals/{decision_id:str}/revoke",
    status_code=200,
    tags=TAGS,
    summary="Take a decision back",
    operation_class=Creating,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "not_found", "payload_too_large"
    ),
)
async def revoke_decision(
    call: Caller, decision_id: FromPath[str], data: JSONBody[api_approvals.RevokeRequest]
) -> api_approvals.Revoked:
    """Bring a signed revocation of a decision; hosts are told at once."""
    actor = call.actor
    return await call.create(
        api_approvals.Revoked, lambda tx: revocations.revoke(tx, actor, decision_id, data.envelope)
    )


routes = (list_approvals, show_approval, revoke_decision)
