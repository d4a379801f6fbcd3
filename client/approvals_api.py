"""Calls of the families where operators sign together: approvals, proposed rosters, statements.

As in `client.api`, nothing here decides whether to believe an answer.
"""

from __future__ import annotations

from urllib.parse import quote

from client.api import Api
from client.failures import NotFoundError
from protocol import api_approvals, dsse
from protocol.api_approvals import Approval, Proposal, StatementResponse

# A page of approvals; who has more than this waiting lists the runs.
PAGE = 100


def approvals(api: Api) -> tuple[Approval, ...]:
    """Return what waits for signatures, newest first."""
    page = api.ask("GET", "/approvals", api_approvals.ApprovalPage, params={"limit": str(PAGE)})
    return page.approvals


def approval(api: Api, run_id: str) -> Approval:
    """Return the approval of one run."""
    return api.ask("GET", f"/approvals/{_part(run_id)}", Approval)


def revoke(api: Api, decision_id: str, envelope: dsse.Envelope) -> api_approvals.Revoked:
    """Bring a signed revocation."""
    path = f"/approvals/{_part(decision_id)}/revoke"
    return api.ask("POST", path, api_approvals.Revoked, api_approvals.RevokeRequest(envelope))


def proposals(api: Api) -> tuple[Proposal, ...]:
    """Return the latest proposed rosters, newest first."""
    return api.ask("GET", "/roster/proposals", api_approvals.ProposalPage).proposals


def proposal(api: Api, digest: str) -> Proposal:
    """Return one proposed roster."""
    return api.ask("GET", f"/roster/proposals/{_part(digest)}", Proposal)


def propose(api: Api, envelope: dsse.Envelope) -> Proposal:
    """Bring a roster that needs more signatures than it has."""
    return api.ask("POST", "/roster/proposals", Proposal, api_approvals.ProposeRequest(envelope))


def sign_proposal(api: Api, digest: str, signature: dsse.Signature) -> Proposal:
    """Add a signature to a proposed roster."""
    path = f"/roster/proposals/{_part(digest)}/signatures"
    return api.ask("POST", path, Proposal, api_approvals.SignProposalRequest((signature,)))


def statement(api: Api, node_id: str) -> dsse.Envelope | None:
    """Return the newest statement about a host as it was signed, None if there is none."""
    try:
        found = api.ask("GET", _statement(node_id), StatementResponse)
    except NotFoundError as error:
        if error.code != "statement_missing":
            raise
        return None
    return found.envelope


def put_statement(api: Api, node_id: str, envelope: dsse.Envelope) -> StatementResponse:
    """Bring a newer statement about a host."""
    body = api_approvals.StatementRequest(envelope)
    return api.ask("PUT", _statement(node_id), StatementResponse, body)


def _statement(node_id: str) -> str:
    return f"/agents/{_part(node_id)}/statement"


def _part(text: str) -> str:
    return quote(text, safe="")
