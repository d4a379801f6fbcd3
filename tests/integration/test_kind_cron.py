"""Cron jobs as files of root's, in a root directory of their own."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.host.linux import LinuxPorts
from state_engine.model import Snapshot
from state_engine.resources.cron import Cron
from state_engine.resources.registry import KINDS
from tests.fakes.resources import resource

pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="the files belong to root: needs root"),
]


def test_a_job_is_made_repaired_and_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever owned the file before: cron runs only what is root's and writable by nobody else."""
    directory = tmp_path / "system/etc/cron.d"
    directory.mkdir(parents=True)
    monkeypatch.setitem(KINDS, "cron", Cron(str(tmp_path / "system")))
    old = directory / "job"
    old.write_text("# by hand\n@daily nobody true\n", encoding="utf-8")
    old.chmod(0o666)
    os.chown(old, 65534, 65534)
    ports = LinuxPorts(tmp_path / "state", b"k" * 32, show_private=True)
    spec = {"name": "job", "schedule": "*/5 * * * *", "user": "root", "command": "date +%F"}
    wanted = resource("cron", "job", {**spec})
    outcome = apply_plan("op", "n", [wanted], Snapshot(), ports, approved=None)
    assert [one.error for one in outcome.result.resources if one.error] == []
    found = old.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o644, 0, 0)
    assert old.read_text(encoding="utf-8").endswith("*/5 * * * * root date +\\%F\n")
    assert make_plan("n", [wanted], outcome.snapshot, ports).summary.none == 1
    old.write_text("* * * * * root rm -rf /\n", encoding="utf-8")
    (item,) = find_drift(outcome.snapshot, ports)
    assert [change.field for change in item.changes] == ["schedule", "command"]
    outcome = apply_plan("op", "n", [wanted], outcome.snapshot, ports, approved=None)
    apply_plan("op", "n", [], outcome.snapshot, ports, approved=None)
    assert old.read_text(encoding="utf-8") == "# by hand\n@daily nobody true\n"
    assert (old.stat().st_uid, stat.S_IMODE(old.stat().st_mode)) == (65534, 0o666)
