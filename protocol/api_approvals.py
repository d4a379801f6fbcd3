"""The bodies of the API where operators sign together: approvals, rosters, statements.

Nothing here is to be believed by itself: client and host judge the envelopes.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from protocol import dsse
from protocol.messages import StepKind

ApprovalStatus = Literal["pending", "approved", "denied", "expired", "revoked", "cancelled"]
ProposalStatus = Literal["open", "accepted", "void", "expired"]


class Signed(msgspec.Struct, frozen=True):
    """One signature on a decision; `counts` says whether it is among those that the rule counts."""

    operator_id: str
    username: str
    counts: bool


class Waiting(msgspec.Struct, frozen=True):
    """What an approval still takes: how many more signatures, and of whom they may be.

    `requester` is whose own signature is missing, "" if it is there or not asked for.
    """

    signatures: int
    requester: str
    of: tuple[str, ...]


class Approval(msgspec.Struct, frozen=True):
    """GET /approvals/{run_id}: what a run waits for, who signed, who still may.

    Times are RFC 3339. `expires_at` is when the signatures given, or else the run, end.
    """

    run_id: str
    step: StepKind
    scope: str
    status: ApprovalStatus
    created_at: str
    created_by: str
    expires_at: str
    modules: tuple[str, ...]
    nodes: tuple[str, ...]
    posture: str
    quorum: int
    requester_excluded: bool
    removal_limit: int = 0
    action_hash: str | None = None
    decision_id: str | None = None
    requested_by: str | None = None
    signed: tuple[Signed, ...] = ()
    waiting: Waiting | None = None
    decision: dsse.Envelope | None = None


class ApprovalPage(msgspec.Struct, frozen=True):
    """GET /approvals: newest first."""

    approvals: tuple[Approval, ...]
    total: int


class RevokeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /approvals/{decision_id}/revoke: a signed revocation."""

    envelope: dsse.Envelope


class Revoked(msgspec.Struct, frozen=True):
    """What became of a revocation: the decision that is void, its run, where that stands."""

    decision_id: str
    run_id: str
    phase: str


class Proposal(msgspec.Struct, frozen=True):
    """One proposed roster: who signed it, how many signatures it takes. Times are RFC 3339."""

    digest: str
    version: int
    status: ProposalStatus
    proposed_by: str
    created_at: str
    expires_at: str
    signed: tuple[str, ...]
    threshold: int
    envelope: dsse.Envelope


class ProposalPage(msgspec.Struct, frozen=True):
    """GET /roster/proposals: newest first."""

    proposals: tuple[Proposal, ...]


class ProposeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /roster/proposals: the next version with one signature at least."""

    envelope: dsse.Envelope


class SignProposalRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /roster/proposals/{digest}/signatures: more signatures over the same bytes."""

    signatures: tuple[dsse.Signature, ...]


class StatementRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """PUT /agents/{node_id}/statement: what an operator signs about a host."""

    envelope: dsse.Envelope


class StatementResponse(msgspec.Struct, frozen=True):
    """GET /agents/{node_id}/statement: the newest one."""

    node_id: str
    version: int
    envelope: dsse.Envelope
