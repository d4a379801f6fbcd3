"""Sealing: what is wrapped for one key opens with it and with no other."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from protocol import sealing
from protocol.errors import DecodeError, InvalidName

KEY = sealing.SealingKey(b"\x01" * 32)
OTHER = sealing.SealingKey(b"\x02" * 32)

# RFC 9180, appendix A.2.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305, base mode.
RFC_INFO = bytes.fromhex("4f6465206f6e2061204772656369616e2055726e")
RFC_SKR = bytes.fromhex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb")
RFC_PKR = bytes.fromhex("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a")
RFC_ENC = bytes.fromhex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a")
RFC_KEY = bytes.fromhex("ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91")
RFC_NONCE = bytes.fromhex("5c4d98150661b848853b547f")
RFC_PLAIN = bytes.fromhex("4265617574792069732074727574682c20747275746820626561757479")


def test_a_data_key_wrapped_for_a_key_opens_with_it_under_the_same_info() -> None:
    """Wrapping and opening are each other's inverse, and have the size that the format says."""
    data_key = sealing.new_data_key()
    wrapped = sealing.wrap(data_key, KEY.public, b"info")
    assert len(wrapped) == sealing.WRAPPED_SIZE
    assert KEY.open(wrapped, b"info") == data_key


@pytest.mark.parametrize(
    ("key", "info", "spoil"),
    [(OTHER, b"info", None), (KEY, b"other", None), (KEY, b"info", 0), (KEY, b"info", 40)],
)
def test_nothing_else_opens_a_wrapped_key(
    key: sealing.SealingKey, info: bytes, spoil: int | None
) -> None:
    """Another key, another purpose or one changed bit are refused, as a value not as a crash."""
    wrapped = bytearray(sealing.wrap(sealing.new_data_key(), KEY.public, b"info"))
    if spoil is not None:
        wrapped[spoil] ^= 1
    with pytest.raises(DecodeError):
        key.open(bytes(wrapped), info)


@pytest.mark.parametrize("size", [0, 1, 31, 32, 47])
def test_a_wrapped_key_that_is_too_short_is_refused(size: int) -> None:
    """Bytes of any length come from a hostile coordinator."""
    with pytest.raises(DecodeError):
        KEY.open(b"\x05" * size, b"info")


@pytest.mark.parametrize("size", [0, 11, 12, 20])
def test_sealed_bytes_that_are_too_short_are_refused(size: int) -> None:
    """The nonce and the tag may be missing."""
    with pytest.raises(DecodeError):
        sealing.decrypt(b"k" * 32, b"\0" * size, b"about")


def test_a_value_is_bound_to_what_it_is_about() -> None:
    """Moved to another name, a ciphertext does not open."""
    sealed = sealing.encrypt(b"k" * 32, b"value", b"about a")
    assert sealing.decrypt(b"k" * 32, sealed, b"about a") == b"value"
    with pytest.raises(DecodeError):
        sealing.decrypt(b"k" * 32, sealed, b"about b")


def test_a_recipient_of_small_order_is_refused() -> None:
    """To a key of small order anybody could open what is sealed."""
    with pytest.raises(DecodeError):
        sealing.wrap(sealing.new_data_key(), b"\0" * 32, b"info")


def test_an_operators_sealing_key_follows_from_the_seed_and_is_not_it() -> None:
    """The same seed gives the same key; the seed is not used as the key itself."""
    assert sealing.operator_key(b"s" * 32).public == sealing.operator_key(b"s" * 32).public
    assert sealing.operator_key(b"s" * 32).public != sealing.SealingKey(b"s" * 32).public


def test_a_private_key_is_not_shown() -> None:
    """`repr` names the public half only."""
    assert repr(KEY) == f"SealingKey(public={KEY.public.hex()})"
    with pytest.raises(InvalidName):
        sealing.SealingKey(b"short")


def test_the_key_schedule_is_the_published_one() -> None:
    """RFC 9180, A.2.1: the receiver derives the published key and nonce, and opens with them.

    The library's sender cannot be given the RFC's ephemeral key, so the receiver is what is shown:
    the derivation written out here from the RFC gives the RFC's key, and ours opens what it seals.
    """
    key, nonce = _derived(RFC_SKR, RFC_ENC, RFC_INFO)
    assert (key, nonce) == (RFC_KEY, RFC_NONCE)
    sealed = RFC_ENC + ChaCha20Poly1305(key).encrypt(nonce, RFC_PLAIN, None)
    receiver = sealing.SealingKey(RFC_SKR)
    assert receiver.public == RFC_PKR
    assert receiver.open(sealed, RFC_INFO) == RFC_PLAIN


def _derived(private: bytes, enc: bytes, info: bytes) -> tuple[bytes, bytes]:
    kem = b"KEM" + (0x0020).to_bytes(2, "big")
    suite = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (0x0020, 0x0001, 0x0003))
    own = X25519PrivateKey.from_private_bytes(private)
    shared = own.exchange(X25519PublicKey.from_public_bytes(enc))
    eae = _extract(b"", kem, b"eae_prk", shared)
    context = enc + own.public_key().public_bytes_raw()
    secret = _expand(eae, kem, b"shared_secret", context, 32)
    mode = b"\x00" + _extract(b"", suite, b"psk_id_hash", b"")
    mode += _extract(b"", suite, b"info_hash", info)
    schedule = _extract(secret, suite, b"secret", b"")
    return _expand(schedule, suite, b"key", mode, 32), _expand(
        schedule, suite, b"base_nonce", mode, 12
    )


def _extract(salt: bytes, suite: bytes, label: bytes, key: bytes) -> bytes:
    return hmac.new(salt or b"\0" * 32, b"HPKE-v1" + suite + label + key, hashlib.sha256).digest()


def _expand(key: bytes, suite: bytes, label: bytes, info: bytes, size: int) -> bytes:
    labelled = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return HKDFExpand(algorithm=SHA256(), length=size, info=labelled).derive(key)
