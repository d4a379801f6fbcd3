"""`standfast why NODE`: what happened to a host, why, and what to type next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from client.cli.globals import GlobalCommand, opened

if TYPE_CHECKING:
    from client.session import Session
    from protocol.api import Agent


@click.command(cls=GlobalCommand)
@click.argument("node")
@click.option(
    "--limit", type=click.IntRange(1), default=10, show_default=True, help="How many lines."
)
@click.pass_context
def why(ctx: click.Context, node: str, limit: int) -> int:
    """Say how NODE is now, and why: refusals, drift, failures, newest first."""
    from client.node_names import find, label
    from client.render.output import Line, Span, line

    with opened(ctx) as session:
        agent = find(session.api.agents(), node)
        answer = session.api.why(agent.node_id)
        if session.out.as_json:
            session.out.document(answer)
            return 0
        name = label(agent.name, agent.node_id)
        shown: list[Line] = [line(Span(_now(session, agent), "bold"))]
        if not answer.lines:
            shown.append(line("nothing to explain"))
        for one in answer.lines[:limit]:
            style = "remove" if one.severity == "critical" else "warn"
            run = f" (run {one.run_id})" if one.run_id else ""
            head = f"! {one.code}" if one.severity != "info" else f"= {one.code}"
            shown += [
                line(Span(f"{name}  ", "bold"), session.out.when_text(one.at, never=""), run),
                line("  ", Span(f"{head}: {one.meaning}", style if head[0] == "!" else "")),
            ]
            shown += [line(f"    {one.detail}")] if one.detail else []
            shown += [line(f"    next: {one.next}")] if one.next else []
        if len(answer.lines) > limit:
            older = f"{len(answer.lines) - limit} older; all of them: standfast why {name} --limit "
            shown.append(line(Span(f"{older}{len(answer.lines)}", "dim")))
        session.out.lines(shown)
        return 0


def _now(session: Session, agent: Agent) -> str:
    from client.node_names import label

    seen = session.out.when(agent.last_seen_at or agent.connected_at)
    parts = [f"{label(agent.name, agent.node_id)}: {agent.status}"]
    parts.append("connected" if agent.connected else f"away, last seen {seen}")
    parts += [
        f"{record.status.replace('_', ' ')}, seen {session.out.when(record.checked_at)}"
        for record in session.api.drift_records(agent.node_id, 1, None)[:1]
    ]
    return "; ".join(parts)
