"""The way back: where the disk is full, the host fell within a line, or code is planted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from state_engine.cli import watcher
from state_engine.engine.apply import apply_plan
from state_engine.engine.rollback import apply_rollback
from state_engine.host.files import LinuxFiles
from state_engine.host.linux import LinuxPorts
from state_engine.host.reverts import LinuxReverts
from state_engine.model import Snapshot
from state_engine.ports import MAX_CONTENT, PortError
from tests.fakes.resources import a_file

pytestmark = pytest.mark.hostile


def log(tmp_path: Path) -> LinuxReverts:
    return LinuxReverts(tmp_path / "reverts", LinuxFiles())


@pytest.mark.parametrize("torn", [b"x", b"half a line", b"h" * 70_000, b"h" * 65_536])
@pytest.mark.parametrize("before", [b"", b"1\n", b"1\n" * 40_000])
def test_a_line_that_the_power_cut_off_does_not_spoil_the_next_one(
    tmp_path: Path, torn: bytes, before: bytes
) -> None:
    """The apply goes on after the fall, and all that it did can still be taken back."""
    path = tmp_path / "reverts" / "op.jsonl"
    path.parent.mkdir()
    path.write_bytes(before + torn)
    log(tmp_path).add("op", b"2", durable=True)
    assert path.read_bytes() == before + b"2\n"


def test_an_apply_that_goes_on_after_a_torn_line_can_be_taken_back(tmp_path: Path) -> None:
    """Through the engine, with what an interrupted apply would have left."""
    ports = LinuxPorts(tmp_path / "state", b"k" * 32)
    first = a_file(str(tmp_path / "a"), "1")
    snapshot = apply_plan("op", "n", [first], Snapshot(), ports, approved=None).snapshot
    with (tmp_path / "state/reverts/op.jsonl").open("ab") as file:
        file.write(b'{"type":"acting","key":["m",')
    both = [first, a_file(str(tmp_path / "b"), "2")]
    snapshot = apply_plan("op", "n", both, snapshot, ports, approved=None).snapshot
    outcome = apply_rollback("back", "op", "n", snapshot, ports, approved=None)
    assert outcome.result.status == "succeeded"
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()


def test_a_line_for_which_there_is_no_room_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the act would be done, and half of its way back kept; what was kept before stays."""
    reverts, write = log(tmp_path), os.write
    reverts.add("op", b"1", durable=False)
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda handle, data: write(handle, data[: len(data) // 2]))
        with pytest.raises(PortError) as caught:
            reverts.add("op", b"22222222", durable=True)
    assert caught.value.code == "ENOSPC"
    reverts.add("op", b"3", durable=False)
    assert reverts.lines("op") == (b"1", b"3")


def test_a_long_way_back_is_not_cut(tmp_path: Path) -> None:
    """Taking back the first half of an operation only would be worse than nothing."""
    path = tmp_path / "reverts" / "op.jsonl"
    path.parent.mkdir()
    with path.open("wb") as file:
        file.seek(MAX_CONTENT + 1)
        file.write(b"\nlast\n")
    assert log(tmp_path).lines("op")[-1] == b"last"


@pytest.mark.parametrize("module", ["state_engine", "msgspec", "click"])
def test_the_watcher_runs_no_code_from_where_it_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    """Root may apply in a directory in which somebody else has put a package of ours."""
    planted = tmp_path / "here" / module
    planted.mkdir(parents=True)
    (planted / "__init__.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "state").mkdir(mode=0o700)
    assert os.waitpid(watcher.start(tmp_path / "state", "op"), 0)[1] == 0
    assert not (tmp_path / "ran").exists()
