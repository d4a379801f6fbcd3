"""`standfast-agent`: the command line, and the root nursery in which everything runs."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import click
import trio

from agent import clock, config, enrolling, files, identity, lean, leaving, notify, policy_file
from agent.config import AgentConfig
from agent.core import Core
from agent.database import Database
from agent.files import StateDirectoryError
from agent.logs import Log
from protocol import enrolment, sdnotify
from protocol.errors import StandfastError
from protocol.version import VERSION

LOCK = "lock"
# Seen by root and the agent's own user only, unlike the arguments of a program.
KEY_VARIABLE = "STANDFAST_ENROLMENT_KEY"
# From SIGTERM: an item that is being applied gets this long to end, then its program is ended.
STOP_SECONDS = 5.0


@contextmanager
def state_lock(state_dir: Path) -> Generator[None]:
    """Hold the state directory: two agents on one would each undo what the other remembers.

    Raises:
        StateDirectoryError: another process holds it.
    """
    fd = os.open(state_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise StateDirectoryError(f"another agent is running on {state_dir}; stop it") from error
    try:
        yield
    finally:
        os.close(fd)


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
    state_dir = Path(settings.state_dir)
    files.prepare_directory(state_dir)
    policy_file.load(Path(settings.policy_file))
    with state_lock(state_dir):
        own = identity.load_or_create(state_dir)
        database = Database(state_dir)
        try:
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
    enrolling.pins_of(key)
    files.prepare_directory(state_dir)
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


def main() -> None:
    """Start the command line."""
    cli(prog_name="standfast-agent")


if __name__ == "__main__":
    main()
