"""Signed heads: read only from trusted keys, and compared."""

from __future__ import annotations

import msgspec
import pytest

from protocol import audit_heads, canonical, dsse
from protocol.audit_heads import Head
from protocol.errors import DecodeError
from protocol.keys import SigningKey

KEY, OTHER = SigningKey(b"\x01" * 32), SigningKey(b"\x02" * 32)
OWN = KEY.public.hex()
HEAD = Head(1, "head", 7, "ab" * 32, 1_000, OWN)


def test_a_head_comes_back_from_the_key_that_signed_it() -> None:
    envelope = audit_heads.sign(HEAD, KEY)
    assert audit_heads.read(envelope, (OWN,)) == HEAD
    assert len(audit_heads.digest(envelope)) == 64


@pytest.mark.parametrize(
    "envelope",
    [
        audit_heads.sign(HEAD, OTHER),
        audit_heads.sign(msgspec.structs.replace(HEAD, coordinator_key=OTHER.public.hex()), OTHER),
        dsse.sign(dsse.DECISION, b"{}", KEY, "k"),
        dsse.sign(dsse.AUDIT_HEAD, b"{}", KEY, "k"),
        dsse.sign(dsse.AUDIT_HEAD, b"{ }", KEY, "k"),
        audit_heads.sign(msgspec.structs.replace(HEAD, hash="AB" * 32), KEY),
        audit_heads.sign(msgspec.structs.replace(HEAD, seq=-1), KEY),
        audit_heads.sign(msgspec.structs.replace(HEAD, removed=-1), KEY),
        dsse.Envelope(dsse.AUDIT_HEAD, audit_heads.sign(HEAD, KEY).payload, ()),
    ],
)
def test_what_the_trusted_key_did_not_sign_is_refused(envelope: dsse.Envelope) -> None:
    with pytest.raises(DecodeError):
        audit_heads.read(envelope, (OWN,))


def test_a_changed_head_keeps_no_signature() -> None:
    signed = audit_heads.sign(HEAD, KEY)
    other = canonical.encode(msgspec.to_builtins(msgspec.structs.replace(HEAD, seq=8)))
    forged = dsse.Envelope(
        dsse.AUDIT_HEAD, dsse.sign(dsse.AUDIT_HEAD, other, OTHER, "k").payload, signed.signatures
    )
    with pytest.raises(DecodeError, match="does not hold"):
        audit_heads.read(forged, (OWN,))


@pytest.mark.parametrize(
    ("seq", "digest", "code"),
    [
        (7, "ab" * 32, None),
        (8, "cd" * 32, None),
        (7, "cd" * 32, "audit_forked"),
        (6, "ab" * 32, "audit_rolled_back"),
    ],
)
def test_a_later_head_contradicts_by_another_line_or_by_less(
    seq: int, digest: str, code: str | None
) -> None:
    after = msgspec.structs.replace(HEAD, seq=seq, hash=digest)
    found = audit_heads.contradiction(HEAD, after)
    assert (found.code if found is not None else None) == code
