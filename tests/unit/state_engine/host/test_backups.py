"""Kept copies."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from state_engine.host.backups import LinuxBackups
from state_engine.host.files import LinuxFiles
from state_engine.ports import PortError

KEY = b"k" * 32


def test_copies_are_private_and_named_by_their_content(tmp_path: Path) -> None:
    """Whatever the mode of the original."""
    original = tmp_path / "f"
    original.write_bytes(b"x")
    original.chmod(0o666)
    store = LinuxBackups(tmp_path / "state" / "backups", LinuxFiles(), KEY)
    digest = store.keep(str(original))
    assert digest == hashlib.sha256(b"x").hexdigest()
    kept = tmp_path / "state" / "backups" / digest
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700


def test_a_damaged_copy_is_not_given_back(tmp_path: Path) -> None:
    """Restoring rubbish would be worse than failing."""
    (tmp_path / "f").write_bytes(b"x")
    store = LinuxBackups(tmp_path / "b", LinuxFiles(), KEY)
    digest = store.keep(str(tmp_path / "f"))
    (tmp_path / "b" / digest).write_bytes(b"rot")
    with pytest.raises(PortError, match="damaged"):
        store.content(digest)


def test_what_is_too_large_is_refused(tmp_path: Path) -> None:
    """With a code that says so."""
    (tmp_path / "f").write_bytes(b"x" * 11)
    with pytest.raises(PortError) as caught:
        LinuxBackups(tmp_path / "b", LinuxFiles(), KEY, limit=10).keep(str(tmp_path / "f"))
    assert caught.value.code == "EFBIG"


def test_a_place_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """Nothing is overwritten then."""
    (tmp_path / "f").write_bytes(b"x")
    with pytest.raises(PortError, match="keep a copy"):
        LinuxBackups(tmp_path / "f" / "below", LinuxFiles(), KEY).keep(str(tmp_path / "f"))


def test_a_copy_says_nothing_without_the_hosts_key(tmp_path: Path) -> None:
    """What was overwritten may have held a secret; with the key it comes back."""
    (tmp_path / "f").write_bytes(b"the old password")
    store = LinuxBackups(tmp_path / "b", LinuxFiles(), KEY)
    digest = store.keep(str(tmp_path / "f"))
    assert b"password" not in (tmp_path / "b" / digest).read_bytes()
    assert store.content(digest) == b"the old password"
    with pytest.raises(PortError, match="another key"):
        LinuxBackups(tmp_path / "b", LinuxFiles(), b"x" * 32).content(digest)


def test_a_copy_of_an_earlier_version_is_still_given_back(tmp_path: Path) -> None:
    """Those were kept as they were."""
    digest = hashlib.sha256(b"old").hexdigest()
    (tmp_path / digest).write_bytes(b"old")
    assert LinuxBackups(tmp_path, LinuxFiles(), KEY).content(digest) == b"old"
