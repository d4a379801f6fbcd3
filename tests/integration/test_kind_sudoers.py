"""Sudo rules that the real visudo has read, in a root directory of their own."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.plan import make_plan
from state_engine.host.linux import LinuxPorts
from state_engine.model import Snapshot
from state_engine.resources.registry import KINDS
from state_engine.resources.sudoers import Sudoers
from tests.fakes.resources import resource

pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="the files belong to root: needs root"),
    pytest.mark.skipif(shutil.which("visudo") is None, reason="visudo is not on this machine"),
]


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sudoers.d of a root directory that the kind works in."""
    made = tmp_path / "system/etc/sudoers.d"
    made.mkdir(parents=True)
    monkeypatch.setitem(KINDS, "sudoers", Sudoers(str(tmp_path / "system")))
    return made


@pytest.fixture
def ports(tmp_path: Path) -> LinuxPorts:
    return LinuxPorts(tmp_path / "state", b"k" * 32)


@pytest.mark.parametrize(
    "spec",
    [
        {"content": "# ours\nDefaults:app !requiretty\napp ALL=(ALL:ALL) NOPASSWD: ALL\n"},
        {"who": "%ops", "commands": ["/bin/a b=c,d:e #f *", "/bin/ls"], "run_as": "db:ops"},
        {"who": "app", "commands": ["ALL"], "no_password": True},
        {"who": "#1500", "commands": ['/bin/echo ""'], "run_as": "root"},
    ],
)
def test_a_good_text_takes_its_place_and_leaves_it_again(
    directory: Path, ports: LinuxPorts, spec: dict[str, Json]
) -> None:
    """Mode 0440 and root's; visudo accepts the file itself, too; removal leaves nothing."""
    wanted = resource("sudoers", "app", {"name": "app", **spec})
    assert KINDS["sudoers"].validate(wanted.spec) == []
    outcome = apply_plan("op", "n", [wanted], Snapshot(), ports, approved=None)
    assert [one.error for one in outcome.result.resources if one.error] == []
    found = (directory / "app").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o440, 0, 0)
    check = ["visudo", "-c", "-f", str(directory / "app")]
    assert subprocess.run(check, check=False, capture_output=True, timeout=60).returncode == 0
    assert make_plan("n", [wanted], outcome.snapshot, ports).summary.none == 1
    apply_plan("op", "n", [], outcome.snapshot, ports, approved=None)
    assert list(directory.iterdir()) == []


def test_a_bad_text_changes_nothing(directory: Path, ports: LinuxPorts) -> None:
    """The plan says what visudo says, and the old rule stays in force."""
    old = directory / "app"
    old.write_text("app ALL=(ALL) ALL\n", encoding="utf-8")
    old.chmod(0o440)
    wanted = resource("sudoers", "app", {"name": "app", "content": "app ALL=(ALL s3cr3t\n"})
    (item,) = make_plan("n", [wanted], Snapshot(), ports).resources
    assert item.action == "error"
    assert "syntax error" in (item.message or "")
    assert "s3cr3t" not in (item.message or "")
    outcome = apply_plan("op", "n", [wanted], Snapshot(), ports, approved=None)
    assert outcome.result.status == "failed"
    assert old.read_text(encoding="utf-8") == "app ALL=(ALL) ALL\n"
