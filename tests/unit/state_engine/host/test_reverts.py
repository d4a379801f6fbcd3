"""How operations are taken back, on disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from state_engine.host.files import LinuxFiles
from state_engine.host.reverts import KEPT, LinuxReverts
from state_engine.ports import PortError


def log(tmp_path: Path) -> LinuxReverts:
    return LinuxReverts(tmp_path / "reverts", LinuxFiles())


@pytest.mark.parametrize("durable", [True, False])
def test_lines_are_kept_in_order_where_only_we_read_them(tmp_path: Path, durable: bool) -> None:
    """By another object too: the process that wrote them may be gone."""
    for line in (b"1", b"2"):
        log(tmp_path).add("op", line, durable=durable)
    assert log(tmp_path).lines("op") == (b"1", b"2")
    assert log(tmp_path).lines("other") == ()
    assert (tmp_path / "reverts" / "op.jsonl").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "reverts").stat().st_mode & 0o777 == 0o700


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    log(tmp_path).add("op", b"1", durable=False)
    with (tmp_path / "reverts" / "op.jsonl").open("ab") as file:
        file.write(b"half")
    assert log(tmp_path).lines("op") == (b"1",)


def test_the_oldest_operations_are_forgotten(tmp_path: Path) -> None:
    """The one that is under way never is."""
    reverts = log(tmp_path)
    for number in range(KEPT + 3):
        reverts.add(f"op{number}", b"x", durable=False)
        os.utime(tmp_path / "reverts" / f"op{number}.jsonl", (number, number))
    assert reverts.operations() == tuple(f"op{number}" for number in range(3, KEPT + 3))
    reverts.add("op3", b"y", durable=False)
    assert reverts.lines("op3") == (b"x", b"y")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a" * 200, "a\nb"])
def test_an_operation_cannot_name_another_file(tmp_path: Path, name: str) -> None:
    for call in (
        lambda: log(tmp_path).add(name, b"x", durable=True),
        lambda: log(tmp_path).lines(name),
    ):
        with pytest.raises(PortError):
            call()


def test_before_the_first_operation_there_is_none(tmp_path: Path) -> None:
    assert log(tmp_path).operations() == ()
