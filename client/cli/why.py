"""`standfast why NODE`: what happened to a host, why, and what to type next."""

from __future__ import annotations

import click

from client.cli.globals import GlobalCommand, opened


@click.command(cls=GlobalCommand)
@click.argument("node")
@click.pass_context
def why(ctx: click.Context, node: str) -> int:
    """Say why NODE is as it is: refusals, drift, failures, newest first."""
    from client.node_names import find, label
    from client.render.output import Line, Span, line

    with opened(ctx) as session:
        agent = find(session.api.agents(), node)
        answer = session.api.why(agent.node_id)
        if session.out.as_json:
            session.out.document(answer)
            return 0
        name = label(agent.name, agent.node_id)
        if not answer.lines:
            session.out.lines([f"{name}: nothing to explain; it is {agent.status}"])
            return 0
        shown: list[Line] = []
        for one in answer.lines:
            style = "remove" if one.severity == "critical" else "warn"
            run = f" (run {one.run_id})" if one.run_id else ""
            head = f"! {one.code}" if one.severity != "info" else f"= {one.code}"
            shown += [
                line(Span(f"{name}  ", "bold"), session.out.when_text(one.at, never=""), run),
                line("  ", Span(f"{head}: {one.meaning}", style if head[0] == "!" else "")),
            ]
            shown += [line(f"    {one.detail}")] if one.detail else []
            shown += [line(f"    next: {one.next}")] if one.next else []
        session.out.lines(shown)
        return 0
