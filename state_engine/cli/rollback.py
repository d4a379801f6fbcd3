"""`standfast-state rollback [OPERATION]`: take back what an apply did to this host.

Exit codes: 0 ok, 1 an error, not confirmed or nothing to take back, 5 something could not be taken
back, 130 interrupted.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import click
import msgspec

from protocol.reports import PlanResult
from state_engine.cli import local, render, sources
from state_engine.cli.apply import Stop, exit_code
from state_engine.cli.output import clean
from state_engine.cli.plan import use_colour
from state_engine.engine.progress import recovered
from state_engine.engine.rollback import RollbackError, apply_rollback, plan_rollback
from state_engine.host import switch_file
from state_engine.host.state_directory import StateDirectory
from state_engine.model import Snapshot


@click.command("rollback")
@click.argument("operation", required=False)
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where it is remembered what was applied.",
)
@sources.AS_JSON
@click.option("--plan", "only_plan", is_flag=True, help="Show what it would do, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def command(
    context: click.Context,
    operation: str | None,
    state_dir: Path | None,
    as_json: bool,
    only_plan: bool,
    yes: bool,
) -> None:
    """Take back what an apply did to this host; the latest one unless another is named.

    What was changed since is left, and so is what commands did that nobody can take back.
    """
    if not (yes or only_plan) and (as_json or not sys.stdin.isatty()):
        raise click.UsageError("there is nobody to ask: add --yes")
    chosen = local.Options(state_dir, as_json, False, False, {}, {})
    state = local.open_state(chosen)
    stop = Stop()
    with state.locked():
        ports = local.open_ports(state, stop)
        snapshot = _recovered(state)
        of = operation or _latest(ports.reverts.operations())
        plan = plan_rollback(of, local.NODE_ID, snapshot, ports)
        if only_plan:
            click.echo(msgspec.json.encode(plan) if as_json else _shown(plan))
            context.exit(local.ERROR if plan.summary.error else local.OK)
        approved: frozenset[str] | None = None
        if not as_json:
            click.echo(_shown(plan))
            if not yes:
                approved = _ask(context, plan)
        with stop.listening():
            name = secrets.token_hex(13)
            outcome = apply_rollback(
                name, of, local.NODE_ID, snapshot, ports, approved=approved, cancelled=stop
            )
        state.save_snapshot(outcome.snapshot)
        switch = switch_file.load(state.path)
        # What could not be taken back whole is left to the watcher, which goes on anyway. Where it
        # had begun and fell, nobody comes after us.
        over = switch.state == "reverting" or outcome.result.status == "succeeded"
        if switch.undecided and switch.operation_id == of and over:
            switch_file.save(state.path, switch.on("expire")[0].on("done")[0])
        state.save_stat_cache(ports.files.cache)
    if as_json:
        click.echo(msgspec.json.encode(outcome.result))
    else:
        click.echo(render.applied(outcome.result))
    context.exit(exit_code(outcome.result))


def _shown(plan: PlanResult) -> str:
    lines = [render.plan(plan, colour=use_colour())]
    lines += [
        f"  {item.type} {clean(item.identity)} {clean(item.message)}"
        for item in plan.resources
        if item.action == "none" and item.message
    ]
    return "\n".join(lines)


def _latest(operations: tuple[str, ...]) -> str:
    if not operations:
        raise RollbackError("no apply is kept that could be taken back")
    return operations[-1]


def _recovered(state: StateDirectory) -> Snapshot:
    """Return the snapshot with what an apply did that died; its resources are not known here."""
    snapshot = state.snapshot()
    resume = local.interrupted_apply(state)
    if resume is not None:
        snapshot = recovered(snapshot, (), resume)
        state.save_snapshot(snapshot)
        state.clear_journal()
    return snapshot


def _ask(context: click.Context, plan: PlanResult) -> frozenset[str]:
    """Return the digests of what was shown, so that nothing else is taken back after a yes."""
    if not click.confirm("Take this back?"):
        click.echo("Nothing was done.")
        context.exit(local.ERROR)
    return frozenset(item.digest for item in plan.resources if item.digest)
