"""`standfast-state schema`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from state_engine.cli.main import run
from state_engine.language.schema import module_schema


def test_the_schema_is_printed_or_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["schema"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed) == module_schema()
    target = tmp_path / "module.json"
    assert run(["schema", "--output", str(target)]) == 0
    assert target.read_text() == printed
    assert not capsys.readouterr().out


def test_a_file_that_cannot_be_written_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["schema", "--output", str(tmp_path / "no" / "x.json")]) == 1
    assert "cannot write" in capsys.readouterr().err
