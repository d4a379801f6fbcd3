"""Taking a decision back: the run stops, and every host learns that the decision is void.

A host that is away learns it when it comes back; a coordinator that keeps it from a host is bounded
by the decision's own end.
"""

from __future__ import annotations

from coordinator.domain import roster, run_plans, run_records
from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal, RefusalKind, invalid, not_found
from coordinator.store import decisions, runs
from coordinator.store import revocations as stored
from coordinator.store.database import Tx
from coordinator.store.events import NewEvent, Principal
from coordinator.store.revocations import StoredRevocation
from protocol import api_approvals, dsse
from protocol.reasons import Reason, Refused
from protocol.revocations import Revocation, verify
from protocol.run_events import CancelRequested
from protocol.runs import RUN_FINAL


def revoke(
    tx: Tx, by: Actor, decision_id: str, envelope: dsse.Envelope
) -> api_approvals.Revoked | Refusal:
    """Take a signed revocation: what waits for more signatures waits anew, what runs is stopped."""
    decision = decisions.get(tx, decision_id)
    if decision is None:
        return not_found("decision", decision_id)
    run = runs.get(tx, decision.run_id)
    if run is None:
        return not_found("run", decision.run_id)
    trusted = roster.current(tx)
    if trusted is None:
        return _refusal(Refused(Reason.ROSTER_UNKNOWN, "no roster is known yet"))
    found = verify(envelope, trusted.roster)
    if isinstance(found, Refused):
        return _refusal(found)
    wrong = _wrong(found, decision_id, run.details.scope, decision.expires_at)
    if wrong is not None:
        return invalid("envelope", wrong)
    if stored.get(tx, decision_id) is None:
        until = float(decision.expires_at)
        stored.add(tx, StoredRevocation(decision_id, envelope, by.username, tx.now, until))
        summary = f"decision {decision_id} was taken back" + (
            f": {found.reason}" if found.reason else ""
        )
        target = Principal("run", run.run_id, run.definition.step)
        event = NewEvent(
            "run.revoked", run.details.scope, by.principal(), target, summary, "warning"
        )
        tx.emit(event)
        tx.wake(f"run:{run.run_id}")
    if run.state.decision_id == decision_id and run.state.phase not in RUN_FINAL:
        stop = CancelRequested(tx.now, f"{by.username} took the approval back")
        run = run_records.record(tx, run, stop, by.principal())
        run_plans.after(tx, run)
    return api_approvals.Revoked(decision_id, run.run_id, run.state.phase)


def in_force(tx: Tx) -> tuple[StoredRevocation, ...]:
    """Return the revocations that hosts have to know of now."""
    return stored.in_force(tx)


def _wrong(found: Revocation, decision_id: str, scope: str, expires_at: int) -> str | None:
    if found.decision_id != decision_id:
        return f"it takes back {found.decision_id}, not {decision_id}"
    if found.scope != scope:
        return f"the decision is in scope {scope}, not {found.scope}"
    # A host forgets a revocation at this time: before the decision's own end it would hold again.
    if found.expires_at and found.expires_at < expires_at:
        return f"the decision ends at {expires_at}, the revocation at {found.expires_at}"
    return None


def _refusal(refused: Refused) -> Refusal:
    kind: RefusalKind = "forbidden" if refused.reason is Reason.ROLE_FORBIDDEN else "bad_request"
    return Refusal(kind, refused.detail, {"envelope": (refused.detail,)}, refused.reason)
