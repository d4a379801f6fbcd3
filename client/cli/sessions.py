"""`standfast sessions`: where one is logged in, and ending it."""

from __future__ import annotations

import click

from client.cli.globals import YES, GlobalGroup, opened


@click.group(cls=GlobalGroup)
def sessions() -> None:
    """Log-ins that are not over: list, end.

    A log-in lasts an hour; terminal sessions are another matter.
    """


@sessions.command("list")
@click.option("--all", "everybody", is_flag=True, help="Everybody's; for admins.")
@click.pass_context
def list_sessions(ctx: click.Context, everybody: bool) -> int:
    """List your log-ins; `*` marks the one that asks."""
    from protocol.api_tokens import Sessions

    with opened(ctx) as session:
        params = {"everybody": "true"} if everybody else {}
        found = session.api.ask("GET", "/auth/sessions", Sessions, params=params).items
        out = session.out
        if out.as_json:
            out.document(found)
            return 0
        rows = [
            (
                "*" if one.current else "",
                one.session_id,
                one.username,
                one.source,
                out.when(one.created_at),
                out.when(one.last_used_at),
                out.when(one.expires_at),
            )
            for one in found
        ]
        heads = ("", "SESSION", "OPERATOR", "FROM", "SINCE", "LAST USED", "ENDS")
        out.table(heads, rows, empty="no sessions")
        return 0


@sessions.command("revoke")
@click.argument("session_id", required=False)
@click.option("--all", "everything", is_flag=True, help="All of yours, this one too.")
@click.option("--operator", metavar="ID", help="All of another operator; for admins.")
@YES
@click.pass_context
def revoke(
    ctx: click.Context, session_id: str | None, everything: bool, operator: str | None, yes: bool
) -> int:
    """End a log-in by its id, or all of one operator."""
    from urllib.parse import quote

    from client.failures import BadUsageError
    from client.questions import confirm
    from client.render.words import counted
    from protocol.api_tokens import Ended

    with opened(ctx) as session:
        if [session_id is not None, everything, operator is not None].count(True) != 1:
            raise BadUsageError(
                "give one of SESSION, --all, --operator ID", next_command="standfast sessions list"
            )
        if session_id is not None:
            session.api.end(f"/auth/sessions/{quote(session_id, safe='')}")
            ended = 1
        else:
            confirm("End all these log-ins?", yes=yes)
            params = {"operator_id": operator} if operator is not None else {}
            ended = session.api.ask("DELETE", "/auth/sessions", Ended, params=params).ended
        if session.out.as_json:
            session.out.document({"ended": ended})
        else:
            session.out.lines([f"ended {counted(ended, 'session')}"])
        return 0


@sessions.command("logout")
@click.pass_context
def logout(ctx: click.Context) -> int:
    """End the log-in of this profile, here and at the coordinator."""
    from client import login
    from protocol.api_tokens import LoggedOut

    with opened(ctx) as session:
        session.api.ask("POST", "/auth/logout", LoggedOut)
        login.forget_token(session.directory, session.profile)
        if session.out.as_json:
            session.out.document({"profile": session.profile.name, "logged_out": True})
        else:
            session.out.lines([f"logged out of {session.profile.name}"])
        return 0
