"""Ed25519 keys as values: 32 raw bytes in, signatures out. No file is read or written here."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocol.errors import InvalidName

SEED_SIZE = 32
PUBLIC_SIZE = 32
SIGNATURE_SIZE = 64


class SigningKey:
    """A private Ed25519 key (RFC 8032); its seed never appears in `repr` or in an error."""

    __slots__ = ("_key", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_SIZE:
            raise InvalidName(f"an Ed25519 seed has {SEED_SIZE} bytes, not {len(seed)}")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        raw, form = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        self.public: bytes = self._key.public_key().public_bytes(raw, form)

    @classmethod
    def generate(cls) -> SigningKey:
        """Return a new key from the system's random source."""
        key = Ed25519PrivateKey.generate()
        return cls(key.private_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature over a message."""
        return self._key.sign(message)

    def seed(self) -> bytes:
        """Return the 32-byte seed, for the one place that stores it."""
        return self._key.private_bytes_raw()

    def __repr__(self) -> str:
        return f"SigningKey(public={self.public.hex()})"


def verify(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Say whether the signature is the key's over the message; malformed input is simply False."""
    if len(public_key) != PUBLIC_SIZE or len(signature) != SIGNATURE_SIZE:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
