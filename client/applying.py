"""From plans that were shown to a signed apply: confirm, compare, sign, follow, tell.

The order matters: the person says yes to what is on the screen, then the coordinator's run is held
against it, and only then is anything signed.
"""

from __future__ import annotations

import msgspec

from client.failures import ClientError, ExitCode
from client.planning import Planned, by_label, show_plan, wait, with_documents
from client.questions import confirm
from client.render.grouping import totals
from client.render.plan import summary
from client.render.results import run_lines, succeeded
from client.render.words import counted
from client.session import Session
from client.sign import Statement, check_removals, check_run, decide, shown_statement
from protocol.api import Run, RunRequest
from protocol.decisions import Verdict
from protocol.dsse import Envelope

# An apply may install packages on a slow host; our waiting ends, the run goes on.
APPLY_PATIENCE = 1_800.0
NOTHING = "Nothing to do: the hosts are as desired."


class Wish(msgspec.Struct, frozen=True):
    """What the operator allows and wants: removals a host, no question, a comment, no waiting."""

    removal_limit: int = 0
    yes: bool = False
    comment: str = ""
    wait: bool = True


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
    if run.phase != "waiting_approval":
        raise ClientError(
            f"run {run.run_id} does not wait for approval, it is {run.phase}",
            next_command=f"standfast runs show {run.run_id}",
            code="run_not_waiting",
        )
    made = check_run(run, planned.plans, wish.removal_limit, session.profile.scope)
    run = session.api.decide(run.run_id, _signed(session, made, "approve", wish.comment))
    if not wish.wait:
        return _left(session, run, made)
    session.out.note(f"signed sha256:{made.action_hash}; run {run.run_id} goes on")
    run = wait(session, run.run_id, APPLY_PATIENCE)
    if run.phase == "waiting_approval":
        raise ClientError(
            f"run {run.run_id} waits for the signature of one operator more",
            next_command=f"standfast approve {run.run_id}",
            code="quorum_missing",
        )
    return tell_run(session, run)


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
    trusted = session.trusted()
    scope = session.profile.scope
    return decide(
        made,
        verdict,
        session.key,
        scope=scope,
        epoch=trusted.roster.epoch(scope),
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
