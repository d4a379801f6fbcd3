"""`standfast`: finds the command, runs it, turns what went wrong into words and an exit code.

Only click is imported before a command is known: `--help` must come at once.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Sequence

import click

from client.cli.globals import GlobalGroup
from client.failures import ClientError, ExitCode
from client.render.safe_text import json_safe, safe
from protocol.errors import StandfastError

# Name -> where the command is, and its line in `--help` (so that no file is imported for it).
COMMANDS: dict[str, tuple[str, str]] = {
    "agents": ("client.cli.agents:agents", "Hosts: list, approve, reject, tag."),
    "approvals": (
        "client.cli.approvals:approvals",
        "What waits for signatures: list, show, approve, deny, revoke.",
    ),
    "approve": ("client.cli.approve:approve", "Sign a yes or no for a plan or a waiting run."),
    "artifacts": (
        "client.cli.artifacts:artifacts",
        "Bytes that modules name by digest: upload, list, show.",
    ),
    "audit": ("client.cli.audit:audit", "The event log: list, verify, export, prune."),
    "clones": ("client.cli.clones:clones", "Hosts of which several hold the key: list, keep one."),
    "commands": ("client.cli.commands:commands", "Commands: list, show, cancel."),
    "discover": ("client.cli.discover:discover", "Let the coordinator announce itself to hosts."),
    "enrol-key": ("client.cli.enrol_key:enrol_key", "Keys with which new hosts enrol."),
    "explain": ("client.cli.explain:explain", "What a code means, or why a run is as it is."),
    "modules": ("client.cli.modules:modules", "Stored modules: list, show, remove."),
    "operator": ("client.cli.operator:operator", "Your key, and the people who may sign."),
    "profile": ("client.cli.profile:profile", "Coordinators that you know, and their pins."),
    "roster": ("client.cli.roster:roster", "The signed list of operators, and its rules."),
    "run": ("client.cli.run:run", "Run a command on many hosts, signed in the same step."),
    "runs": ("client.cli.runs:runs", "Runs: list, show, cancel."),
    "sessions": ("client.cli.sessions:sessions", "Log-ins that are not over: list, end."),
    "secrets": ("client.cli.secrets:secrets", "Values sealed to hosts: set, list, restrict."),
    "state": ("client.cli.state:state", "Upload, plan, apply, drift."),
    "status": ("client.cli.status:status", "Health and identity of the coordinator."),
    "tokens": ("client.cli.tokens:tokens", "API tokens for programs: create, list, revoke."),
    "why": ("client.cli.why:why", "Why a host is as it is, and what to type next."),
}


class LazyGroup(GlobalGroup):
    """The root: knows the names of its commands, imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name, or None."""
        del ctx
        found = COMMANDS.get(cmd_name)
        if found is None:
            return None
        module, _, name = found[0].partition(":")
        command: object = getattr(importlib.import_module(module), name)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command of the arguments; for a wrong name the nearest is offered."""
        name = args[0]
        if not name.startswith("-") and name not in COMMANDS:
            import difflib

            near = difflib.get_close_matches(name, COMMANDS, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"There is no command {name!r}.{hint}")
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from protocol.version import VERSION

        click.echo(f"standfast {VERSION}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Keep a fleet of Linux hosts as their operators approved them.

    NODE is a node's id, the unique beginning of one, or its name.

    Exit codes: 0 ok, 1 error, 2 usage, 3 not logged in, not allowed or not trusted, 4 not found,
    5 some resource failed, 6 changes pending or drift (only with --detailed-exitcode),
    130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough. Python must not complain about it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.ERROR
    return code


def _run(words: list[str]) -> int:
    try:
        result: object = cli.main(args=words, prog_name="standfast", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("\ninterrupted; what has been started goes on\n")
        return ExitCode.INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stderr.write(error.format_message() + "\n")
        return ExitCode.USAGE
    except click.UsageError as error:
        context = error.ctx
        path = context.command_path if context is not None else "standfast"
        _complain(error.format_message(), f"{path} --help", "usage", "", words)
        return ExitCode.USAGE
    except click.ClickException as error:
        _complain(error.format_message(), "", "error", "", words)
        return ExitCode.ERROR
    except ClientError as error:
        _complain(str(error), error.next_command, error.code, error.where, words)
        return int(error.exit_code)
    except StandfastError as error:
        _complain(str(error), "", "error", "", words)
        return ExitCode.ERROR
    return result if isinstance(result, int) else 0


def _complain(message: str, next_command: str, code: str, where: str, words: list[str]) -> None:
    if "--json" in words:
        body = {"code": code, "message": message, "where": where, "next": next_command}
        sys.stderr.write(json_safe(json.dumps({"error": body})) + "\n")
        return
    shown = ["error: " + message.replace("\n", "\n  ")]
    shown += [f"  {where}"] if where else []
    shown += [f"  next: {next_command}"] if next_command else []
    text = "\n".join(safe(one) for block in shown for one in block.split("\n"))
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
