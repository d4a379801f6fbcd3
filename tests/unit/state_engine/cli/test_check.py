"""`standfast-state check`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from state_engine.cli.main import run

TEXT = (
    "name: {}\nsupports: [{{platform: linux}}]\n"
    "resources: [{{resource: {{file-unix: {{path: {}}}}}}}]\n"
)


def write(top: Path, name: str, path: str) -> None:
    """Write a module that claims a path."""
    (top / f"{name}.ordo.yaml").write_text(TEXT.format(name, path))


def test_modules_that_claim_one_path_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "a", "/etc/motd")
    write(tmp_path, "b", "/etc/issue")
    assert run(["check", str(tmp_path)]) == 0
    write(tmp_path, "c", "/etc/motd")
    assert run(["check", str(tmp_path)]) == 1
    assert "is also managed by module `a`" in capsys.readouterr().out


def test_a_file_with_an_error_of_its_own_is_refused_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "a", "relative")
    write(tmp_path, "b", "/b")
    assert run(["check", "--json", str(tmp_path)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["modules"]) == (False, ["b"])
    assert [item["code"] for item in found["problems"]] == ["field-value"]


def test_a_module_that_is_required_must_be_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "base", "/b")
    (tmp_path / "web.ordo.yaml").write_text("requires: [bse]\n" + TEXT.format("web", "/w"))
    assert run(["check", str(tmp_path)]) == 1
    found = capsys.readouterr().out
    assert "web.ordo.yaml:1:12" in found
    assert "did you mean `base`?" in found
    (tmp_path / "web.ordo.yaml").write_text("requires: [base]\n" + TEXT.format("web", "/w"))
    assert run(["check", str(tmp_path)]) == 0
