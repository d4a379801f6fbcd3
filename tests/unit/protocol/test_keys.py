"""Ed25519 against RFC 8032, and keys that are none."""

from __future__ import annotations

import pytest

from protocol.errors import InvalidName
from protocol.keys import SigningKey, is_weak, verify

SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
SIGNATURE = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
    "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
)


def test_the_first_vector_of_rfc_8032_holds() -> None:
    """Section 7.1, test 1: key and signature over the empty message."""
    key = SigningKey(SEED)
    assert (key.public, key.sign(b""), key.seed()) == (PUBLIC, SIGNATURE, SEED)
    assert verify(PUBLIC, SIGNATURE, b"")
    assert not verify(PUBLIC, SIGNATURE, b"x")


@pytest.mark.parametrize(("key", "sig"), [(b"", b""), (PUBLIC[:31], SIGNATURE), (PUBLIC, b"x")])
def test_malformed_keys_and_signatures_are_simply_false(key: bytes, sig: bytes) -> None:
    """Nothing that a peer sends raises."""
    assert not verify(key, sig, b"")
    assert not verify(b"\xff" * 32, SIGNATURE, b"")


def test_the_seed_never_shows() -> None:
    """Neither in repr nor in the error for a bad one."""
    assert SEED.hex() not in repr(SigningKey(SEED))
    assert PUBLIC.hex() in repr(SigningKey(SEED))
    with pytest.raises(InvalidName) as caught:
        SigningKey(b"secret")
    assert "secret" not in str(caught.value)


def test_new_keys_differ() -> None:
    """Two generated keys are two keys."""
    assert SigningKey.generate().public != SigningKey.generate().public


@pytest.mark.parametrize("last", [0x00, 0x80])
def test_a_key_of_small_order_verifies_nothing(last: int) -> None:
    """Under the neutral point every signature of a known form holds over every message."""
    weak = b"\x01" + b"\0" * 30 + bytes([last])
    assert is_weak(weak)
    assert not is_weak(PUBLIC)
    assert not verify(weak, b"\x01" + b"\0" * 63, b"anything")
