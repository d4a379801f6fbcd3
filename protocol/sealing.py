"""Sealing bytes so that only named recipients read them; nothing here knows what a secret is.

Hybrid public-key encryption (RFC 9180, base mode): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
ChaCha20-Poly1305, from the cryptography library. A value is encrypted once under its own data key;
the data key is wrapped for each recipient. Every ciphertext is bound to what it is about.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from protocol.errors import DecodeError, InvalidName

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.hpke import Suite

KEY_SIZE = 32
DATA_KEY_SIZE = 32
NONCE_SIZE = 12
TAG_SIZE = 16
# RFC 9180: the encapsulated key of X25519, then the wrapped data key and its tag.
WRAPPED_SIZE = KEY_SIZE + DATA_KEY_SIZE + TAG_SIZE

_OPERATOR = b"standfast/operator-sealing-key/v1"


class SealingKey:
    """A private X25519 key (RFC 7748); it never appears in `repr` or in an error."""

    __slots__ = ("_key", "public")

    def __init__(self, seed: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        if len(seed) != KEY_SIZE:
            raise InvalidName(f"a sealing key has {KEY_SIZE} bytes, not {len(seed)}")
        self._key: X25519PrivateKey = X25519PrivateKey.from_private_bytes(seed)
        self.public: bytes = self._key.public_key().public_bytes_raw()

    def open(self, wrapped: bytes, info: bytes) -> bytes:
        """Return what was wrapped for this key under the same `info`.

        Raises:
            DecodeError: it was wrapped for another key, for another purpose, or was changed.
        """
        from cryptography.exceptions import InvalidTag

        try:
            return _suite().decrypt(wrapped, self._key, info)
        except (InvalidTag, ValueError) as error:
            raise DecodeError("it is not sealed to this key, or was changed") from error

    def __repr__(self) -> str:
        return f"SealingKey(public={self.public.hex()})"


def operator_key(seed: bytes) -> SealingKey:
    """Return the sealing key that follows from the seed of an operator's Ed25519 key (HKDF)."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    derived = HKDF(algorithm=SHA256(), length=KEY_SIZE, salt=None, info=_OPERATOR).derive(seed)
    return SealingKey(derived)


def wrap(data_key: bytes, recipient: bytes, info: bytes) -> bytes:
    """Return a data key encrypted to a recipient's public key (32 bytes), bound to `info`.

    Raises:
        DecodeError: the recipient's key is no usable X25519 key (a point of small order).
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    try:
        return _suite().encrypt(data_key, X25519PublicKey.from_public_bytes(recipient), info)
    except ValueError as error:
        raise DecodeError("the recipient's sealing key is not usable") from error


def new_data_key() -> bytes:
    """Return a data key from the system's random source."""
    return secrets.token_bytes(DATA_KEY_SIZE)


def encrypt(data_key: bytes, value: bytes, about: bytes) -> bytes:
    """Return nonce and ciphertext of a value; `about` is bound to it and not contained in it."""
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    nonce = secrets.token_bytes(NONCE_SIZE)
    return nonce + ChaCha20Poly1305(data_key).encrypt(nonce, value, about)


def decrypt(data_key: bytes, sealed: bytes, about: bytes) -> bytes:
    """Return the value that `encrypt` was given.

    Raises:
        DecodeError: another key, another `about`, or changed bytes.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    try:
        return ChaCha20Poly1305(data_key).decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], about)
    except (InvalidTag, ValueError) as error:
        raise DecodeError("the sealed bytes do not open: another key, or they were changed") from (
            error
        )


def _suite() -> Suite:
    from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
