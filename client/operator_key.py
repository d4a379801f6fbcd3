"""The operator's own key on disk: made, imported from an SSH key, loaded. It never leaves here."""

from __future__ import annotations

import base64
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.failures import AuthError, ClientError
from client.private_files import create_private, read_private
from protocol import ids
from protocol.keys import SigningKey

KEY_FILE = "operator.key"


def key_path(config_dir: Path) -> Path:
    """Return where the key of a configuration directory lies."""
    return config_dir / KEY_FILE


def store(config_dir: Path, key: SigningKey) -> Path:
    """Write the key as unencrypted PKCS #8, mode 0600, and return its path.

    Raises:
        ClientError: there is a key already; it is never overwritten.
    """
    path = key_path(config_dir)
    store_file(path, key)
    return path


def store_file(path: Path, key: SigningKey) -> None:
    """Write a key as unencrypted PKCS #8, mode 0600.

    Raises:
        ClientError: there is a file already; it is never overwritten.
    """
    private = Ed25519PrivateKey.from_private_bytes(key.seed())
    data = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    create_private(path, data)


def load(config_dir: Path) -> SigningKey:
    """Return the operator's key.

    Raises:
        AuthError: there is none yet.
        ClientError: the file is readable by others, or is not a key.
    """
    path = key_path(config_dir)
    if read_private(path) is None:
        raise AuthError(
            f"there is no operator key at {path}",
            next_command="standfast operator init --username NAME",
            code="no_operator_key",
        )
    return load_file(path)


def load_file(path: Path) -> SigningKey:
    """Return the key in a file, such as a recovery key that is kept elsewhere.

    Raises:
        ClientError: no such file, readable by others, or not a key.
    """
    data = read_private(path)
    if data is None:
        raise ClientError(f"there is no file {path}", code="file_unreadable")
    try:
        private = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ClientError(f"{path} does not hold an operator key", code="key_invalid") from error
    return _signing(private, path)


def import_ssh(path: Path) -> SigningKey:
    """Return the Ed25519 key of an unencrypted OpenSSH private key file.

    Raises:
        ClientError: no such file, others may read it, it has a passphrase or is of another kind.
    """
    data = read_private(path)
    if data is None:
        raise ClientError(f"there is no file {path}", code="file_unreadable")
    if _has_passphrase(data):
        raise ClientError(
            f"{path} is protected by a passphrase",
            next_command="copy the file, take the passphrase off the copy with "
            "`ssh-keygen -p -f COPY`, import the copy, then destroy it",
            code="key_encrypted",
        )
    try:
        private = serialization.load_ssh_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ClientError(f"{path} is not an OpenSSH private key", code="key_invalid") from error
    return _signing(private, path)


def public_text(key: SigningKey) -> str:
    """Return the public key as operators pass it on: 64 hex digits."""
    return key.public.hex()


def operator_id(key: SigningKey) -> str:
    """Return the operator id that follows from the key."""
    return ids.operator_id(key.public)


def parse_public(text: str) -> bytes:
    """Return the public key in 64 hex digits, or in a line `ssh-ed25519 AAAA… comment`.

    Raises:
        InvalidName: it is neither.
    """
    words = text.split()
    if len(words) >= 2 and words[0] == "ssh-ed25519":
        try:
            blob = base64.b64decode(words[1], validate=True)
        except ValueError:
            blob = b""
        # RFC 8709, section 4: string "ssh-ed25519", then a string of the 32 key bytes.
        head = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"
        if blob.startswith(head) and len(blob) == len(head) + 32:
            return blob[len(head) :]
    return ids.check_hex64(text.strip(), "a public key")


def _signing(private: object, path: Path) -> SigningKey:
    if not isinstance(private, Ed25519PrivateKey):
        raise ClientError(f"{path} holds another kind of key than Ed25519", code="key_invalid")
    return SigningKey(private.private_bytes_raw())


def _has_passphrase(data: bytes) -> bool:
    body = b"".join(line for line in data.splitlines() if not line.startswith(b"-----"))
    try:
        raw = base64.b64decode(body)
    except ValueError:
        return False
    # The cipher's name follows the magic; "none" is the only one without a passphrase.
    return raw.startswith(b"openssh-key-v1\x00") and not raw[15:].startswith(
        b"\x00\x00\x00\x04none"
    )
