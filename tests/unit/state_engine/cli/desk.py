"""A place to try `standfast-state` in: a module file, a target, a state directory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from state_engine.cli import main


class Desk:
    """Runs the command line in this process; `target` is the file that the module manages."""

    def __init__(self, root: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self.state = root / "state"
        self.target = root / "target"
        self.file = root / "base.ordo.yaml"
        self._capture = capture

    def write(self, text: str) -> None:
        """Write the module file."""
        self.file.write_text(text, encoding="utf-8")

    def module(self, content: str = "hello\n", path: str | None = None, more: str = "") -> None:
        """Write a module of one file (and more resources)."""
        path = path or str(self.target)
        self.write(
            "name: base\nsupports: [{platform: linux}]\nresources:\n  - id: f\n"
            f"    resource: {{file-unix: {{path: {path}, content: {json.dumps(content)}}}}}\n{more}"
        )

    def run(self, command: str, *options: str, paths: bool = True) -> tuple[int, str]:
        """Run a command; returns its exit code and all that it printed."""
        given = [str(self.file)] if paths else []
        code = main.run([command, *given, "--state-dir", str(self.state), *options])
        printed = self._capture.readouterr()
        return code, printed.out + printed.err


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A fresh desk."""
    return Desk(tmp_path, capsys)
