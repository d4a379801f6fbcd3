"""Small files are wholly there or not at all, and private."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from agent import files


def test_a_private_file_is_created_once(tmp_path: Path) -> None:
    """What exists is not replaced, and no draft stays behind."""
    path = tmp_path / "key"
    assert files.create_private(path, b"one")
    assert not files.create_private(path, b"two")
    assert path.read_bytes() == b"one"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["key"]


def test_a_draft_of_a_start_that_died_is_no_obstacle(tmp_path: Path) -> None:
    """A crash before the file got its name leaves nothing that counts."""
    # No process has this number: the kernel's highest is 2**22.
    (tmp_path / "key.99999999.new").write_bytes(b"half")
    assert files.create_private(tmp_path / "key", b"whole")
    assert (tmp_path / "key").read_bytes() == b"whole"
    assert [p.name for p in tmp_path.iterdir()] == ["key"]


def test_the_draft_of_another_process_is_let_be(tmp_path: Path) -> None:
    """`enrol` and the agent may write at once: neither gives the other's half draft its name."""
    other = tmp_path / f"key.{os.getppid()}.new"
    other.write_bytes(b"half")
    files.replace_private(tmp_path / "key", b"whole")
    assert other.read_bytes() == b"half"
    assert (tmp_path / "key").read_bytes() == b"whole"


def test_a_private_file_is_replaced_at_once(tmp_path: Path) -> None:
    """The new content has the old name and mode 0600."""
    path = tmp_path / "key"
    path.write_bytes(b"old")
    files.replace_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_state_directory_is_made_private_and_must_stay_so(tmp_path: Path) -> None:
    """A directory that others may write to is refused with what to do."""
    path = tmp_path / "a/state"
    files.prepare_directory(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    path.chmod(0o777)
    with pytest.raises(files.StateDirectoryError, match="chmod 0700"):
        files.prepare_directory(path)


@pytest.mark.needs_root
@pytest.mark.hostile
def test_a_state_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    """Its owner could put another identity and another memory in its place."""
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    os.chown(path, 65_534, 65_534)
    with pytest.raises(files.StateDirectoryError, match="belongs to user 65534"):
        files.prepare_directory(path)


def test_a_state_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """The message names the path."""
    (tmp_path / "state").write_text("")
    with pytest.raises(files.StateDirectoryError, match="state"):
        files.prepare_directory(tmp_path / "state")


def test_a_small_file_is_read_or_none(tmp_path: Path) -> None:
    """What is not there is None, not an error."""
    assert files.read_small(tmp_path / "none") is None
