"""`standfast-state fmt`."""

from __future__ import annotations

from pathlib import Path

import pytest

from state_engine.cli.main import run

ROUGH = "name: a   \nsupports:\n- platform: linux\n"
SMOOTH = "name: a\nsupports:\n  - platform: linux\n"


def test_a_file_is_laid_out_and_keeps_its_mode(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.ordo.yaml"
    path.write_text(ROUGH)
    path.chmod(0o640)
    assert run(["fmt", "--check", str(tmp_path)]) == 1
    assert (path.read_text(), "would format" in capsys.readouterr().out) == (ROUGH, True)
    assert run(["fmt", str(tmp_path)]) == 0
    assert (path.read_text(), path.stat().st_mode & 0o777) == (SMOOTH, 0o640)
    assert capsys.readouterr().out == f"formatted {path}\n1 formatted, 0 as they should be\n"
    assert run(["fmt", "--check", str(tmp_path)]) == 0
    assert [found.name for found in tmp_path.iterdir()] == ["a.ordo.yaml"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    path = tmp_path / "real"
    path.write_text(ROUGH)
    link = tmp_path / "a.ordo.yaml"
    link.symlink_to(path)
    assert run(["fmt", str(link)]) == 0
    assert (link.is_symlink(), path.read_text()) == (True, SMOOTH)


def test_a_file_that_cannot_be_read_is_an_error_and_is_not_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "b.ordo.yaml"
    bad.write_text("name: [   \n")
    good = tmp_path / "c.ordo.yaml"
    good.write_text(ROUGH)
    assert run(["fmt", str(tmp_path)]) == 1
    assert (bad.read_text(), good.read_text()) == ("name: [   \n", SMOOTH)
    assert f"{bad}:2:1: error: not YAML" in capsys.readouterr().err
