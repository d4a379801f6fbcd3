"""`standfast commands`: what was run on many hosts, and what came of it."""

from __future__ import annotations

import click

from client.cli.globals import YES, GlobalGroup, opened

# Of a command in a list: what fits a line beside the rest.
MAX_TEXT = 60


@click.group(cls=GlobalGroup)
def commands() -> None:
    """Commands: list, show, cancel."""


@commands.command("list")
@click.pass_context
def list_commands(ctx: click.Context) -> int:
    """List the commands, newest first."""
    from client import commands_api

    with opened(ctx) as session:
        found = commands_api.commands(session.api)
        if session.out.as_json:
            session.out.document(found)
            return 0
        rows = [
            (
                one.id,
                " ".join(one.command_text.split())[:MAX_TEXT],
                ", ".join(f"{count} {name}" for name, count in sorted(one.executions.items())),
                session.out.when_text(one.inserted_at, never=""),
                one.created_by,
            )
            for one in found
        ]
        heads = ("COMMAND", "TEXT", "HOSTS", "CREATED", "BY")
        session.out.table(heads, rows, empty="no commands; next: standfast run CMD --on SELECTOR")
        return 0


@commands.command("show")
@click.argument("command_id", metavar="COMMAND")
@click.pass_context
def show(ctx: click.Context, command_id: str) -> int:
    """Show a command and its answers, equal ones once, and the hosts that are away."""
    from client.commanding import tell_command

    with opened(ctx) as session:
        return tell_command(session, command_id)


@commands.command("cancel")
@click.argument("command_id", metavar="COMMAND")
@click.option("--node", help="Only on this host.")
@YES
@click.pass_context
def cancel(ctx: click.Context, command_id: str, node: str | None, yes: bool) -> int:
    """Stop a command: where it has not begun it never will, where it runs it is ended."""
    from client import commands_api
    from client.failures import NotFoundError
    from client.node_names import find
    from client.questions import confirm

    with opened(ctx) as session:
        if node is None:
            confirm(f"Cancel command {command_id} on all its hosts?", yes=yes)
            session.api.cancel(command_id)
        else:
            wanted = find(session.api.agents(), node).node_id
            found = commands_api.executions(session.api, command_id)
            mine = next((one for one in found if one.node_id == wanted), None)
            if mine is None:
                raise NotFoundError(f"command {command_id} is not for {node}")
            confirm(f"Cancel command {command_id} on {node}?", yes=yes)
            commands_api.cancel(session.api, mine.id)
        if session.out.as_json:
            session.out.document({"command_id": command_id, "cancelled": True})
        else:
            shown = f"next: standfast commands show {command_id}"
            session.out.lines([f"cancelling {command_id}", shown])
        return 0
