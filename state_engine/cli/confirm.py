"""`standfast-state confirm`: keep what the last apply did, which goes back otherwise.

Exit codes: 0 ok, 1 there is nothing to confirm, or it is too late.
"""

from __future__ import annotations

from pathlib import Path

import click

from protocol.errors import StandfastError
from state_engine.cli import local
from state_engine.host import switch_file


class NothingToConfirmError(StandfastError):
    """No apply waits to be confirmed."""


@click.command("confirm")
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where it is remembered what was applied.",
)
def command(state_dir: Path | None) -> None:
    """Keep what `apply --confirm-within` did."""
    state = local.open_state(local.Options(state_dir, False, False, False, {}, {}))
    with state.locked():
        held = switch_file.load(state.path)
        switch, act = held.on("confirm")
        if act == "refuse" or not held.undecided:
            late = held.state in {"reverting", "reverted"}
            what = "it is too late: the apply was taken back" if late else "no apply waits for it"
            raise NothingToConfirmError(what)
        switch_file.save(state.path, switch)
    click.echo(f"Operation {switch.operation_id} stays.")
