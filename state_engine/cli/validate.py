"""`standfast-state validate PATHS...`: is every module file right by itself?"""

from __future__ import annotations

import click

from state_engine.cli import output, sources


@click.command("validate")
@sources.PATHS
@sources.PARAMETERS
@sources.AS_JSON
@click.pass_context
def command(
    context: click.Context,
    paths: tuple[str, ...],
    parameters: sources.Parameters,
    as_json: bool,
) -> None:
    """Check module files; directories are walked. Exit code 1 if one has an error."""
    loaded = sources.load(paths, parameters)
    if as_json:
        output.echo_json(
            {
                "ok": loaded.ok,
                "files": list(loaded.files),
                "problems": output.problems_json(loaded.problems),
            }
        )
    else:
        output.echo_problems(loaded.problems)
        click.echo(output.summary(len(loaded.files), loaded.problems))
    context.exit(0 if loaded.ok else 1)
