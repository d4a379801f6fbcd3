"""The coordinator's secrets on a real file system."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography import x509

from coordinator import identity
from coordinator.identity import IdentityError

NOW = 1_790_000_000.0


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Path:
    path = tmp_path / "new" / "data"
    identity.prepare_directory(path)
    return path


def test_the_data_directory_and_the_key_are_the_owners_alone(home: Path) -> None:
    identity.create_key(home)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / identity.KEY_FILE).stat().st_mode) == 0o600


def test_a_key_is_the_same_after_a_restart_and_never_overwritten(home: Path) -> None:
    made = identity.create_key(home)
    assert identity.load_key(home).public == made.public
    with pytest.raises(IdentityError, match="never overwritten"):
        identity.create_key(home)
    assert identity.load_key(home).public == made.public


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_that_others_may_read_is_refused(home: Path, mode: int) -> None:
    identity.create_key(home)
    (home / identity.KEY_FILE).chmod(mode)
    with pytest.raises(IdentityError, match=f"open to others \\(mode {mode:04o}\\): chmod 600"):
        identity.load_key(home)


def test_a_directory_that_others_may_enter_is_refused(home: Path) -> None:
    home.chmod(0o750)
    with pytest.raises(IdentityError, match="chmod 700"):
        identity.prepare_directory(home)


def test_a_file_in_place_of_the_directory_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch(0o600)
    with pytest.raises(IdentityError, match="not a directory"):
        identity.prepare_directory(path)


def test_a_missing_key_says_how_to_make_one(home: Path) -> None:
    with pytest.raises(IdentityError, match="init first"):
        identity.load_key(home)


def test_a_damaged_key_is_not_shown(home: Path) -> None:
    path = home / identity.KEY_FILE
    path.touch(0o600)
    path.write_text("ab" * 31)
    with pytest.raises(IdentityError) as caught:
        identity.load_key(home)
    assert "abab" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_symlink_in_place_of_a_new_key_is_not_followed(home: Path, tmp_path: Path) -> None:
    (home / identity.KEY_FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IdentityError):
        identity.create_key(home)
    assert not (tmp_path / "elsewhere").exists()


def test_the_own_certificate_is_made_once_and_kept(home: Path) -> None:
    first = identity.own_tls(home, ("localhost", "127.0.0.1", "::1"), NOW)
    again = identity.own_tls(home, ("other",), NOW + 100)
    assert again == first
    assert stat.S_IMODE(first.key.stat().st_mode) == 0o600
    served = x509.load_pem_x509_certificate(first.certificate.read_bytes())
    names = served.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert len(names.get_values_for_type(x509.IPAddress)) == 2


def test_a_first_start_that_was_cut_off_after_the_key_is_done_again(home: Path) -> None:
    files = identity.own_tls(home, ("localhost",), NOW)
    files.certificate.unlink()
    assert identity.own_tls(home, ("localhost",), NOW).fingerprint != files.fingerprint


def test_a_certificate_with_another_key_is_refused(home: Path, tmp_path: Path) -> None:
    files = identity.own_tls(home, ("localhost",), NOW)
    other = tmp_path / "other"
    identity.prepare_directory(other)
    wrong = identity.own_tls(other, ("localhost",), NOW)
    with pytest.raises(IdentityError, match="does not belong"):
        identity.load_tls(files.certificate, wrong.key)


@pytest.mark.parametrize("which", ["certificate", "key"])
def test_a_damaged_tls_file_is_named(home: Path, which: str) -> None:
    files = identity.own_tls(home, ("localhost",), NOW)
    path = files.certificate if which == "certificate" else files.key
    path.write_text("nonsense")
    with pytest.raises(IdentityError, match=path.name):
        identity.load_tls(files.certificate, files.key)
