"""From plans that were shown to a signed apply: confirm, compare, sign, follow, tell.

The order matters: the person says yes to what is on the screen, then the coordinator's run is held
against it, and only then is anything signed.
"""

from __future__ import annotations

import msgspec

from client import approvals_api
from client.failures import ClientError, ExitCode, NotFoundError
from client.planning import Planned, by_label, show_plan, wait, with_documents
from client.questions import confirm
from client.render.grouping import totals
from client.render.plan import summary
from client.render.results import run_lines, succeeded
from client.render.words import counted
from client.session import Session
from client.sign import (
    Statement,
    check_decision,
    check_removals,
    check_run,
    decide,
    has_signed,
    shown_statement,
)
from protocol import dsse, ids
from protocol.api import Run, RunRequest
from protocol.api_approvals import Approval
from protocol.decisions import Verdict
from protocol.dsse import Envelope

# An apply may install packages on a slow host; our waiting ends, the run goes on.
APPLY_PATIENCE = 1_800.0
NOTHING = "Nothing to do: the hosts are as desired."


class Wish(msgspec.Struct, frozen=True):
    """What the operator allows and wants: removals a host, no question, a comment, no waiting.

    `apply`: the apply is what is wanted, and not only one's own signature.
    """

    removal_limit: int = 0
    yes: bool = False
    comment: str = ""
    wait: bool = True
    apply: bool = False


def approve_plan(session: Session, planned: Planned, wish: Wish, waiting: Run | None) -> int:
    """Show plans, ask, sign and follow, or leave if the wish is so; return the exit code.

    `waiting` is the apply run that asks for the signature; without it one is started, but only
    after the yes.
    """
    made = _shown(session, planned, wish)
    if planned.missing:
        names = ", ".join(host.name or host.node_id for host in planned.missing[:5])
        raise ClientError(
            f"{counted(len(planned.missing), 'host')} gave no plan, "
            "so there is nothing to approve there",
            where=names,
            next_command="plan again without them, or: standfast why NODE",
            code="plan_missing",
        )
    if not planned.has_changes:
        _tell_nothing(session)
        return ExitCode.OK
    check_removals(planned.plans, wish.removal_limit)
    # The summary stands right above the question, unless the plans were not shown.
    question = summary(totals(by_label(planned.plans))) + "\n" if session.out.as_json else ""
    confirm(f"{question}Sign sha256:{made} and apply?", yes=wish.yes)
    run = waiting if waiting is not None else _start(session, planned, wish)
    return _sign_and_follow(session, planned, wish, run)


def deny_run(session: Session, run: Run, planned: Planned, wish: Wish) -> int:
    """Show the plans of a run that waits, ask, and sign a no; return the exit code."""
    if not session.out.as_json:
        show_plan(session, planned, run.removal_limit)
    confirm(f"Deny run {run.run_id}?", yes=wish.yes)
    made = check_run(run, planned.plans, run.removal_limit, session.profile.scope)
    run = session.api.decide(run.run_id, _signed(session, made, "deny", wish.comment))
    if session.out.as_json:
        session.out.document(run_document(session, run))
    else:
        session.out.lines([f"denied run {run.run_id}; it is {run.phase}"])
    return ExitCode.OK


def _shown(session: Session, planned: Planned, wish: Wish) -> str:
    if session.out.as_json:
        return shown_statement(planned.plans, wish.removal_limit).action_hash
    return show_plan(session, planned, wish.removal_limit).action_hash


def run_document(session: Session, run: Run) -> dict[str, object]:
    """Return a run in its stable JSON shape, each host's result document in it."""
    return {
        "run_id": run.run_id,
        "phase": run.phase,
        "succeeded": succeeded(run),
        "action_hash": run.action_hash,
        "hosts": with_documents(session, run).steps,
    }


def tell_run(session: Session, run: Run) -> int:
    """Print what became of an apply and return its exit code."""
    if session.out.as_json:
        session.out.document(run_document(session, run))
    else:
        session.out.lines(run_lines(with_documents(session, run)))
    return ExitCode.OK if succeeded(run) else ExitCode.RESOURCE_FAILED


def _start(session: Session, planned: Planned, wish: Wish) -> Run:
    nodes = tuple(host.node_id for host in planned.plans)
    run = session.api.create_run(
        RunRequest(
            step="state.apply",
            nodes=nodes,
            modules=planned.run.modules,
            plan_run_id=planned.run.run_id,
            removal_limit=wish.removal_limit,
        )
    )
    return wait(session, run.run_id, APPLY_PATIENCE)


def _sign_and_follow(session: Session, planned: Planned, wish: Wish, run: Run) -> int:
    signed_there = wish.apply and run.decision is not None
    if run.phase != "waiting_approval" and not signed_there:
        raise ClientError(
            f"run {run.run_id} does not wait for approval, it is {run.phase}",
            next_command=f"standfast runs show {run.run_id}",
            code="run_not_waiting",
        )
    made = check_run(run, planned.plans, wish.removal_limit, session.profile.scope)
    if run.phase == "waiting_approval":
        run = _give(session, run, made, wish)
    else:
        session.out.note("the coordinator has signed by itself, as the hosts' own policy allows")
    if run.phase != "waiting_approval" and wish.wait:
        session.out.note(f"signed sha256:{made.action_hash}; run {run.run_id} goes on")
        run = wait(session, run.run_id, APPLY_PATIENCE)
    if run.phase == "waiting_approval":
        return tell_waiting(session, run, made, wish)
    return tell_run(session, run) if wish.wait else _left(session, run, made)


def _give(session: Session, run: Run, made: Statement, wish: Wish) -> Run:
    """Sign, as the first or together with those who have; twice by the same key is once."""
    if run.decision is None:
        return session.api.decide(run.run_id, _signed(session, made, "approve", wish.comment))
    trusted = session.trusted()
    scope, now = session.profile.scope, session.now()
    check_decision(run.decision, made, scope=scope, roster=trusted.roster, now=now)
    if has_signed(run.decision, session.key):
        session.out.note("you have signed this already")
        # What was signed about the hosts, or the roster, may be other since: it is judged anew.
        return session.api.decide(run.run_id, run.decision)
    own = ids.operator_id(session.key.public)
    return session.api.decide(run.run_id, dsse.add_signature(run.decision, session.key, own))


def tell_waiting(session: Session, run: Run, made: Statement, wish: Wish) -> int:
    """Say that a run waits for more signatures, of whom and until when; return the exit code.

    Raises:
        ClientError: the apply itself was wished for, and has not come about.
    """
    found = _approval(session, run.run_id)
    missing = waiting_text(found) if found is not None else "more signatures"
    if found is not None and _counts_not(found, ids.operator_id(session.key.public)):
        session.out.note("your signature does not count: role or grants do not cover every host")
    following = f"standfast approve {run.run_id}"
    if wish.apply and wish.wait:
        raise ClientError(
            f"signed; run {run.run_id} waits for {missing}",
            next_command=f"{following}, by one of them; then it goes on by itself",
            code="quorum_missing",
        )
    if session.out.as_json:
        known = {"run_id": run.run_id, "phase": run.phase, "action_hash": made.action_hash}
        waiting = found.waiting if found is not None else None
        session.out.document({**known, "waiting": waiting, "next": following})
    else:
        session.out.lines(
            [f"signed sha256:{made.action_hash}; run {run.run_id} waits for {missing}"]
        )
        session.out.lines([f"next: {following}, by one of them"])
    return ExitCode.OK


def _counts_not(found: Approval, own: str) -> bool:
    asked = found.requester_excluded and found.requested_by
    return any(
        one.operator_id == own and not one.counts and one.username != asked for one in found.signed
    )


def waiting_text(found: Approval) -> str:
    """Return in words what an approval still takes."""
    waiting = found.waiting
    if waiting is None:
        return "nothing more"
    parts = [f"that of {waiting.requester}, who asked for it"] if waiting.requester else []
    others = [name for name in waiting.of if name != waiting.requester]
    if waiting.signatures:
        more = counted(waiting.signatures, "signature")
        parts.insert(0, f"{more} more, of {', '.join(others) or 'nobody who is left'}")
    return "; and ".join(parts) or "the hosts' own rules"


def _approval(session: Session, run_id: str) -> Approval | None:
    try:
        return approvals_api.approval(session.api, run_id)
    except NotFoundError:
        return None


def _left(session: Session, run: Run, made: Statement) -> int:
    following = f"standfast runs show {run.run_id}"
    if session.out.as_json:
        known = {"run_id": run.run_id, "phase": run.phase, "action_hash": made.action_hash}
        session.out.document({**known, "next": following})
    else:
        signed = f"signed sha256:{made.action_hash}; run {run.run_id} is {run.phase}"
        session.out.lines([signed, f"next: {following}"])
    return ExitCode.OK


def _signed(session: Session, made: Statement, verdict: Verdict, comment: str) -> Envelope:
    return decide(
        made,
        verdict,
        session.key,
        scope=session.profile.scope,
        roster=session.trusted().roster,
        now=session.now(),
        entropy=session.entropy(),
        comment=comment,
    )


def _tell_nothing(session: Session) -> None:
    if session.out.as_json:
        session.out.document(
            {
                "run_id": None,
                "phase": "completed",
                "succeeded": True,
                "action_hash": None,
                "hosts": [],
            }
        )
        return
    session.out.lines([NOTHING])
