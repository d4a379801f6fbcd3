"""`./dev bench`: finds the benchmarks, runs them and prints one JSON object.

A benchmark is a file `benchmarks/NAME.py` that can be run as a module; it prints one object
`{"bench", "machine", "rows": [{"name", "value", "unit", "ratio", "ratio_to"}]}` on standard output
and whatever else it has to say on standard error.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One figure; `ratio` is its value divided by that of the row `ratio_to` (or a plain loop)."""

    name: str
    value: float | None
    unit: str
    ratio: float | None = None
    ratio_to: str | None = None


class Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one benchmark prints."""

    bench: str
    machine: dict[str, object]
    rows: tuple[Row, ...]


class BenchError(Exception):
    """A benchmark broke its own contract; the message says which and how."""


def bench_names(folder: Path = ROOT / "benchmarks") -> list[str]:
    """Returns the benchmarks' names, sorted; a file that cannot be run is support, and left out."""
    return sorted(
        path.stem
        for path in folder.glob("*.py")
        if not path.stem.startswith("_") and "__main__" in path.read_text(encoding="utf-8")
    )


def parse_result(name: str, text: str) -> Result:
    """Returns a benchmark's object.

    Raises:
        BenchError: it is not one JSON object of the shape above.
    """
    try:
        return msgspec.json.decode(text, type=Result)
    except msgspec.DecodeError as error:
        raise BenchError(f"{name} printed something else than its one object: {error}") from error


def merge(results: Mapping[str, Result]) -> Result:
    """Returns one object with the rows of all, each row's name led by its benchmark's."""
    machines = [result.machine for result in results.values()]
    rows = tuple(
        msgspec.structs.replace(row, name=f"{name}/{row.name}")
        for name, result in results.items()
        for row in result.rows
    )
    return Result(bench="all", machine=machines[0] if machines else {}, rows=rows)


def run_bench(name: str, flags: Sequence[str] = ()) -> Result:
    """Runs one benchmark with its own flags; its standard error is passed on as it comes.

    Raises:
        BenchError: it failed, or printed something else than its object.
    """
    command = [sys.executable, "-m", f"benchmarks.{name}", *flags]
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise BenchError(f"{name} ended with status {done.returncode}")
    return parse_result(name, done.stdout)


def run_benches(arguments: Sequence[str]) -> int:
    """Runs the named benchmark or all; returns 0, 1 if one failed, 2 for a wrong command line."""
    names = bench_names()
    flags = [word for word in arguments if word.startswith("--")]
    wanted = [word for word in arguments if word not in flags]
    if len(wanted) > 1 or (flags and not wanted) or not set(wanted) <= set(names):
        listed = ", ".join(names) or "none yet"
        sys.stderr.write(f"usage: ./dev bench [NAME [--peers]]; the benchmarks are: {listed}\n")
        return 2
    try:
        if wanted:
            result = run_bench(wanted[0], flags)
        else:
            result = merge({name: run_bench(name) for name in names})
    except BenchError as error:
        sys.stderr.write(f"dev: {error}\n")
        return 1
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    return 0
