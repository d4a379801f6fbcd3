"""Drift against what was applied."""

from __future__ import annotations

import pytest

from state_engine.engine.cancel import StoppedError
from state_engine.engine.drift import find_drift
from state_engine.model import AppliedResource, Snapshot
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import a_file, a_script


def test_scripts_drift_by_their_check_only() -> None:
    """Without a check there is nothing to see; an untrusted check is not run."""
    ports = FakePorts()
    ports.programs.known["check"] = lambda: 1
    scripts = (
        a_script("plain"),
        a_script("checked", check="check"),
        a_script("unsigned", check="check", trusted=False),
    )
    snapshot = Snapshot(applied=tuple(map(AppliedResource, scripts)))
    found = find_drift(snapshot, ports)
    assert [(item.identity, item.action) for item in found] == [("checked", "run")]
    assert ports.programs.calls == ["check"]


def test_what_never_came_to_be_cannot_drift() -> None:
    """A failed creation is pending, not drift."""
    snapshot = Snapshot(applied=(AppliedResource(a_file("/f"), incomplete=True),))
    assert find_drift(snapshot, FakePorts()) == ()


def test_drift_that_cannot_be_seen_is_an_error_item() -> None:
    """Something else in the file's place is reported as such."""
    ports = FakePorts()
    ports.files.put("/f", Node("symlink", 0o777, 0, 0))
    [item] = find_drift(Snapshot(applied=(AppliedResource(a_file("/f")),)), ports)
    assert item.action == "error"


def test_drift_is_judged_by_the_snapshot_and_not_by_new_modules() -> None:
    """Content of a later module version is no drift, and no repair happens."""
    ports = FakePorts()
    ports.files.put("/f", Node("file", 0o644, 0, 0, b"v1"))
    snapshot = Snapshot(applied=(AppliedResource(a_file("/f", "v1")),))
    assert find_drift(snapshot, ports) == ()
    ports.files.put("/f", Node("file", 0o644, 0, 0, b"v2"))
    [item] = find_drift(snapshot, ports, verify_content=True)
    assert (item.action, len(item.observed), ports.files.writes) == ("update", 64, [])


def test_it_can_be_cancelled() -> None:
    """Between items."""
    snapshot = Snapshot(applied=(AppliedResource(a_file("/f")),))
    with pytest.raises(StoppedError):
        find_drift(snapshot, FakePorts(), cancelled=lambda: True)
