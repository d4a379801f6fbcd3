"""One object of the file system by its handle."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from state_engine.host import handles
from state_engine.host.files import LinuxFiles
from state_engine.ports import PortError


def attribute(path: Path, name: str, value: bytes | None = None) -> bytes | None:
    """Set or read an extended attribute; skip where the file system has none."""
    try:
        if value is not None:
            os.setxattr(path, name, value)
        return os.getxattr(path, name) if name in os.listxattr(path) else None
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error.strerror}")


def acl(uid: int) -> bytes:
    """Return an ACL that lets one more user read and write (acl(5), version 2)."""
    entries = [(1, 6, 2**32 - 1), (2, 6, uid), (4, 4, 2**32 - 1), (16, 6, 2**32 - 1)]
    parts = [entry[0].to_bytes(2, "little") + entry[1].to_bytes(2, "little") for entry in entries]
    ids = [entry[2].to_bytes(4, "little") for entry in entries]
    other = (32).to_bytes(2, "little") + (4).to_bytes(2, "little") + b"\xff" * 4
    body = b"".join(part + number for part, number in zip(parts, ids, strict=True))
    return (2).to_bytes(4, "little") + body + other


def test_a_new_content_keeps_what_the_owner_had_noted_on_the_file(tmp_path: Path) -> None:
    """User attributes and the ACL, as an editor that keeps the file would."""
    path = tmp_path / "f"
    path.write_bytes(b"old")
    attribute(path, "user.note", b"mine")
    attribute(path, "system.posix_acl_access", acl(12345))
    LinuxFiles().write(str(path), b"new", 0o664, -1, -1)
    assert attribute(path, "user.note") == b"mine"
    assert attribute(path, "system.posix_acl_access") == acl(12345)
    assert stat.S_IMODE(path.stat().st_mode) == 0o664


@pytest.mark.needs_root
def test_a_new_owner_does_not_take_over_the_access_that_the_old_one_gave(tmp_path: Path) -> None:
    """Else a user could leave himself a way into root's file."""
    path = tmp_path / "f"
    path.write_bytes(b"old")
    attribute(path, "user.note", b"mine")
    attribute(path, "system.posix_acl_access", acl(12345))
    os.chown(path, 12345, 12345)
    LinuxFiles().write(str(path), b"new", 0o644, 0, 0)
    assert attribute(path, "user.note") is None
    assert attribute(path, "system.posix_acl_access") is None


@pytest.mark.needs_root
def test_a_capability_goes_with_the_content_that_had_it(tmp_path: Path) -> None:
    """A privilege never passes to another program."""
    path = tmp_path / "f"
    path.write_bytes(b"old")
    # cap_net_raw, effective and permitted (vfs_cap_data, version 2)
    attribute(path, "security.capability", bytes.fromhex("0100000200200000" + "00" * 12))
    LinuxFiles().write(str(path), b"new", 0o755, -1, -1)
    assert attribute(path, "security.capability") is None


def test_a_directory_or_pipe_is_never_opened_as_a_file(tmp_path: Path) -> None:
    """An open of a pipe would wait for ever."""
    os.mkfifo(tmp_path / "p")
    for path in (tmp_path, tmp_path / "p"):
        with pytest.raises(PortError), handles.opened(str(path)):
            pass


def test_no_more_is_read_than_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    with handles.opened(str(tmp_path / "f")) as (handle, _, _):
        assert handles.up_to(handle, 2) == b"ab"
        assert handles.up_to(handle, 0) == b""
        assert handles.up_to(handle, 9) == b"c"


def test_a_name_of_any_length_has_a_temporary_one_beside_it() -> None:
    """The same each time, so that what a kill left is replaced."""
    assert len(handles.temporary_name("x" * 255)) < 255
    assert handles.temporary_name("a") == handles.temporary_name("a") != handles.temporary_name("b")
