"""`standfast approve` and `standfast approvals approve|deny|revoke`: one way to each of them."""

from __future__ import annotations

from client import approvals_api
from client.applying import Wish, approve_plan, deny_run
from client.commanding import decide_command
from client.failures import ClientError, NotFoundError
from client.planning import collect
from client.questions import confirm
from client.session import Session
from protocol import authority, decisions, dsse, ids, revocations
from protocol.api_approvals import Approval, Revoked, Signed
from protocol.decisions import Decision
from protocol.reasons import Refused
from protocol.revocations import Revocation
from protocol.roster import Roster


def decide_run(session: Session, run_id: str, wish: Wish, *, deny: bool) -> int:
    """Show the plans of a plan run or of an apply that waits, ask, and sign; return the exit code.

    Raises:
        ClientError: there is nothing to decide.
    """
    run = session.api.run(run_id)
    if run.step == "command.run":
        return decide_command(session, run, wish, deny=deny)
    waiting = run if run.step == "state.apply" else None
    if waiting is not None and run.plan_run_id is None:
        raise ClientError(
            f"run {run.run_id} ({run.phase}) has no plan yet",
            next_command=f"standfast runs show {run.run_id}",
            code="run_not_waiting",
        )
    planned = collect(session, session.api.run(run.plan_run_id) if run.plan_run_id else run)
    if not deny:
        return approve_plan(session, planned, wish, waiting)
    if waiting is None:
        raise ClientError(
            f"run {run.run_id} is a plan: nothing happens without a yes", code="run_not_waiting"
        )
    return deny_run(session, waiting, planned, wish)


def revoke(session: Session, text: str, reason: str, *, yes: bool) -> Revoked:
    """Take back the decision of a run, or of a decision id; return what became of it.

    Raises:
        NotFoundError: nothing was signed there.
    """
    found = _decided(session, text)
    decision = decisions.decode(found.decision) if found.decision is not None else None
    if not isinstance(decision, Decision):
        raise NotFoundError(
            f"nobody has signed anything for {text}",
            next_command="standfast approvals list",
            code="decision_not_found",
        )
    confirm(f"Take back decision {decision.decision_id} on run {found.run_id}?", yes=yes)
    statement = Revocation(
        v=1,
        decision_id=decision.decision_id,
        scope=decision.scope,
        at=int(session.now()),
        reason=reason,
        expires_at=decision.expires_at,
    )
    own = ids.operator_id(session.key.public)
    payload = revocations.encode(statement)
    envelope = dsse.sign(dsse.REVOCATION, payload, session.key, own)
    return approvals_api.revoke(session.api, decision.decision_id, envelope)


def held_roster(session: Session) -> Roster | None:
    """Return the roster that is trusted here; a program with a token trusts none."""
    return None if session.has_token else session.trusted().roster


def signers(found: Approval, held: Roster | None) -> tuple[str, ...]:
    """Return who has signed a decision, by the roster held here; what is no more than said, as so.

    A coordinator could name whom it likes, to have others follow them.
    """
    if held is None:
        return tuple(f"{one.username} (not proven)" for one in found.signed)
    proven = authority.holders(found.decision, held) if found.decision is not None else ()
    proven = () if isinstance(proven, Refused) else proven
    return tuple(_signer(one, held, one.operator_id in proven) for one in found.signed)


def _signer(one: Signed, held: Roster, proven: bool) -> str:
    person = held.find(one.operator_id)
    name = person.username if person is not None else one.operator_id
    if not proven:
        return f"{name} (not proven)"
    return name if one.counts else f"{name} (not counted)"


def _decided(session: Session, text: str) -> Approval:
    try:
        return approvals_api.approval(session.api, text)
    except NotFoundError:
        for one in approvals_api.approvals(session.api):
            if one.decision_id == text:
                return one
        raise
