"""Which files the paths of a command name."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from state_engine.cli.sources import find, load, read
from state_engine.language.load import MAX_BYTES

GOOD = "name: {}\nsupports: [{{}}]\n"


def test_a_directory_is_walked_in_order_for_both_extensions(tmp_path: Path) -> None:
    for name in ("b/x.ordo.yaml", "a/y.standfast.yaml", "a/z.yaml", "c.ordo.yaml", "d.ordo.yml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(GOOD.format(path.stem))
    os.mkfifo(tmp_path / "pipe.ordo.yaml")
    top = str(tmp_path)
    assert find((top, f"{top}/c.ordo.yaml", f"{top}/a/z.yaml")) == (
        f"{top}/c.ordo.yaml",
        f"{top}/a/y.standfast.yaml",
        f"{top}/b/x.ordo.yaml",
        f"{top}/a/z.yaml",
    )


def test_a_directory_without_modules_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match=r"no file ends in \.ordo\.yaml"):
        find((str(tmp_path),))


def test_no_more_than_the_limit_is_read() -> None:
    data, problem = read("/dev/zero")
    assert (len(data), problem) == (MAX_BYTES + 1, None)


def test_a_file_that_cannot_be_read_is_a_problem_of_that_file_only(tmp_path: Path) -> None:
    good = tmp_path / "good.ordo.yaml"
    good.write_text(GOOD.format("good"))
    loaded = load((str(tmp_path / "gone.yaml"), str(good)))
    assert [module.name for module in loaded.modules] == ["good"]
    assert [problem.code for problem in loaded.problems] == ["unreadable"]
    assert not loaded.ok
