"""A purge and a recursive change of owners in a directory that somebody else can write to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.rollback import apply_rollback
from state_engine.host.linux import LinuxPorts
from state_engine.model import Snapshot
from tests.fakes.resources import resource

pytestmark = pytest.mark.hostile


def apply(tmp_path: Path, ports: LinuxPorts, **fields: Json) -> Snapshot:
    spec: dict[str, Json] = {"path": str(tmp_path / "d"), **fields}
    directory = resource("directory-unix", str(tmp_path / "d"), spec)
    outcome = apply_plan("op", "n", [directory], Snapshot(), ports, approved=None)
    assert outcome.result.status == "succeeded", outcome.result.resources
    return outcome.snapshot


def trap(tmp_path: Path) -> Path:
    """Make a directory with links that lead out of it; return what they lead to."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"p")
    inside = tmp_path / "d"
    (inside / "sub").mkdir(parents=True)
    (inside / "link").symlink_to(outside)
    (inside / "sub" / "up").symlink_to("../../outside")
    (inside / "file").symlink_to(outside / "precious")
    (inside / "plain").write_bytes(b"x")
    return outside


def test_a_purge_deletes_links_and_never_what_they_lead_to(tmp_path: Path) -> None:
    """And a rollback puts the links back as they were."""
    outside = trap(tmp_path)
    ports = LinuxPorts(tmp_path / "state", b"k" * 32)
    snapshot = apply(tmp_path, ports, purge=True)
    assert list((tmp_path / "d").iterdir()) == []
    assert (outside / "precious").read_bytes() == b"p"
    apply_rollback("back", "op", "n", snapshot, ports, approved=None)
    assert (tmp_path / "d" / "sub" / "up").readlink() == Path("../../outside")
    assert (tmp_path / "d" / "plain").read_bytes() == b"x"
    assert (outside / "precious").read_bytes() == b"p"


@pytest.mark.needs_root
def test_a_recursive_owner_goes_through_no_link(tmp_path: Path) -> None:
    """Neither to a file nor into a directory."""
    outside = trap(tmp_path)
    ports = LinuxPorts(tmp_path / "state", b"k" * 32)
    apply(tmp_path, ports, recursive=True, owner="12345", mode="0700", file_mode="0600")
    assert (tmp_path / "d" / "plain").stat().st_uid == 12345
    assert outside.stat().st_uid == os.geteuid()
    assert (outside / "precious").stat().st_uid == os.geteuid()
    assert (outside / "precious").stat().st_mode & 0o777 != 0o600


@pytest.mark.needs_root
def test_a_hard_link_in_a_users_directory_is_not_given_away(tmp_path: Path) -> None:
    """A user links root's file into his directory, and waits for its owner to be changed."""
    precious = tmp_path / "precious"
    precious.write_bytes(b"p")
    directory = tmp_path / "d"
    directory.mkdir()
    os.link(precious, directory / "mine")
    os.chown(directory, 12345, 12345)
    spec: dict[str, Json] = {"path": str(directory), "recursive": True, "owner": "12345"}
    ports = LinuxPorts(tmp_path / "state", b"k" * 32)
    one = resource("directory-unix", str(directory), spec)
    outcome = apply_plan("op", "n", [one], Snapshot(), ports, approved=None)
    assert outcome.result.status == "failed"
    assert precious.stat().st_uid == os.geteuid()
