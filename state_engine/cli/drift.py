"""`standfast-state drift [PATHS...]`: was this host touched since the last apply?

Exit codes: 0 ok, 1 an error, 6 drift (`--detailed-exitcode`).
"""

from __future__ import annotations

import secrets
from pathlib import Path

import click
import msgspec

from protocol.reports import DriftRecord, DriftStatus
from state_engine.cli import local, output, render, sources
from state_engine.cli.plan import use_colour
from state_engine.engine.drift import find_drift
from state_engine.engine.progress import recovered
from state_engine.language.problems import has_errors
from state_engine.model import ResourceKey, Snapshot


@click.command("drift")
@click.argument("paths", nargs=-1, metavar="[PATHS...]", type=click.Path(exists=True))
@local.options
@click.pass_context
def command(
    context: click.Context,
    paths: tuple[str, ...],
    state_dir: Path | None,
    as_json: bool,
    detailed_exitcode: bool,
    verify_content: bool,
    tags: dict[str, str],
    attributes: dict[str, str],
) -> None:
    """Compare this host with what was last applied; PATHS limit the look to their modules."""
    chosen = local.Options(state_dir, as_json, detailed_exitcode, verify_content, tags, attributes)
    state = local.open_state(chosen)
    ports = local.open_ports(state)
    snapshot = state.snapshot()
    resume = local.interrupted_apply(state)
    if resume is not None:
        snapshot = recovered(snapshot, (), resume)
    only = _only(context, paths, snapshot) if paths else None
    items = find_drift(snapshot, ports, only=only, verify_content=verify_content)
    state.save_stat_cache(ports.files.cache)
    failed = any(item.action == "error" for item in items)
    status: DriftStatus = "failed" if failed else ("drifted" if items else "in_sync")
    record = DriftRecord(
        drift_id=secrets.token_hex(13),
        node_id=local.NODE_ID,
        source="manual",
        checked_at=ports.clock(),
        status=status,
        snapshot_operation_id=snapshot.operation_id,
        resources=items,
    )
    if as_json:
        click.echo(msgspec.json.encode(record))
    else:
        click.echo(render.drift(items, colour=use_colour()))
    if failed:
        context.exit(local.ERROR)
    context.exit(local.PENDING if items and detailed_exitcode else local.OK)


def _only(
    context: click.Context, paths: tuple[str, ...], snapshot: Snapshot
) -> frozenset[ResourceKey]:
    loaded = sources.load(paths)
    if has_errors(loaded.problems):
        output.echo_problems(loaded.problems, err=True)
        context.exit(local.ERROR)
    names = {module.name for module in loaded.modules}
    keys = (applied.resource.key for applied in snapshot.applied)
    return frozenset(key for key in keys if key.module in names)
