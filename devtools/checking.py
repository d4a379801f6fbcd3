"""`./dev check`: every static check at once, and one report of all that failed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent

# Where our Python is. A folder that does not exist (yet) is left out.
SOURCES = (
    "agent",
    "benchmarks",
    "client",
    "coordinator",
    "devtools",
    "protocol",
    "state_engine",
    "tests",
)

# What flake8-async finds and we do not mind:
# 124  async without await: a handler is async for its caller's sake, as with ruff's RUF029
# 127  advice to leave httpx: decision 0004 says what would make us
# 910 to 913  a path without a checkpoint: a refusal returns at once and has nothing to wait for,
#      and a loop on a condition that already holds does not wait either
NOT_ASYNC = "ASYNC124,ASYNC127,ASYNC910,ASYNC911,ASYNC912,ASYNC913"

# Each check carries its own limit: the slowest takes under two minutes on two cores.
LIMIT_S = 600


@dataclass(frozen=True, slots=True)
class Check:
    """One program that must end with status 0."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check said, and how long it took."""

    check: Check
    status: int
    output: str
    seconds: float


def python_files(root: Path = ROOT) -> tuple[str, ...]:
    """Returns every Python file of ours, relative to the root, sorted."""
    found = (path for source in SOURCES for path in (root / source).rglob("*.py"))
    return tuple(sorted(str(path.relative_to(root)) for path in found))


def async_files(root: Path = ROOT) -> tuple[str, ...]:
    """Returns the files that hold code for an event loop: the linter needs 0.2 s for each file."""
    words = ("async def", "async with", "trio", "anyio")
    return tuple(
        name
        for name in python_files(root)
        if any(word in (root / name).read_text(encoding="utf-8") for word in words)
    )


def all_checks(root: Path = ROOT) -> tuple[Check, ...]:
    """Returns the checks, the slowest first so that they overlap with all the others."""
    binaries = Path(sys.executable).parent
    folders = tuple(source for source in SOURCES if (root / source).is_dir())
    python = sys.executable
    return (
        Check("mypy", (python, "-m", "mypy", "--config-file", "pyproject.toml")),
        Check("pyright", (str(binaries / "pyright"),)),
        Check(
            "flake8-async",
            (str(binaries / "flake8-async"), f"--disable={NOT_ASYNC}", *async_files(root)),
        ),
        Check(
            "habits",
            (python, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "tests/habits"),
        ),
        Check("import rules", (str(binaries / "lint-imports"), "--no-logo")),
        Check("ruff lint", (str(binaries / "ruff"), "check", *folders)),
        Check("ruff format", (str(binaries / "ruff"), "format", "--check", *folders)),
    )


def run_check(check: Check) -> Outcome:
    """Runs one check to its end, or to its limit."""
    started = time.monotonic()
    # pyright's launcher would ask a registry whether it is the newest; the lock decides that.
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    try:
        done = subprocess.run(
            check.command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LIMIT_S,
            check=False,
        )
        status, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        status, output = 124, f"stopped after {LIMIT_S} s\n"
    except OSError as error:
        status, output = 127, f"{error}\n"
    return Outcome(check, status, output, time.monotonic() - started)


def report(outcomes: Sequence[Outcome]) -> str:
    """Returns the text of a whole run: what failed in full, then one line for each check."""
    lines: list[str] = []
    for outcome in outcomes:
        if outcome.status != 0:
            lines += [f"---- {outcome.check.name} ----", outcome.output.rstrip(), ""]
    for outcome in outcomes:
        verdict = "ok" if outcome.status == 0 else f"FAILED ({outcome.status})"
        lines.append(f"{outcome.check.name:<14}{verdict:<14}{outcome.seconds:6.1f} s")
    return "\n".join(lines) + "\n"


def run_checks(arguments: Sequence[str]) -> int:
    """Runs the named checks, or all; returns 0 if all hold, 1 if any failed, 2 for a wrong name."""
    checks = all_checks()
    known = {check.name: check for check in checks}
    wrong = [name for name in arguments if name not in known]
    if wrong:
        sys.stderr.write(f"dev: no check is called {wrong[0]!r}; there are: {', '.join(known)}\n")
        return 2
    chosen = [known[name] for name in arguments] or list(checks)
    # pyright and mypy take about 500 MB each, so not more at once than there are processors.
    with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 1)) as pool:
        outcomes = list(pool.map(run_check, chosen))
    sys.stdout.write(report(outcomes))
    return 0 if all(outcome.status == 0 for outcome in outcomes) else 1
