"""`standfast-state validate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from state_engine.cli.main import run

GOOD = "name: good\nsupports: [{platform: linux}]\n"
DOUBTFUL = "name: odd\nsupports: [{distro: mint}]\n"
BAD = "name: bad\nsupports: [{platform: linx}]\n"


@pytest.mark.parametrize(
    ("text", "code", "last"),
    [
        (GOOD, 0, "1 file, 0 errors, 0 warnings"),
        (DOUBTFUL, 0, "1 file, 0 errors, 1 warning"),
        (BAD, 1, "1 file, 1 error, 0 warnings"),
    ],
)
def test_errors_are_one_and_warnings_are_zero(
    text: str, code: int, last: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.standfast.yaml").write_text(text)
    assert run(["validate", str(tmp_path)]) == code
    assert capsys.readouterr().out.splitlines()[-1] == last


def test_a_problem_is_one_line_that_editors_follow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.txt"
    path.write_text(BAD)
    assert run(["validate", str(path)]) == 1
    assert capsys.readouterr().out.splitlines()[0] == (
        f"{path}:2:23: error: `platform`: `linx` is not one of linux, windows, macos "
        "(did you mean `linux`?)"
    )


def test_json_holds_files_and_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.ordo.yaml"
    path.write_text(BAD)
    assert run(["validate", "--json", str(tmp_path)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["files"]) == (False, [str(path)])
    assert [(item["code"], item["line"]) for item in found["problems"]] == [("clause-value", 2)]
