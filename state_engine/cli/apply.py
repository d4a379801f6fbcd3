"""`standfast-state apply PATHS...`: bring this host to the desired state.

Exit codes: 0 ok, 1 an error or not confirmed, 5 some resource failed, 130 interrupted; 6 instead
of 1 with `--detailed-exitcode`, if there were changes and they were not confirmed.
"""

from __future__ import annotations

import secrets
import signal
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
import msgspec

from protocol.reports import ApplyResult, PlanResult
from state_engine.cli import local, render, sources, watcher
from state_engine.cli.plan import use_colour
from state_engine.engine.apply import apply_plan
from state_engine.engine.plan import make_plan
from state_engine.engine.progress import Progress, recovered
from state_engine.host import switch_file
from state_engine.host.linux import LinuxPorts
from state_engine.host.state_directory import StateDirectory, StateDirectoryError
from state_engine.model import ResolvedResource, Snapshot

INTERRUPTED = 130


class Stop:
    """Whether the user asked to stop: the first signal ends the apply in order, between items."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self) -> bool:
        """Return True once a signal came."""
        return self.asked

    @contextmanager
    def listening(self) -> Generator[None, None, None]:
        """Take SIGINT and SIGTERM as the wish to stop; a second one stops at once."""

        def note(number: int, frame: FrameType | None) -> None:
            del number, frame
            if self.asked:
                raise KeyboardInterrupt
            self.asked = True

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@click.command("apply")
@sources.PATHS
@sources.PARAMETERS
@local.options
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--confirm-within",
    type=click.IntRange(1, 86_400),
    metavar="SECONDS",
    help="Take it back unless `standfast-state confirm` says in time that it is to stay.",
)
@click.pass_context
def command(  # noqa: PLR0913 - one parameter per option
    context: click.Context,
    paths: tuple[str, ...],
    parameters: sources.Parameters,
    state_dir: Path | None,
    as_json: bool,
    detailed_exitcode: bool,
    verify_content: bool,
    tags: dict[str, str],
    attributes: dict[str, str],
    yes: bool,
    confirm_within: int | None,
) -> None:
    """Bring this host to the desired state.

    What an earlier apply brought and is in no module any more is removed.
    """
    chosen = local.Options(
        state_dir, as_json, detailed_exitcode, verify_content, tags, attributes, parameters
    )
    if not yes and (as_json or not sys.stdin.isatty()):
        raise click.UsageError("there is nobody to ask: add --yes")
    resources = local.desired(context, paths, chosen)
    state = local.open_state(chosen)
    stop = Stop()
    with state.locked():
        ports = local.open_ports(state, stop)
        _refuse_undecided(state)
        snapshot = _recover(state, resources)
        approved: frozenset[str] | None = None
        if not as_json:
            plan = make_plan(
                local.NODE_ID, resources, snapshot, ports, verify_content=verify_content
            )
            click.echo(render.plan(plan, colour=use_colour()))
            if not yes and plan.summary.none < len(plan.resources):
                approved = _ask(context, plan, chosen)
        name = secrets.token_hex(13)
        if confirm_within is not None:
            switch = switch_file.load(state.path).armed_for(name, float(confirm_within))[0]
            switch_file.save(state.path, switch)
            watcher.start(state.path, name)
        with stop.listening():
            result = _apply(name, state, resources, snapshot, ports, approved, stop)
        state.save_stat_cache(ports.files.cache)
    if as_json:
        click.echo(msgspec.json.encode(result))
    else:
        click.echo(render.applied(result))
        if confirm_within is not None:
            click.echo(f"It goes back in {confirm_within} s: run `standfast-state confirm`.")
    context.exit(exit_code(result))


def _refuse_undecided(state: StateDirectory) -> None:
    switch = switch_file.load(state.path)
    if switch.undecided:
        raise StateDirectoryError(
            f"operation {switch.operation_id} waits for a decision: `standfast-state confirm` keeps"
            f" it, `standfast-state rollback {switch.operation_id}` takes it back"
        )


def _recover(state: StateDirectory, resources: Sequence[ResolvedResource]) -> Snapshot:
    snapshot = state.snapshot(resources)
    resume = local.interrupted_apply(state)
    if resume is not None:
        snapshot = recovered(snapshot, resources, resume)
        state.save_snapshot(snapshot)
    state.clear_journal()
    return snapshot


def _ask(context: click.Context, plan: PlanResult, chosen: local.Options) -> frozenset[str]:
    """Return the digests of what was shown, so that nothing else is done after a yes."""
    if not click.confirm("Apply this?"):
        click.echo("Nothing was done.")
        context.exit(local.PENDING if chosen.detailed_exitcode else local.ERROR)
    return frozenset(item.digest for item in plan.resources if item.digest)


def _apply(
    name: str,
    state: StateDirectory,
    resources: Sequence[ResolvedResource],
    snapshot: Snapshot,
    ports: LinuxPorts,
    approved: frozenset[str] | None,
    stop: Stop,
) -> ApplyResult:
    with state.journalling() as journal:

        def note(progress: Progress) -> None:
            journal.add(msgspec.json.encode(progress))

        outcome = apply_plan(
            name,
            local.NODE_ID,
            resources,
            snapshot,
            ports,
            approved=approved,
            progress=note,
            cancelled=stop,
        )
    state.save_snapshot(outcome.snapshot)
    state.clear_journal()
    return outcome.result


def exit_code(result: ApplyResult) -> int:
    """Return the exit code that an apply stands for."""
    if result.status == "succeeded":
        return local.OK
    return INTERRUPTED if result.status == "cancelled" else local.FAILED
