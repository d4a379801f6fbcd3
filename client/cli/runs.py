"""`standfast runs`: work over one or more hosts, as the coordinator has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from client.cli.globals import YES, GlobalGroup, opened

if TYPE_CHECKING:
    from protocol.api import Run


@click.group(cls=GlobalGroup)
def runs() -> None:
    """Runs: list, show, cancel."""


@runs.command("list")
@click.pass_context
def list_runs(ctx: click.Context) -> int:
    """List the runs, newest first."""
    with opened(ctx) as session:
        found = session.api.runs()
        if session.out.as_json:
            session.out.document(found)
            return 0
        rows = [
            (
                one.run_id,
                one.step,
                one.phase,
                f"{sum(step.phase == 'succeeded' for step in one.steps)}/{len(one.steps)}",
                ",".join(one.modules),
                session.out.when_text(one.created_at, never=""),
                one.created_by,
            )
            for one in found
        ]
        heads = ("RUN", "STEP", "PHASE", "DONE", "MODULES", "CREATED", "BY")
        session.out.table(heads, rows, empty="no runs; next: standfast state plan NODE")
        return 0


@runs.command("show")
@click.argument("run_id", metavar="RUN")
@click.pass_context
def show(ctx: click.Context, run_id: str) -> int:
    """Show a run, host by host."""
    from client.applying import run_document
    from client.planning import with_documents
    from client.render.results import run_lines

    with opened(ctx) as session:
        run = session.api.run(run_id)
        if session.out.as_json:
            session.out.document(run_document(session, run))
            return 0
        session.out.lines(run_lines(with_documents(session, run)))
        session.out.lines(_next_lines(run))
        return 0


@runs.command("cancel")
@click.argument("run_id", metavar="RUN")
@YES
@click.pass_context
def cancel(ctx: click.Context, run_id: str, yes: bool) -> int:
    """Stop a run; what hosts have done by then stays done and is reported."""
    from client.questions import confirm
    from client.render.words import counted

    with opened(ctx) as session:
        run = session.api.run(run_id)
        confirm(
            f"Cancel run {run.run_id} ({run.step}, {counted(len(run.steps), 'host')})?", yes=yes
        )
        session.api.cancel(run.run_id)
        if session.out.as_json:
            session.out.document({"run_id": run.run_id, "cancelled": True})
        else:
            shown = [f"cancelled {run.run_id}", f"next: standfast runs show {run.run_id}"]
            session.out.lines(shown)
        return 0


def _next_lines(run: Run) -> list[str]:
    waits = run.phase == "waiting_approval"
    planned = run.step == "state.plan" and run.phase == "completed"
    return [f"next: standfast approve {run.run_id}"] if waits or planned else []
