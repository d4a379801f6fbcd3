"""The operator's key: made once, private, or taken from an SSH key."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client import operator_key
from client.failures import AuthError, ClientError
from protocol.errors import InvalidName
from protocol.keys import SigningKey

PRIVATE, OPENSSH = serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH


def ssh_file(path: Path, key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> Path:
    path.write_bytes(key.private_bytes(PRIVATE, OPENSSH, serialization.NoEncryption()))
    path.chmod(0o600)
    return path


def test_a_key_comes_back_as_it_was_stored_and_is_never_replaced(tmp_path: Path) -> None:
    key = SigningKey.generate()
    path = operator_key.store(tmp_path, key)
    assert path.stat().st_mode & 0o777 == 0o600
    assert operator_key.load(tmp_path).public == key.public
    with pytest.raises(ClientError, match="not touched"):
        operator_key.store(tmp_path, SigningKey.generate())
    assert operator_key.load(tmp_path).public == key.public


def test_without_a_key_the_next_command_makes_one(tmp_path: Path) -> None:
    with pytest.raises(AuthError) as caught:
        operator_key.load(tmp_path)
    assert "operator init" in caught.value.next_command


def test_a_key_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    operator_key.store(tmp_path, SigningKey.generate()).chmod(0o644)
    with pytest.raises(ClientError, match="used by others"):
        operator_key.load(tmp_path)


@pytest.mark.parametrize("data", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_damaged_key_says_which_file(tmp_path: Path, data: bytes) -> None:
    path = operator_key.key_path(tmp_path)
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(ClientError, match="does not hold an operator key"):
        operator_key.load(tmp_path)


def test_an_ssh_key_is_taken_as_it_is(tmp_path: Path) -> None:
    made = Ed25519PrivateKey.generate()
    path = ssh_file(tmp_path / "id", made)
    assert operator_key.import_ssh(path).seed() == made.private_bytes_raw()


def test_a_key_with_a_passphrase_says_how_to_take_it_off(tmp_path: Path) -> None:
    path = tmp_path / "id"
    blob = b"openssh-key-v1\x00\x00\x00\x00\x0aaes256-ctr\x00\x00\x00\x06bcrypt" + b"\x00" * 40
    body = base64.b64encode(blob).decode()
    mark = "OPENSSH PRIVATE KEY-----"
    path.write_text(f"-----BEGIN {mark}\n{body}\n-----END {mark}\n")
    path.chmod(0o600)
    with pytest.raises(ClientError, match="passphrase") as caught:
        operator_key.import_ssh(path)
    assert "ssh-keygen" in caught.value.next_command


def test_another_kind_of_ssh_key_is_refused(tmp_path: Path) -> None:
    path = ssh_file(tmp_path / "id", ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(ClientError, match="another kind of key than Ed25519"):
        operator_key.import_ssh(path)


def test_something_else_is_no_ssh_key(tmp_path: Path) -> None:
    path = tmp_path / "id"
    path.write_text("hello")
    path.chmod(0o600)
    with pytest.raises(ClientError, match="not an OpenSSH private key"):
        operator_key.import_ssh(path)
    with pytest.raises(ClientError, match="no file"):
        operator_key.import_ssh(tmp_path / "nowhere")


def test_a_public_key_is_read_from_hex_and_from_an_ssh_line() -> None:
    key = SigningKey(b"\x01" * 32)
    head = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"
    line = f"ssh-ed25519 {base64.b64encode(head + key.public).decode()} lena@desk"
    assert operator_key.parse_public(operator_key.public_text(key)) == key.public
    assert operator_key.parse_public(line) == key.public


@pytest.mark.parametrize("text", ["", "abc", "ssh-ed25519 AAAA", "ssh-rsa AAAA", "A" * 64])
def test_anything_else_is_no_public_key(text: str) -> None:
    with pytest.raises(InvalidName):
        operator_key.parse_public(text)
