"""The identity is made once, private, and damage is said and never overwritten."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from agent import identity
from agent.files import StateDirectoryError
from protocol import ids


def test_the_identity_is_made_once_and_never_rewritten(tmp_path: Path) -> None:
    """A second start reads the same keys from the same inode."""
    made = identity.load_or_create(tmp_path)
    path = tmp_path / identity.FILE
    before = path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns
    again = identity.load_or_create(tmp_path)
    assert again.key.public == made.key.public
    assert again.sealing_public == made.sealing_public
    assert before == (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made.node_id == ids.node_id(made.key.public)
    assert made.fingerprint == ids.fingerprint(made.key.public)


def test_no_identity_is_none(tmp_path: Path) -> None:
    """Showing an identity makes none."""
    assert identity.load(tmp_path) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("data", [b"", b"{", b'{"v":1,"identity":"00","sealing":"00"}'])
def test_a_damaged_identity_is_an_error_and_stays(tmp_path: Path, data: bytes) -> None:
    """A host does not become another one because a file is broken."""
    path = tmp_path / identity.FILE
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(StateDirectoryError, match="damaged"):
        identity.load_or_create(tmp_path)
    assert path.read_bytes() == data


def test_an_identity_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """A key that leaked is not used in silence."""
    identity.load_or_create(tmp_path)
    (tmp_path / identity.FILE).chmod(0o640)
    with pytest.raises(StateDirectoryError, match="read by others"):
        identity.load(tmp_path)


def test_keys_are_not_shown(tmp_path: Path) -> None:
    """A log line with an identity in it gives nothing away."""
    made = identity.load_or_create(tmp_path)
    assert made.key.seed().hex() not in repr(made)
