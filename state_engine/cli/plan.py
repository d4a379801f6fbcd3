"""`standfast-state plan PATHS...`: what would an apply change on this host?

Exit codes: 0 ok, 1 an error (also one of a resource), 6 changes pending (`--detailed-exitcode`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
import msgspec

from protocol.reports import PlanResult
from state_engine.cli import local, render, sources
from state_engine.engine.plan import make_plan
from state_engine.engine.progress import recovered


@click.command("plan")
@sources.PATHS
@sources.PARAMETERS
@local.options
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
) -> None:
    """Show what an apply would change on this host; changes nothing."""
    chosen = local.Options(
        state_dir, as_json, detailed_exitcode, verify_content, tags, attributes, parameters
    )
    resources = local.desired(context, paths, chosen)
    state = local.open_state(chosen)
    ports = local.open_ports(state)
    snapshot = state.snapshot(resources)
    resume = local.interrupted_apply(state)
    if resume is not None:
        snapshot = recovered(snapshot, resources, resume)
    result = make_plan(local.NODE_ID, resources, snapshot, ports, verify_content=verify_content)
    state.save_stat_cache(ports.files.cache)
    if as_json:
        click.echo(msgspec.json.encode(result))
    else:
        click.echo(render.plan(result, colour=use_colour()))
    context.exit(exit_code(result, chosen))


def use_colour() -> bool:
    """Say whether the output is a terminal whose user did not switch colour off."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def exit_code(result: PlanResult, chosen: local.Options) -> int:
    """Return the exit code that a plan stands for."""
    if result.summary.error:
        return local.ERROR
    pending = result.summary.none < len(result.resources)
    return local.PENDING if pending and chosen.detailed_exitcode else local.OK
