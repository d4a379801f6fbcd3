"""`standfast-agent`: the command line, and the root nursery in which everything runs."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import NoReturn

import click
import trio

from agent import (
    clock,
    config,
    enrolling,
    files,
    identity,
    lean,
    leaving,
    no_cores,
    notify,
    policy_file,
)
from agent.config import AgentConfig
from agent.core import Core
from agent.database import Database
from agent.logs import Log
from agent.state_lock import state_lock
from agent.trust import Trust
from protocol import enrolment, sdnotify
from protocol.errors import StandfastError
from protocol.version import VERSION

# Seen by root and the agent's own user only, unlike the arguments of a program.
KEY_VARIABLE = "STANDFAST_ENROLMENT_KEY"
# From SIGTERM: an item that is being applied gets this long to end, then its program is ended.
STOP_SECONDS = 5.0


async def serve(core: Core) -> None:
    """Run the agent until SIGTERM or SIGINT."""
    from agent.services import discovery, drift, facts, link, reconcile, watchdog

    manager = notify.manager()
    core.attach()
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(discovery.run, core)
            nursery.start_soon(link.run, core)
            nursery.start_soon(reconcile.run, core)
            nursery.start_soon(drift.run, core)
            nursery.start_soon(facts.run, core)
            nursery.start_soon(watchdog.run, manager)
            status = sdnotify.status(f"node {core.identity.node_id}")
            notify.send(manager, sdnotify.READY, status)
            core.log.info("ready", node=core.identity.node_id)
            lean.give_back()
            async for number in signals:
                core.log.info("stopping", signal=number)
                break
            notify.send(manager, sdnotify.STOPPING)
            await core.steps.stop(STOP_SECONDS)
            nursery.cancel_scope.cancel()


def start(settings: AgentConfig) -> None:
    """Open the state directory and run the agent in it.

    Raises:
        StandfastError: it cannot start; the text says why.
    """
    lean.use_one_arena()
    no_cores.forbid()
    state_dir = Path(settings.state_dir)
    files.prepare_directory(state_dir)
    policy_file.load(Path(settings.policy_file))
    with state_lock(state_dir):
        own = identity.load_or_create(state_dir)
        database = Database(state_dir)
        try:
            held = Trust(database).pins
            own = own.renamed(enrolling.known_as(settings, state_dir, held))
            log = Log(clock.wall, settings.log_level)
            core = Core(settings, own, database, clock=clock.wall, log=log)
            core.enrol_from_config()
            trio.run(serve, core)
        finally:
            database.close()


def leave_key(state_dir: Path, key: str, *, replace: bool) -> identity.Identity:
    """Leave an enrolment key for the agent and return whose key it is.

    Raises:
        StandfastError: no key, or `replace` while the agent runs.
    """
    pins = enrolling.pins_of(key)
    files.prepare_directory(state_dir)
    if pins.node_id and not replace:
        # An agent that runs has an id already; this one comes with its next start.
        with state_lock(state_dir):
            pass
    if replace:
        with state_lock(state_dir):
            database = Database(state_dir)
            lost = leaving.leave(database)
            database.close()
        if lost:
            click.echo(f"{lost} journal entries were never taken by the old coordinator", err=True)
    enrolling.leave(state_dir, key)
    return identity.load_or_create(state_dir)


def fail(error: StandfastError) -> NoReturn:
    """End the program with a message that a person can act on."""
    click.echo(f"standfast-agent: {error}", err=True)
    sys.exit(1)


_state_dir = click.option("--state-dir", help="Where the agent keeps its keys and its memory.")
_config = click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="A TOML configuration file."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, message="%(prog)s %(version)s")
def cli() -> None:
    """Run and set up the Standfast agent of this host."""


@cli.command()
@_config
@_state_dir
@click.option(
    "--enrolment-key",
    envvar=KEY_VARIABLE,
    help="Enrol with this key at the first start. Every user of the host can read it in the list"
    f" of processes: prefer --enrolment-key-file or the variable {KEY_VARIABLE}.",
)
@click.option("--enrolment-key-file", help="Enrol with the key in this file at the first start.")
@click.option("--hostname", help="The name to report instead of the host's own.")
@click.option("--policy-file", help="The host's own policy.")
@click.option("--log-level", help="debug, info, warning or error.")
def run(config_file: Path | None, **flags: str | None) -> None:
    """Run the agent in the foreground."""
    try:
        start(config.load(config_file, dict(flags)))
    except StandfastError as error:
        fail(error)


@cli.command()
@_config
@_state_dir
@click.option("--replace", is_flag=True, help="Leave the coordinator this host belongs to.")
@click.argument("key", envvar=KEY_VARIABLE)
def enrol(config_file: Path | None, state_dir: str | None, replace: bool, key: str) -> None:
    """Enrol this host with KEY; a running agent takes it at once.

    Every user of the host can read KEY in the list of processes: write `-` to give it on standard
    input, or put it in the variable STANDFAST_ENROLMENT_KEY.
    """
    try:
        settings = config.load(config_file, {"state_dir": state_dir})
        if key == "-":
            key = sys.stdin.read(enrolment.MAX_KEY + 2)
        own = leave_key(Path(settings.state_dir), key, replace=replace)
    except StandfastError as error:
        fail(error)
    click.echo(f"node        {own.node_id}\nfingerprint {own.fingerprint}")


@cli.command("show-identity")
@_config
@_state_dir
def show_identity(config_file: Path | None, state_dir: str | None) -> None:
    """Show the node id and the fingerprint that an operator compares."""
    try:
        settings = config.load(config_file, {"state_dir": state_dir})
        own = identity.load(Path(settings.state_dir))
    except StandfastError as error:
        fail(error)
    if own is None:
        click.echo("standfast-agent: no identity yet; run the agent or enrol it first", err=True)
        sys.exit(1)
    click.echo(f"node        {own.node_id}\nfingerprint {own.fingerprint}")


@cli.group("break-glass")
def break_glass() -> None:
    """Change this host without anybody's approval; always told to all operators."""


@break_glass.command("apply")
@_config
@_state_dir
@click.option("--reason", required=True, help="Why; it stands in the audit log for ever.")
@click.option("--removal-limit", type=click.IntRange(0), default=0, help="Removals it may make.")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def break_glass_apply(
    config_file: Path | None,
    state_dir: str | None,
    reason: str,
    removal_limit: int,
    files: tuple[Path, ...],
) -> None:
    """Apply the modules in FILES here and now; needs root, and the agent stopped."""
    from agent import break_glass as breaking

    try:
        settings = config.load(config_file, {"state_dir": state_dir})
        outcome = breaking.run(settings, files, reason, removal_limit)
    except StandfastError as error:
        fail(error)
    for line in outcome.lines:
        click.echo(line)
    sys.exit(0 if outcome.succeeded else 5)


@cli.group()
def policy() -> None:
    """Read this host's own policy, which says what may be done here and by whose word."""


@policy.command("check")
@_config
@click.argument("file", required=False, type=click.Path(path_type=Path))
def policy_check(config_file: Path | None, file: Path | None) -> None:
    """Check FILE, or the policy that the agent uses; exit code 1 if it is no policy."""
    try:
        path = file or Path(config.load(config_file, {}).policy_file)
        found = policy_file.load(path)
    except StandfastError as error:
        fail(error)
    if file is not None and not path.exists():
        click.echo(f"standfast-agent: {path} is not there", err=True)
        sys.exit(1)
    told = "is not there: one operator decides" if not path.exists() else "is a policy"
    count = len(found.capabilities)
    click.echo(f"{path} {told}; {count} of the capabilities have a rule of their own")


@policy.command("show")
@_config
def policy_show(config_file: Path | None) -> None:
    """Show what each capability takes on this host."""
    try:
        path = Path(config.load(config_file, {}).policy_file)
        found = policy_file.load(path)
    except StandfastError as error:
        fail(error)
    for line in policy_file.lines(found):
        click.echo(line)


def main() -> None:
    """Start the command line."""
    cli(prog_name="standfast-agent")


if __name__ == "__main__":
    main()
