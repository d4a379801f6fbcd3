"""Decisions on runs: signatures come in one by one, and the run goes on once they are enough.

The checks are those of a host, in the transaction of the change. A host checks again, with its own
roster, policy and memory: what is accepted here binds no host.
"""

from __future__ import annotations

from coordinator.domain import approving, roster, run_actions, run_views, signatures
from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal, not_found
from coordinator.domain.run_records import record
from coordinator.store import decisions as stored
from coordinator.store import revocations, runs
from coordinator.store.database import Tx
from coordinator.store.decisions import StoredDecision
from coordinator.store.events import NewEvent, Principal
from coordinator.store.runs import StoredRun
from protocol import api, authority, decisions, dsse
from protocol.decisions import Decision
from protocol.errors import DecodeError
from protocol.reasons import Reason, Refused
from protocol.roster import Role, Roster
from protocol.run_events import Approved, Denied

_SIGNERS: frozenset[Role] = frozenset({"admin", "operator", "viewer", "automation"})


def add_decision(tx: Tx, actor: Actor, run_id: str, envelope: dsse.Envelope) -> api.Run | Refusal:
    """Take a signed yes or no on a run that waits for one, and return the run after it.

    A yes to which others have signed already comes with the same payload: its signatures are put
    together. A no needs one signature.
    """
    run = runs.get(tx, run_id)
    if run is None:
        return not_found("run", run_id)
    decision = decisions.decode(envelope)
    if isinstance(decision, Refused):
        return _refusal(decision)
    known = stored.get(tx, decision.decision_id)
    if known is not None:
        if known.run_id != run_id or known.envelope.payload != envelope.payload:
            return _refusal(Refused(Reason.REPLAYED, "a decision with this id was taken already"))
        if run.state.phase != "waiting_approval":
            return run_views.show(tx, run)
    refused = _closed(tx, run, decision)
    if refused is not None:
        return refused
    trusted = roster.current(tx)
    if trusted is None:
        return _refusal(Refused(Reason.ROSTER_UNKNOWN, "no roster is known yet"))
    return _take(tx, actor, run, envelope, decision, known, trusted.roster)


def _closed(tx: Tx, run: StoredRun, decision: Decision) -> Refusal | None:
    run_id = run.run_id
    if run.state.phase != "waiting_approval" or run_actions.action(run) is None:
        return Refusal("conflict", f"run {run_id} is {run.state.phase} and waits for no decision")
    if revocations.get(tx, decision.decision_id) is not None:
        return _refusal(Refused(Reason.REVOKED, "this decision was taken back: sign a new one"))
    open_one = stored.collecting(tx, run_id)
    if (
        decision.verdict == "approve"
        and open_one is not None
        and open_one.decision_id != decision.decision_id
    ):
        return Refusal(
            "conflict",
            f"decision {open_one.decision_id} collects signatures for run {run_id} already: sign "
            "that one, or take it back first",
            code="decision_open",
        )
    missing = sorted(set(run.definition.nodes) - set(decision.nodes))
    if missing and not decision.nodes_root:
        return _refusal(Refused(Reason.NODE_NOT_NAMED, f"{missing[0]} is not among the nodes"))
    return None


def _take(
    tx: Tx,
    actor: Actor,
    run: StoredRun,
    envelope: dsse.Envelope,
    decision: Decision,
    known: StoredDecision | None,
    held: Roster,
) -> api.Run | Refusal:
    refused = approving.judge(tx, run, envelope, held, rules=False)
    if refused is not None:
        return _refusal(refused)
    try:
        whole = signatures.only_valid(envelope, held.keys(_SIGNERS))
        if known is not None:
            whole = signatures.merged(known.envelope, whole.signatures, held.keys(_SIGNERS))
    except DecodeError as error:
        return _refusal(Refused(Reason.ENVELOPE_INVALID, str(error)))
    signers = authority.holders(whole, held)
    if isinstance(signers, Refused):
        return _refusal(signers)
    _keep(tx, actor, run, decision, known, whole, signers)
    if decision.verdict == "deny":
        no = Denied(tx.now, decision.decision_id, decision.comment)
        return run_views.show(tx, record(tx, run, no, actor.principal()))
    waits = approving.judge(tx, run, whole, held, rules=True)
    if waits is None:
        yes = Approved(tx.now, decision.decision_id)
        return run_views.show(tx, record(tx, run, yes, actor.principal()))
    if waits.reason not in approving.UNFINISHED:
        return _refusal(waits)
    if known is None or whole != known.envelope:
        _emit_signed(tx, actor, run, waits)
    return run_views.show(tx, run)


def _keep(
    tx: Tx,
    actor: Actor,
    run: StoredRun,
    decision: Decision,
    known: StoredDecision | None,
    whole: dsse.Envelope,
    signers: tuple[str, ...],
) -> None:
    if known is not None:
        stored.put_signatures(tx, decision.decision_id, whole, signers)
        return
    stored.add(
        tx,
        StoredDecision(
            decision_id=decision.decision_id,
            run_id=run.run_id,
            verdict=decision.verdict,
            action_hash=decision.action_hash,
            expires_at=decision.expires_at,
            envelope=whole,
            submitted_by=actor.operator_id,
            signers=signers,
            at=tx.now,
        ),
    )


def _emit_signed(tx: Tx, actor: Actor, run: StoredRun, waits: Refused) -> None:
    tx.wake(f"run:{run.run_id}")
    target = Principal("run", run.run_id, run.definition.step)
    summary = f"{actor.username} signed; {waits.detail}"
    tx.emit(
        NewEvent("run.signed", run.details.scope, actor.principal(), target, summary),
    )


def _refusal(refused: Refused) -> Refusal:
    late = refused.reason in {Reason.REPLAYED, Reason.EXPIRED, Reason.EPOCH_OLD, Reason.REVOKED}
    return Refusal(
        "conflict" if late else "bad_request",
        refused.detail,
        {"envelope": (refused.detail,)},
        refused.reason.value,
    )
