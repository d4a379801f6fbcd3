"""An operator at the command line, in the test's process: a directory, a person, an exit code."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path

from client.cli.main import main


class Screen(io.StringIO):
    """A stream that can pretend to be a terminal."""

    def __init__(self, text: str = "", *, terminal: bool = False) -> None:
        super().__init__(text)
        self.terminal = terminal

    def isatty(self) -> bool:
        """Say what it pretends."""
        return self.terminal


class Shown:
    """What one command line gave."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"

    @property
    def rows(self) -> list[list[str]]:
        """The lines of standard output, split at tabs."""
        return [row.split("\t") for row in self.out.splitlines()]

    def document(self) -> dict[str, object]:
        """Return the JSON object on standard output."""
        found: object = json.loads(self.out)
        assert isinstance(found, dict)
        return found


class Person:
    """An operator with a configuration directory of their own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def types(self, line: str, *, answer: str | None = None, terminal: bool = False) -> Shown:
        """Run one command line; with an `answer` there is a person at the keyboard."""
        out, err = Screen(terminal=terminal), Screen()
        held = sys.stdin
        sys.stdin = Screen(answer or "", terminal=answer is not None)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main(["--config-dir", str(self.directory), *line.split()])
        finally:
            sys.stdin = held
        return Shown(code, out.getvalue(), err.getvalue())

    def founds(self, url: str) -> None:
        """Make a key, a roster and a profile of a coordinator without TLS."""
        for line in ("operator init --username lena", f"profile create lab --url {url}"):
            shown = self.types(line)
            assert shown.code == 0, shown
