"""What an honest coordinator answers where operators sign together, for `FakeCoordinator`."""

from __future__ import annotations

import msgspec

from protocol import api, api_approvals, dsse, roster
from protocol.reports import content_digest
from protocol.roster import TrustedRoster
from tests.fakes.api_server import FakeCoordinator, Reply, Request, problem

SOON = "2100-01-01T00:00:00Z"


class Team:
    """Proposed rosters of a coordinator, and the approval of each of its runs."""

    def __init__(self, coordinator: FakeCoordinator) -> None:
        self.coordinator = coordinator
        self.proposals: dict[str, dsse.Envelope] = {}
        self.revoked: list[dsse.Envelope] = []
        self.approvals: dict[str, api_approvals.Approval] = {}
        coordinator.on("GET", "/roster/proposals", self._listing)
        coordinator.on("POST", "/roster/proposals", self._propose)
        coordinator.on("GET", "/approvals", self._waiting)

    def _listing(self, _request: Request) -> Reply:
        found = tuple(self.shown(one) for one in self.proposals)
        return Reply(api_approvals.ProposalPage(found))

    def shown(self, digest: str) -> api_approvals.Proposal:
        """A proposal as the API shows it."""
        envelope = self.proposals[digest]
        held = self.coordinator.trusted()
        accepted = held.digest == digest
        names = {one.operator_id: one.username for one in held.roster.operators}
        return api_approvals.Proposal(
            digest=digest,
            version=held.roster.version + (not accepted),
            status="accepted" if accepted else "open",
            proposed_by="lena",
            created_at=SOON,
            expires_at=SOON,
            signed=tuple(names.get(one.keyid, one.keyid) for one in envelope.signatures),
            threshold=held.roster.threshold,
            envelope=envelope,
        )

    def _propose(self, request: Request) -> Reply:
        asked = msgspec.json.decode(request.body, type=api_approvals.ProposeRequest)
        digest = content_digest(asked.envelope.content())
        self.proposals[digest] = asked.envelope
        path = f"/roster/proposals/{digest}/signatures"
        self.coordinator.on("POST", path, lambda one: self._sign(digest, one))
        return self._settled(digest)

    def _sign(self, digest: str, request: Request) -> Reply:
        asked = msgspec.json.decode(request.body, type=api_approvals.SignProposalRequest)
        held = self.proposals[digest]
        signatures = (*held.signatures, *asked.signatures)
        self.proposals[digest] = msgspec.structs.replace(held, signatures=signatures)
        return self._settled(digest)

    def _settled(self, digest: str) -> Reply:
        envelope = self.proposals[digest]
        if isinstance(roster.verify_next(self.coordinator.trusted(), envelope), TrustedRoster):
            self.coordinator.chain.append(envelope)
        return Reply(self.shown(digest))

    def wait_for(
        self, run: api.Run, envelope: dsse.Envelope | None, *names: str
    ) -> api_approvals.Approval:
        """Let a run wait for one signature more, of these people; return its approval."""
        made = api_approvals.Approval(
            run_id=run.run_id,
            step=run.step,
            scope=run.scope,
            status="pending",
            created_at=SOON,
            created_by="lena",
            expires_at=SOON,
            modules=run.modules,
            nodes=tuple(step.node_id for step in run.steps),
            posture="prod",
            quorum=2,
            requester_excluded=False,
            waiting=api_approvals.Waiting(1, "", names),
            decision=envelope,
        )
        self.approvals[run.run_id] = made
        self.coordinator.on("GET", f"/approvals/{run.run_id}", Reply(made))
        return made

    def _waiting(self, _request: Request) -> Reply:
        found = tuple(self.approvals.values())
        return Reply(api_approvals.ApprovalPage(found, len(found)))

    def let_revoke(self, decision_id: str, run_id: str) -> None:
        """Take a revocation of this decision."""

        def take(request: Request) -> Reply:
            asked = msgspec.json.decode(request.body, type=api_approvals.RevokeRequest)
            self.revoked.append(asked.envelope)
            return Reply(api_approvals.Revoked(decision_id, run_id, "cancelled"))

        self.coordinator.on("POST", f"/approvals/{decision_id}/revoke", take)

    def forget(self, run_id: str) -> None:
        """Know nothing of a run's approval."""
        missing = problem(404, "not_found", f"there is no approval {run_id!r}")
        self.coordinator.on("GET", f"/approvals/{run_id}", missing)
