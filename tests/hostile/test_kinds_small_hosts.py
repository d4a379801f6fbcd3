"""What kinds run on a host whose programs are BusyBox's, as Alpine's are."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from protocol.canonical import Json
from state_engine.resources.contract import Context, RunScript, Step
from state_engine.resources.parts import owned_files
from state_engine.resources.parts.owned_files import Found, Owned
from state_engine.resources.swap import Swap
from tests.fakes.storage import StoragePorts

BUSYBOX = shutil.which("busybox")
pytestmark = [
    pytest.mark.hostile,
    pytest.mark.skipif(BUSYBOX is None, reason="needs busybox"),
]


def swap_steps(path: str) -> tuple[Step, ...]:
    """Return the making of a swap file."""
    kind, ports = Swap(), StoragePorts()
    present: dict[str, Json] = {"path": path, "size": "1M", "boot": False, "priority": 5}
    made = kind.compare(present, kind.observe(present, ports, verify=False), Context())
    return made.steps


def ran(step: Step) -> subprocess.CompletedProcess[str]:
    assert isinstance(step, RunScript)
    assert BUSYBOX is not None
    argv = [BUSYBOX, *step.call.argv]
    return subprocess.run(argv, check=False, capture_output=True, text=True, umask=0o022)


def test_what_takes_back_a_change_of_the_network_runs_there(tmp_path: Path) -> None:
    """The dead-man switch removes the file that was written, whoever's `rm` it is."""
    path = tmp_path / "drop-in"
    path.write_text("x", encoding="utf-8")
    (step,) = owned_files.back([(Owned(str(path), "x"), Found(str(path)))])
    assert not ran(step).stderr
    assert not path.exists()


def test_a_swap_file_is_made_there_and_is_private_from_its_first_moment(tmp_path: Path) -> None:
    """A new file, in place of one that somebody may hold open, and of the size that was asked."""
    path = tmp_path / "swap"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o666)
    before = path.stat().st_ino
    with path.open("rb") as held:
        empty, long, _, on = swap_steps(str(path))
        for step in (empty, long):
            assert not ran(step).stderr
        assert held.read() == b"old"
    found = path.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_size) == (0o600, 1 << 20)
    assert found.st_ino != before
    assert isinstance(on, RunScript)
    assert on.call.argv[:3] == ("swapon", "-p", "5")


def test_a_link_in_a_swap_files_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """Whoever can write to the directory does not choose the file that becomes swap."""
    target = tmp_path / "shadow"
    target.write_text("secret", encoding="utf-8")
    path = tmp_path / "swap"
    path.symlink_to(target)
    assert ran(swap_steps(str(path))[0]).returncode == 0
    assert target.read_text(encoding="utf-8") == "secret"
    assert not path.is_symlink()
