"""`standfast clones`: hosts of which several hold the key, and which of them is the host."""

from __future__ import annotations

import click

from client.cli.globals import YES, GlobalGroup, opened


@click.group(cls=GlobalGroup)
def clones() -> None:
    """Hosts of which several hold the key: list, keep one.

    A copied disk or a stolen key shows as soon as both were seen; none of them gets work until one
    was chosen.
    """


@clones.command("list")
@click.argument("node", required=False)
@click.pass_context
def list_clones(ctx: click.Context, node: str | None) -> int:
    """List who holds the keys of cloned hosts; of NODE, whoever does."""
    from client.node_names import find
    from protocol.api_clones import Clones

    with opened(ctx) as session:
        if node is None:
            found = session.api.ask("GET", "/clones", tuple[Clones, ...])
        else:
            node_id = find(session.api.agents(), node).node_id
            found = (session.api.ask("GET", f"/agents/{node_id}/clones", Clones),)
        out = session.out
        if out.as_json:
            out.document(found)
            return 0
        rows = [
            (
                host.name or host.node_id,
                holder.holder_id,
                holder.hostname,
                holder.address,
                str(holder.links),
                out.when(holder.seen_at),
                "undecided" if host.diverged else "the host" if holder.kept else "sent away",
            )
            for host in found
            for holder in host.holders
        ]
        heads = ("NODE", "HOLDER", "CALLS ITSELF", "FROM", "LINKS", "LAST SEEN", "IS")
        out.table(heads, rows, empty="no host is cloned")
        return 0


@clones.command("keep")
@click.argument("node")
@click.argument("holder")
@YES
@click.pass_context
def keep(ctx: click.Context, node: str, holder: str, yes: bool) -> int:
    """Choose HOLDER to be NODE; all others that hold its key are sent away."""
    from client.node_names import find
    from client.questions import confirm
    from protocol.api_clones import Clones, KeepRequest

    with opened(ctx) as session:
        host = find(session.api.agents(), node)
        confirm(
            f"Is {holder} the host {host.name or host.node_id}? The others get no work ever again.",
            yes=yes,
        )
        path = f"/agents/{host.node_id}/clones"
        kept = session.api.ask("POST", path, Clones, body=KeepRequest(holder))
        if session.out.as_json:
            session.out.document(kept)
        else:
            session.out.lines([f"{holder} is {host.name or host.node_id}"])
        return 0
