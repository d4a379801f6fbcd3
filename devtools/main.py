"""The subcommands of `./dev`. Each one's work is in a module of its own.

`help` runs on a bare system Python, so this module imports only the standard library at its top.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent

HELP = """\
usage: ./dev COMMAND [ARGUMENTS]

  up [--exit]     start a coordinator and an agent here and walk through the main job
  setup           make the environment and the programs in .venv/bin, and nothing else
  test [ARGS]     run the tests; ARGS go to pytest, and without any every test runs
  check           format, lint, import rules, types and tests/habits; shows all failures at once
  bench [NAME]    run one benchmark, or all; one JSON object on standard output
  openapi         print the API's OpenAPI document; needs no running server
  docs [--write]  check every relative link of the documentation and list its pages; with --write,
                  write docs/reference from the code first
  mutate [FILE]   make small faults in the code that decides what may run; do the tests notice?
  soak [--seeds N] [--start S] [--trace]
                  run the fleet simulator, one run for each seed; says how to replay one that fails
  lock            write the lock files again from pyproject.toml (needs uv)
  help            this text
"""


def up(arguments: Sequence[str]) -> int:
    """Starts the local installation; does not return while it runs."""
    if importlib.util.find_spec("devtools.up") is None:
        raise NotImplementedError("./dev up needs devtools/up.py, which is not written yet")
    command = [sys.executable, "-m", "devtools.up", *arguments]
    os.execv(sys.executable, command)  # noqa: S606  # replaces this process, so Ctrl-C is its own


def setup(arguments: Sequence[str]) -> int:
    """Says where the programs are; `dev` has made the environment before it came here."""
    del arguments
    sys.stdout.write(f"ready: {ROOT / '.venv' / 'bin'}/standfast\n")
    return 0


def test(arguments: Sequence[str]) -> int:
    """Runs pytest with the caller's arguments, or every test."""
    from devtools.testing import run_tests

    return run_tests(arguments)


def check(arguments: Sequence[str]) -> int:
    """Runs every static check and the habits."""
    from devtools.checking import run_checks

    return run_checks(arguments)


def bench(arguments: Sequence[str]) -> int:
    """Runs one benchmark or all of them."""
    from devtools.benching import run_benches

    return run_benches(arguments)


def openapi(arguments: Sequence[str]) -> int:
    """Prints the OpenAPI document."""
    command = [sys.executable, "-m", "coordinator.openapi", *arguments]
    return subprocess.run(command, check=False).returncode


def docs(arguments: Sequence[str]) -> int:
    """Checks the documentation's links and lists its pages."""
    from devtools.links import run_docs

    return run_docs(list(arguments))


def mutate(arguments: Sequence[str]) -> int:
    """Makes every small fault in the code that decides and sees whether the tests notice it."""
    # A process of its own: what is measured may not be imported before the measuring begins.
    command = [sys.executable, "-m", "devtools.mutating", *arguments]
    return subprocess.run(command, check=False).returncode


def soak(arguments: Sequence[str]) -> int:
    """Runs the fleet simulator over many seeds."""
    command = [sys.executable, "-m", "tests.simulation.running", *arguments]
    # The order of a set of strings may not decide what a seed means.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    return subprocess.run(command, check=False, cwd=ROOT, env=environment).returncode


def lock(arguments: Sequence[str]) -> int:
    """Writes the lock files again."""
    from devtools.locking import run_lock

    return run_lock(arguments)


COMMANDS = {
    "up": up,
    "setup": setup,
    "test": test,
    "check": check,
    "bench": bench,
    "openapi": openapi,
    "docs": docs,
    "mutate": mutate,
    "soak": soak,
    "lock": lock,
}


def main(arguments: Sequence[str]) -> int:
    """Runs one subcommand; returns the exit status (2 for a wrong command line)."""
    name = arguments[0] if arguments else "help"
    if name in {"help", "-h", "--help"}:
        sys.stdout.write(HELP)
        return 0
    if name not in COMMANDS:
        sys.stderr.write(f"dev: there is no command {name!r}\n\n{HELP}")
        return 2
    return COMMANDS[name](arguments[1:])


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
