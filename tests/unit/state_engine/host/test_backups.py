"""Kept copies."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from state_engine.host.backups import LinuxBackups
from state_engine.host.files import LinuxFiles
from state_engine.ports import PortError


def test_copies_are_private_and_named_by_their_content(tmp_path: Path) -> None:
    """Whatever the mode of the original."""
    original = tmp_path / "f"
    original.write_bytes(b"x")
    original.chmod(0o666)
    store = LinuxBackups(tmp_path / "state" / "backups", LinuxFiles())
    digest = store.keep(str(original))
    assert digest == hashlib.sha256(b"x").hexdigest()
    kept = tmp_path / "state" / "backups" / digest
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700


def test_a_damaged_copy_is_not_given_back(tmp_path: Path) -> None:
    """Restoring rubbish would be worse than failing."""
    (tmp_path / "f").write_bytes(b"x")
    store = LinuxBackups(tmp_path / "b", LinuxFiles())
    digest = store.keep(str(tmp_path / "f"))
    (tmp_path / "b" / digest).write_bytes(b"rot")
    with pytest.raises(PortError, match="damaged"):
        store.content(digest)


def test_what_is_too_large_is_refused(tmp_path: Path) -> None:
    """With a code that says so."""
    (tmp_path / "f").write_bytes(b"x" * 11)
    with pytest.raises(PortError) as caught:
        LinuxBackups(tmp_path / "b", LinuxFiles(), limit=10).keep(str(tmp_path / "f"))
    assert caught.value.code == "EFBIG"


def test_a_place_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """Nothing is overwritten then."""
    (tmp_path / "f").write_bytes(b"x")
    with pytest.raises(PortError, match="keep a copy"):
        LinuxBackups(tmp_path / "f" / "below", LinuxFiles()).keep(str(tmp_path / "f"))
