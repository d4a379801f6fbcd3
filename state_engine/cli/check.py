"""`standfast-state check PATHS...`: do modules that may meet on a node claim the same thing?"""

from __future__ import annotations

import click

from state_engine.cli import output, sources
from state_engine.language import requires
from state_engine.language.conflicts import find_conflicts
from state_engine.language.problems import has_errors


@click.command("check")
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
    """Find conflicts across modules, and modules that one of them requires and that are not there.

    Exit code 1 if there is one, or a file has an error.
    """
    loaded = sources.load(paths, parameters)
    problems = [
        *loaded.problems,
        *find_conflicts(loaded.modules),
        *requires.check(loaded.modules),
    ]
    ok = not has_errors(problems)
    if as_json:
        output.echo_json(
            {
                "ok": ok,
                "modules": [module.name for module in loaded.modules],
                "problems": output.problems_json(problems),
            }
        )
    else:
        output.echo_problems(problems)
        click.echo(output.summary(len(loaded.files), problems))
    context.exit(0 if ok else 1)
