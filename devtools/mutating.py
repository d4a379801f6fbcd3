"""`./dev mutate`: do the tests of the code that decides notice every small fault in it?

One process collects the tests and measures which of them reach which line, and whether they take
every branch. Then each fault gets a fork, which runs the tests that reach it until one fails.
A fault that no test notices is printed, and the command fails. What is listed as equivalent cannot
be noticed by anybody; each has its reason.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, NamedTuple, TextIO

from devtools import mutants
from devtools.equivalents import EQUIVALENT

if TYPE_CHECKING:
    import coverage
    import pytest

    from devtools.mutants import Mutant

ROOT = Path(__file__).resolve().parent.parent
# Everything that says whether something signed may run.
FILES = (
    "protocol/authority.py",
    "protocol/decisions.py",
    "protocol/dsse.py",
    "protocol/merkle.py",
    "protocol/node_statement.py",
    "protocol/policy.py",
    "protocol/revocations.py",
    "protocol/roster.py",
    "protocol/scopes.py",
    "protocol/standing.py",
    "protocol/windows.py",
    "agent/admission.py",
    "agent/policy_check.py",
)
TESTS = (
    *(f"tests/unit/{file.replace('/', '/test_', 1)}" for file in FILES),
    "tests/hostile/test_decisions.py",
    "tests/hostile/test_roster.py",
    "tests/hostile/test_host_decisions.py",
    "tests/hostile/test_host_roster.py",
)
# A fault may be an endless loop; the tests of one line take under a second.
FAULT_SECONDS = 10
AT_ONCE = os.cpu_count() or 1
# Faults that share a process: forking costs as much as trying one.
SIZE = 25
# What became of a fault.
NOTICED, ALIVE, LISTED = 1, 2, 3


class Plugin:
    """What takes pytest's place when the tests are collected: measure, then make the faults."""

    def __init__(self, measured: coverage.Coverage, files: Sequence[str]) -> None:
        self._measured = measured
        self._files = files
        self.survivors: list[str] = []
        self.unbranched: list[str] = []
        self.failed: list[str] = []
        self.unused: set[str] = set()
        self._seen: set[str] = set()
        self.count = 0

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the whole of it instead of the tests once."""
        by_name = {item.nodeid: item for item in session.items}
        for name, item in by_name.items():
            self._measured.switch_context(name)
            if not passes([item]):
                self.failed.append(name)
        self._measured.stop()
        # What stands now stays shared with the forks: collecting it would copy every page.
        gc.freeze()
        if not self.failed:
            self.unbranched = self._branches()
            self._make_faults(by_name)
        return True

    def _branches(self) -> list[str]:
        with tempfile.TemporaryDirectory() as directory:
            report = Path(directory) / "report.json"
            with open_null() as quiet, contextlib.redirect_stdout(quiet):
                self._measured.json_report(outfile=str(report))
            found = json.loads(report.read_text())["files"]
        return [
            f"{file}: lines {data['missing_lines']}, branches {data['missing_branches']}"
            for file, data in found.items()
            if data["missing_lines"] or data["missing_branches"]
        ]

    def _make_faults(self, by_name: dict[str, pytest.Item]) -> None:
        data = self._measured.get_data()
        waiting: deque[Batch] = deque()
        for file in self._files:
            target = Target(file, data.contexts_by_lineno(str(ROOT / file)), by_name)
            count = mutants.count(target.source)
            self.count += count
            numbers = range(count)
            waiting += [Batch(target, numbers[at : at + SIZE]) for at in range(0, count, SIZE)]
        running: dict[int, tuple[Batch, int]] = {}
        while waiting or running:
            while waiting and len(running) < AT_ONCE:
                batch = waiting.popleft()
                child, pipe = batch.start()
                running[child] = (batch, pipe)
            batch, pipe = running.pop(os.wait()[0])
            rest = self._take(batch, pipe)
            if rest.numbers:
                waiting.appendleft(rest)
        listed = {key for key in EQUIVALENT if key.split(" ", 1)[0] in self._files}
        self.unused = listed - self._seen

    def _take(self, batch: Batch, pipe: int) -> Batch:
        """Read what became of a batch; return what is left of it when a fault ended the process."""
        verdicts = os.read(pipe, SIZE)
        os.close(pipe)
        for number, verdict in zip(batch.numbers, verdicts, strict=False):
            if verdict in {ALIVE, LISTED}:
                fault = mutants.mutant(batch.target.source, batch.target.file, number)
                key = fault.key(batch.target.file)
                if verdict == LISTED:
                    self._seen.add(key)
                else:
                    self.survivors.append(f"{key}  (line {fault.line})")
        # The one at which it ended was noticed, by a crash or by the alarm.
        return Batch(batch.target, batch.numbers[len(verdicts) + 1 :])


class Batch(NamedTuple):
    """Some faults of one file, tried in one process."""

    target: Target
    numbers: range

    def start(self) -> tuple[int, int]:
        """Fork; return the process and the pipe in which it writes a byte for each fault."""
        read, write = os.pipe()
        child = os.fork()
        if child:
            os.close(write)
            return child, read
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            quiet = os.open(os.devnull, os.O_RDWR)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            for number in self.numbers:
                signal.alarm(FAULT_SECONDS)
                os.write(write, bytes([self.target.attempt(number)]))
        finally:
            os._exit(0)


class Target:
    """One file under test, with the tests that reach each of its lines."""

    def __init__(
        self, file: str, reached: dict[int, list[str]], by_name: dict[str, pytest.Item]
    ) -> None:
        self.file = file
        self.source = (ROOT / file).read_text()
        self._reached = reached
        self._by_name = by_name
        self._functions = dict(functions_of(sys.modules[module_of(file)]))

    def attempt(self, number: int) -> int:
        """Run the tests with one fault in place; return what became of it."""
        fault = mutants.mutant(self.source, str(ROOT / self.file), number)
        if fault.key(self.file) in EQUIVALENT:
            return LISTED
        function = self._functions[fault.function]
        items, whole = self._around(fault, function), function.__code__
        function.__code__ = fault.code
        try:
            return ALIVE if passes(items) else NOTICED
        finally:
            function.__code__ = whole

    def _around(self, fault: Mutant, function: FunctionType) -> list[pytest.Item]:
        lines = {line for _, _, line in function.__code__.co_lines() if line is not None}
        # A line that nothing is counted on (a `raise` that went away) is as good as its function.
        names = self._reached.get(fault.line) or [
            name for line in sorted(lines) for name in self._reached.get(line, ())
        ]
        return [self._by_name[name] for name in dict.fromkeys(names) if name in self._by_name]


def functions_of(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    """Yield the functions of a module and of its classes, by qualified name."""
    for value in vars(module).values():
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            yield value.__qualname__, value
        elif isinstance(value, type) and value.__module__ == module.__name__:
            for part in vars(value).values():
                inner = part.fget if isinstance(part, property) else part
                inner = inner.__func__ if isinstance(inner, staticmethod) else inner
                if isinstance(inner, FunctionType):
                    yield inner.__qualname__, inner


def passes(items: list[pytest.Item]) -> bool:
    """Run tests until one fails."""
    from _pytest.runner import runtestprotocol  # noqa: PLC2701 - pytest offers it nowhere else

    return all(not report.failed for item in items for report in runtestprotocol(item, log=False))


def open_null() -> TextIO:
    """Return where text goes that nobody wants."""
    return Path(os.devnull).open("w", encoding="utf-8")


def module_of(file: str) -> str:
    """Return the module that a file is imported as."""
    return file.removesuffix(".py").replace("/", ".")


def run_mutate(arguments: Sequence[str]) -> int:
    """Make every fault, or those of some files; returns 0 if each was noticed."""
    import coverage
    import pytest

    files = [file for file in FILES if not arguments or file in arguments]
    measured = coverage.Coverage(
        data_file=None, config_file=False, branch=True, include=[str(ROOT / file) for file in files]
    )
    measured.start()
    for file in files:
        importlib.import_module(module_of(file))
    plugin = Plugin(measured, files)
    options = ["-q", "-o", "timeout=0"]
    for name in ("cacheprovider", "xdist", "schemathesis", "hypothesispytest"):
        options += ["-p", f"no:{name}"]
    status = pytest.main([*options, *(str(ROOT / test) for test in TESTS)], plugins=[plugin])
    lines = [f"the test fails without any fault: {name}" for name in plugin.failed]
    lines += [f"not every branch is taken: {text}" for text in plugin.unbranched]
    lines += [f"no test notices: {text}" for text in plugin.survivors]
    lines += [f"listed as equivalent and no fault any more: {key}" for key in plugin.unused]
    sys.stdout.write("\n".join([*lines, f"{plugin.count} faults, {len(plugin.survivors)} alive"]))
    sys.stdout.write("\n")
    return 1 if lines or status not in {0, 5} or not plugin.count else 0


if __name__ == "__main__":
    sys.exit(run_mutate(sys.argv[1:]))
