"""`standfast-state fmt PATHS...`: give module files one layout.

Exit codes: 0 ok, 1 a file cannot be read or (with `--check`) is laid out otherwise.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import click

from state_engine.cli import output, sources
from state_engine.language.formatting import format_text
from state_engine.model import Problem


@click.command("fmt")
@sources.PATHS
@click.option("--check", is_flag=True, help="Change nothing; exit 1 if a file would change.")
@click.pass_context
def command(context: click.Context, paths: tuple[str, ...], check: bool) -> None:
    """Lay module files out in one way; comments and values stay as they are."""
    problems: list[Problem] = []
    changed = 0
    files = sources.find(paths)
    for path in files:
        data, unread = sources.read(path)
        made, found = (None, [unread]) if unread is not None else format_text(data, path)
        problems += found
        if made is None or made == data:
            continue
        changed += 1
        click.echo(output.clean(f"{'would format' if check else 'formatted'} {path}"))
        if not check:
            _replace(Path(path).resolve(), made)
    output.echo_problems(problems, err=True)
    kept = len(files) - changed - len({problem.file for problem in problems})
    click.echo(f"{changed} {'to format' if check else 'formatted'}, {kept} as they should be")
    context.exit(1 if problems or (check and changed) else 0)


def _replace(path: Path, data: bytes) -> None:
    """Put new bytes in a file's place at once, with its mode: never half a file."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        shutil.copymode(path, name)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
