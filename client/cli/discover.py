"""`standfast discover`: the coordinator announces itself, so that waiting hosts find it."""

from __future__ import annotations

import click

from client.cli.globals import GlobalCommand, opened


@click.command(cls=GlobalCommand)
@click.option("--target", metavar="HOST:PORT", help="Send to one host instead of to all nearby.")
@click.pass_context
def discover(ctx: click.Context, target: str | None) -> int:
    """Announce the coordinator to hosts in discovery mode."""
    with opened(ctx) as session:
        session.api.discover(target)
        where = target or "the local network"
        if session.out.as_json:
            session.out.document({"announced": True, "target": target})
        else:
            session.out.lines(
                [
                    f"announced to {where}",
                    "next: standfast agents list --status pending",
                ]
            )
        return 0
