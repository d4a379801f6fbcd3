"""The kind archive with real files, real addresses and another owner."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.host.linux import LinuxPorts
from state_engine.model import Snapshot
from tests.fakes.archives import FORMATS, packed, sha
from tests.fakes.resources import resource

pytestmark = pytest.mark.integration
FILES = {"app-1/bin/run": b"#!/bin/sh\n", "app-1/etc/c d": b"x" * 70_000, "app-1/readme": b""}


@pytest.mark.parametrize("form", FORMATS)
def test_an_archive_from_an_address_is_unpacked_watched_and_taken_out(
    tmp_path: Path, form: str
) -> None:
    """From first to last: fetched once, every file seen, and nothing left behind."""
    data = packed(FILES, form, links={"app-1/now": "bin/run"})
    source, tree = tmp_path / "a", tmp_path / "tree"
    source.write_bytes(data)
    ports = LinuxPorts(tmp_path / "state", b"k" * 32)
    spec: dict[str, Json] = {"path": str(tree), "source": f"file://{source}", "sha256": sha(data)}
    item = resource("archive", str(tree), {**spec, "strip": 1})
    first = apply_plan("op", "n", [item], Snapshot(), ports, approved=None)
    assert first.result.status == "succeeded", first.result
    source.unlink()  # it is in the cache from now on
    assert (tree / "now").read_bytes() == b"#!/bin/sh\n"
    assert (tree / "etc/c d").stat().st_size == 70_000
    assert make_plan("n", [item], first.snapshot, ports).summary.none == 1
    assert find_drift(first.snapshot, ports) == ()
    (tree / "etc/c d").write_bytes(b"mine")
    (drift,) = find_drift(first.snapshot, ports)
    assert [change.field for change in drift.changes] == ["etc/c d"]
    again = apply_plan("op2", "n", [item], first.snapshot, ports, approved=None)
    assert again.result.status == "succeeded"
    gone = apply_plan("op3", "n", [], again.snapshot, ports, approved=None)
    assert (gone.result.resources[0].status, list(tree.iterdir())) == ("removed", [])


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_what_is_unpacked_belongs_to_whom_it_should(tmp_path: Path) -> None:
    """Links too, and with the mode that the module names."""
    source, tree = tmp_path / "a", tmp_path / "tree"
    source.write_bytes(packed(FILES, "gz", links={"app-1/now": "bin/run"}))
    ports = LinuxPorts(tmp_path / "state", b"k" * 32)
    spec: dict[str, Json] = {"path": str(tree), "source": str(source), "owner": "nobody"}
    item = resource("archive", str(tree), {**spec, "mode": "0640"})
    first = apply_plan("op", "n", [item], Snapshot(), ports, approved=None)
    assert first.result.status == "succeeded", first.result
    nobody = pwd.getpwnam("nobody").pw_uid
    found = [tree, *tree.rglob("*")]
    assert {path.lstat().st_uid for path in found} == {nobody}
    modes = {path.name: path.lstat().st_mode & 0o7777 for path in found if not path.is_symlink()}
    assert {modes[name] for name in ("run", "c d", "readme")} == {0o640}
    assert {modes[name] for name in ("bin", "etc", "app-1")} == {0o750}
    os.chown(tree / "app-1/now", 0, 0, follow_symlinks=False)
    (drift,) = find_drift(first.snapshot, ports)
    assert [(change.field, change.current) for change in drift.changes] == [
        ("app-1/now", "owner root")
    ]
