"""Private files stay private, whole, and are never overwritten by chance."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from client.failures import ClientError
from client.private_files import MAX_PRIVATE_FILE, create_private, read_private, replace_private


@pytest.mark.parametrize("write", [create_private, replace_private])
def test_a_file_is_made_for_its_owner_alone(tmp_path: Path, write: object) -> None:
    path = tmp_path / "deep" / "file"
    held = os.umask(0)
    try:
        assert callable(write)
        write(path, b"secret")
    finally:
        os.umask(held)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert read_private(path) == b"secret"


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "file"
    create_private(path, b"first")
    with pytest.raises(ClientError, match="there already"):
        create_private(path, b"second")
    assert read_private(path) == b"first"
    replace_private(path, b"second")
    assert read_private(path) == b"second"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622, 0o660])
def test_loose_permissions_are_refused_with_the_command_that_helps(
    tmp_path: Path, mode: int
) -> None:
    path = tmp_path / "file"
    create_private(path, b"x")
    path.chmod(mode)
    with pytest.raises(ClientError, match="can be used by others") as caught:
        read_private(path)
    assert caught.value.next_command == f"chmod 600 {path}"


def test_a_link_a_directory_and_a_giant_are_no_private_files(tmp_path: Path) -> None:
    target = tmp_path / "target"
    create_private(target, b"x")
    link = tmp_path / "link"
    link.symlink_to(target)
    giant = tmp_path / "giant"
    create_private(giant, b"x" * (MAX_PRIVATE_FILE + 1))
    for path in (link, tmp_path, giant):
        with pytest.raises(ClientError):
            read_private(path)
    assert read_private(tmp_path / "nowhere") is None


def test_a_place_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for write in (create_private, replace_private):
        with pytest.raises(ClientError, match="cannot write"):
            write(tmp_path / "file" / "below", b"x")
