"""Approvals: the runs that wait for signatures or had them, and what each still takes."""

from __future__ import annotations

from coordinator.domain import approving, roster, run_actions
from coordinator.domain.approving import Progress
from coordinator.domain.refusals import Refusal, not_found
from coordinator.domain.run_views import rfc3339
from coordinator.store import decisions as stored
from coordinator.store import revocations, runs
from coordinator.store.database import Tx
from coordinator.store.decisions import StoredDecision
from coordinator.store.runs import StoredRun
from protocol import api_approvals, decisions
from protocol.api_approvals import Approval, ApprovalStatus, Signed, Waiting
from protocol.decisions import Decision
from protocol.roster import Roster


def listing(tx: Tx, *, limit: int, offset: int) -> api_approvals.ApprovalPage:
    """Return the runs that wait for a decision, newest first, and how many there are."""
    found, total = runs.listing(tx, limit=limit, offset=offset, phase="waiting_approval")
    held = _roster(tx)
    return api_approvals.ApprovalPage(tuple(_view(tx, run, held) for run in found), total)


def get(tx: Tx, run_id: str) -> Approval | Refusal:
    """Return the approval of one apply, whatever became of it."""
    run = runs.get(tx, run_id)
    if run is None or run.definition.step not in {"state.apply", "command.run"}:
        return not_found("approval", run_id)
    return _view(tx, run, _roster(tx))


def _roster(tx: Tx) -> Roster | None:
    trusted = roster.current(tx)
    return trusted.roster if trusted is not None else None


def _view(tx: Tx, run: StoredRun, held: Roster | None) -> Approval:
    details, definition = run.details, run.definition
    kept = _kept(tx, run)
    decision = decisions.decode(kept.envelope) if kept is not None else None
    decision = decision if isinstance(decision, Decision) else None
    status = _status(tx, run, kept)
    envelope = kept.envelope if kept is not None else None
    progress = approving.progress(tx, run, held, envelope, decision) if held is not None else None
    ends = definition.deadline if kept is None else min(definition.deadline, kept.expires_at)
    return Approval(
        run_id=run.run_id,
        step=definition.step,
        scope=details.scope,
        status=status,
        created_at=rfc3339(details.created_at),
        created_by=details.actor.name,
        expires_at=rfc3339(ends),
        modules=tuple(module.name for module in details.modules),
        nodes=definition.nodes,
        posture=held.posture(details.scope) if held is not None else "",
        quorum=progress.rule.quorum if progress is not None else 1,
        requester_excluded=progress is not None and progress.rule.requester_excluded,
        removal_limit=details.removal_limit,
        action_hash=run_actions.action_hash(run),
        decision_id=kept.decision_id if kept is not None else None,
        requested_by=_name(held, decision.requested_by) if decision is not None else None,
        signed=_signed(held, kept, progress),
        waiting=_waiting(held, progress) if status == "pending" else None,
        decision=envelope,
    )


def _kept(tx: Tx, run: StoredRun) -> StoredDecision | None:
    if run.state.decision_id is not None:
        return stored.get(tx, run.state.decision_id)
    return stored.collecting(tx, run.run_id)


def _status(tx: Tx, run: StoredRun, kept: StoredDecision | None) -> ApprovalStatus:
    if run.state.phase in {"planning", "waiting_approval"}:
        return "pending"
    if run.state.decision_id is None:
        match run.state.phase:
            case "denied" | "expired" | "cancelled":
                return run.state.phase
            case _:
                return "approved"
    taken_back = kept is not None and revocations.get(tx, kept.decision_id) is not None
    return "revoked" if taken_back else "approved"


def _signed(
    held: Roster | None, kept: StoredDecision | None, progress: Progress | None
) -> tuple[Signed, ...]:
    if kept is None:
        return ()
    counted = progress.counted if progress is not None else ()
    return tuple(Signed(one, _name(held, one), one in counted) for one in kept.signers)


def _waiting(held: Roster | None, progress: Progress | None) -> Waiting | None:
    if progress is None:
        return None
    return Waiting(
        signatures=progress.missing,
        requester=_name(held, progress.requester) if progress.requester else "",
        of=tuple(_name(held, one) for one in progress.able),
    )


def _name(held: Roster | None, operator_id: str) -> str:
    found = held.find(operator_id) if held is not None else None
    return found.username if found is not None else operator_id
