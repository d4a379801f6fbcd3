"""`standfast-state`: the state engine as a program. Commands are imported when they are used.

Exit codes: 0 ok, 1 an error or problems found, 2 wrong usage, 130 interrupted; what else a command
says by its code stands in its own file.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import NoReturn

import click

from protocol.errors import StandfastError
from protocol.version import VERSION

# The short help stands here too, so that `--help` imports no command.
COMMANDS = {
    "validate": "Check module files.",
    "check": "Find conflicts across modules.",
    "deps": "Show the resolved apply order.",
    "fmt": "Lay out module files.",
    "schema": "Print the JSON Schema of the module format.",
    "plan": "Show what an apply would change on this host.",
    "apply": "Bring this host to the desired state.",
    "drift": "Compare this host with what was last applied.",
    "confirm": "Keep what `apply --confirm-within` did.",
    "rollback": "Take back what an apply did to this host.",
}


class LazyGroup(click.Group):
    """A group whose commands live in `state_engine.cli.<name>` as `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of a day's work."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command; None if there is none of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        found: object = getattr(import_module(f"state_engine.cli.{cmd_name}"), "command", None)
        if not isinstance(found, click.Command):
            raise TypeError(f"state_engine.cli.{cmd_name} has no `command`")
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a name that does not exist gets the nearest one that does."""
        name = args[0] if args else ""
        if name and name not in COMMANDS and not name.startswith("-"):
            from state_engine.language.problems import nearest

            near = nearest(name, COMMANDS)
            hint = f" Did you mean '{near}'?" if near else ""
            raise click.UsageError(f"No such command '{name}'.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    del parameter
    if wanted and not context.resilient_parsing:
        click.echo(f"standfast-state {VERSION}")
        context.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version and exit.",
)
def group() -> None:
    """Check, plan and apply modules of desired state on this host."""


def run(arguments: list[str] | None = None, program: click.Group | None = None) -> int:
    """Run one command line of `standfast-state` (or another program) and return its code."""
    chosen = group if program is None else program
    try:
        outcome: object = chosen.main(arguments, prog_name="standfast-state", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    except StandfastError as error:
        from state_engine.cli.output import clean

        click.echo(f"Error: {clean(str(error))}", err=True)
        return 1
    return outcome if isinstance(outcome, int) else 0


def main() -> NoReturn:
    """Run the program and leave with its exit code."""
    sys.exit(run())


if __name__ == "__main__":
    main()
