"""Ed25519 keys as values: 32 raw bytes in, signatures out. No file is read or written here."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocol.errors import InvalidName

SEED_SIZE = 32
PUBLIC_SIZE = 32
SIGNATURE_SIZE = 64
# Every encoding of the eight points of small order: under such a "key" anybody can make a
# signature that holds, so one in a roster would let everybody sign (RFC 8032 lets verifiers pass
# them). The last byte's top bit is the sign of x, masked away before the look-up.
_WEAK = frozenset(
    bytes.fromhex(text)
    for text in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)


class SigningKey:
    """A private Ed25519 key (RFC 8032); its seed never appears in `repr` or in an error."""

    __slots__ = ("_key", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_SIZE:
            raise InvalidName(f"an Ed25519 seed has {SEED_SIZE} bytes, not {len(seed)}")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public: bytes = self._key.public_key().public_bytes_raw()

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


def is_weak(public_key: bytes) -> bool:
    """Say whether the 32 bytes are a point of small order, under which anybody can sign."""
    return public_key[:31] + bytes([public_key[31] & 0x7F]) in _WEAK


def verify(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Say whether the signature is the key's over the message; malformed input is simply False."""
    if len(public_key) != PUBLIC_SIZE or len(signature) != SIGNATURE_SIZE or is_weak(public_key):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
