"""What plan, apply and drift share: their options, this host's facts, the desired resources."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

import click
import msgspec

from protocol.errors import MALFORMED
from state_engine.cli import output, sources
from state_engine.engine.progress import Progress, Resume, fold
from state_engine.host import facts
from state_engine.host.linux import LinuxPorts
from state_engine.host.state_directory import StateDirectory
from state_engine.language.conflicts import find_conflicts
from state_engine.language.problems import has_errors
from state_engine.language.resolve import resolve
from state_engine.model import NodeFacts, Problem, ResolvedResource

_P = ParamSpec("_P")
NODE_ID = "local"
OK, ERROR, FAILED, PENDING = 0, 1, 5, 6


class Options(msgspec.Struct, frozen=True):
    """The options that the three commands share."""

    state_dir: Path | None
    as_json: bool
    detailed_exitcode: bool
    verify_content: bool
    tags: dict[str, str]
    attributes: dict[str, str]
    parameters: sources.Parameters = {}


def options(function: Callable[_P, None]) -> Callable[_P, None]:
    """Add the shared options to a command."""
    for option in reversed(
        (
            click.option(
                "--state-dir",
                type=click.Path(file_okay=False, path_type=Path),
                help="Where to remember what was applied.",
            ),
            sources.AS_JSON,
            click.option(
                "--detailed-exitcode",
                is_flag=True,
                help="Exit 6 if changes are pending (or drift).",
            ),
            click.option(
                "--verify-content", is_flag=True, help="Read every file, trust no time stamp."
            ),
            click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", callback=_pairs),
            click.option(
                "--attr", "attributes", multiple=True, metavar="KEY=VALUE", callback=_pairs
            ),
        )
    ):
        function = option(function)
    return function


def default_state_dir(uid: int) -> Path:
    """Return where state lives if nobody says: the system's place for root, else the user's."""
    if uid == 0:
        return Path("/var/lib/standfast-state")
    base = os.environ.get("XDG_STATE_HOME", "")
    root = Path(base) if base.startswith("/") else Path.home() / ".local/state"
    return root / "standfast-state"


def node_facts(chosen: Options) -> NodeFacts:
    """Return this host's facts, with what the command line adds or overrides."""
    return NodeFacts(
        node_id=NODE_ID,
        name=os.uname().nodename,
        attributes={**facts.attributes(), **chosen.attributes},
        tags=chosen.tags,
    )


def desired(
    context: click.Context, paths: tuple[str, ...], chosen: Options
) -> tuple[ResolvedResource, ...]:
    """Return the resources that the modules under some paths mean on this host.

    The user runs these modules himself, so they are trusted. Problems end the command (exit 1).
    """
    loaded = sources.load(paths, chosen.parameters)
    problems: list[Problem] = list(loaded.problems)
    resources: tuple[ResolvedResource, ...] = ()
    if not has_errors(problems):
        problems += find_conflicts(loaded.modules)
    if not has_errors(problems):
        trusted = frozenset(module.sha256 for module in loaded.modules)
        resolved = resolve(loaded.modules, node_facts(chosen), trusted=trusted)
        problems += resolved.problems
        resources = resolved.resources
    if chosen.as_json and has_errors(problems):
        output.echo_json({"ok": False, "problems": output.problems_json(problems)})
    else:
        output.echo_problems(problems, err=True)
    if has_errors(problems):
        context.exit(ERROR)
    return resources


def open_state(chosen: Options) -> StateDirectory:
    """Return the state directory that the command line or the user's place names."""
    return StateDirectory(chosen.state_dir or default_state_dir(os.geteuid()))


def open_ports(state: StateDirectory, cancelled: Callable[[], bool] = lambda: False) -> LinuxPorts:
    """Return this host's ports, with what is remembered in the state directory.

    Whoever runs the command can read what it can read, so differences show him private files too.
    """
    return LinuxPorts(
        state.path,
        state.fingerprint_key(),
        cancelled=cancelled,
        cache=state.stat_cache(),
        show_private=True,
    )


def interrupted_apply(state: StateDirectory) -> Resume | None:
    """Return how far an apply had come that did not end, or None."""
    decoder: msgspec.json.Decoder[Progress] = msgspec.json.Decoder(Progress)
    messages: list[Progress] = []
    for line in state.journal():
        try:
            messages.append(decoder.decode(line))
        except MALFORMED:
            break
    return fold(messages) if messages else None


def _pairs(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values:
        key, equals, rest = value.partition("=")
        if not key:
            raise click.BadParameter(f"{value!r} is not KEY=VALUE", context, parameter)
        pairs[key] = rest if equals else "true"
    return pairs
