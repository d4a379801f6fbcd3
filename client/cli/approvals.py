"""`standfast approvals`: what waits for signatures, who signed, who still has to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from client.cli.approve import COMMENT, REMOVALS, decide
from client.cli.globals import NO_WAIT, YES, GlobalGroup, opened

if TYPE_CHECKING:
    from client.session import Session
    from protocol.api_approvals import Approval


@click.group(cls=GlobalGroup)
def approvals() -> None:
    """Signatures that runs wait for: list, show, approve, deny, revoke."""


@approvals.command("list")
@click.pass_context
def list_approvals(ctx: click.Context) -> int:
    """List what waits for a decision, newest first."""
    from client import approvals_api
    from client.applying import waiting_text
    from client.deciding import held_roster, signers
    from client.render.words import counted

    with opened(ctx) as session:
        found = approvals_api.approvals(session.api)
        if session.out.as_json:
            session.out.document(found)
            return 0
        held = held_roster(session)
        rows = [
            (
                one.run_id,
                counted(len(one.nodes), "host"),
                ",".join(one.modules),
                one.created_by,
                ", ".join(signers(one, held)),
                waiting_text(one),
                session.out.when_text(one.expires_at, never=""),
            )
            for one in found
        ]
        heads = ("RUN", "HOSTS", "MODULES", "BY", "SIGNED", "WAITS FOR", "UNTIL")
        session.out.table(heads, rows, empty="nothing waits for a signature")
        return 0


@approvals.command("show")
@click.argument("run_id", metavar="RUN")
@click.pass_context
def show(ctx: click.Context, run_id: str) -> int:
    """Show what the approval of RUN takes, and who has signed."""
    from client import approvals_api

    with opened(ctx) as session:
        found = approvals_api.approval(session.api, run_id)
        if session.out.as_json:
            session.out.document(found)
            return 0
        session.out.fields({key: text for key, text in _fields(session, found).items() if text})
        if found.status == "pending":
            session.out.lines(["", f"next: standfast approve {found.run_id}"])
        return 0


@approvals.command("approve")
@click.argument("run_id", metavar="RUN")
@COMMENT
@REMOVALS
@YES
@NO_WAIT
@click.pass_context
def approve(
    ctx: click.Context,
    /,
    run_id: str,
    comment: str,
    removal_limit: int,
    yes: bool,
    no_wait: bool,
) -> int:
    """Show the plans of RUN, ask, and sign a yes: the same as `standfast approve`."""
    return decide(ctx, run_id, comment, removal_limit, deny=False, yes=yes, wait=not no_wait)


@approvals.command("deny")
@click.argument("run_id", metavar="RUN")
@COMMENT
@YES
@click.pass_context
def deny(ctx: click.Context, run_id: str, comment: str, yes: bool) -> int:
    """Show the plans of RUN, ask, and sign a no, which ends it."""
    return decide(ctx, run_id, comment, 0, deny=True, yes=yes, wait=True)


@approvals.command("revoke")
@click.argument("decision", metavar="RUN|DECISION")
@click.option("--reason", default="", help="Signed with the revocation.")
@YES
@click.pass_context
def revoke(ctx: click.Context, decision: str, reason: str, yes: bool) -> int:
    """Take a decision back: every host learns that it is void, what runs is stopped."""
    from client import deciding
    from protocol.limits import MAX_COMMENT

    if len(reason) > MAX_COMMENT:
        raise click.UsageError(f"--reason has at most {MAX_COMMENT} characters")
    with opened(ctx) as session:
        done = deciding.revoke(session, decision, reason, yes=yes)
        if session.out.as_json:
            session.out.document(done)
        else:
            session.out.lines(
                [
                    f"decision {done.decision_id} is void; run {done.run_id} is {done.phase}",
                    f"next: standfast runs show {done.run_id}",
                ]
            )
        return 0


def _fields(session: Session, found: Approval) -> dict[str, str]:
    from client.applying import waiting_text
    from client.deciding import held_roster, signers
    from client.render.rosters import rule_text
    from protocol.roster import ApprovalRule

    rule = ApprovalRule(found.quorum, found.requester_excluded)
    return {
        "run": found.run_id,
        "status": found.status,
        "modules": ", ".join(found.modules),
        "hosts": ", ".join(found.nodes),
        "asked for by": found.requested_by or found.created_by,
        "scope": f"{found.scope} ({found.posture})" if found.posture else found.scope,
        "rule": rule_text(rule),
        "signed by": ", ".join(signers(found, held_roster(session))),
        "waits for": waiting_text(found) if found.waiting is not None else "",
        "until": session.out.when_text(found.expires_at, never=""),
        "decision": found.decision_id or "",
        "action": f"sha256:{found.action_hash}" if found.action_hash else "",
    }
