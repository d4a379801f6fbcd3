"""Signed envelopes against the published example of the format."""

from __future__ import annotations

import base64

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from protocol import dsse
from protocol.errors import DecodeError
from tests.fakes.people import key, keyid, sign

KNOWN = {keyid(n): key(n).public for n in (1, 2, 3)}


def test_the_encoding_before_signing_is_the_published_one() -> None:
    """The example of the specification, and its published signature over our bytes."""
    message = dsse.pae("http://example.com/HelloWorld", b"hello world")
    assert message == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    raw = base64.b64decode(
        "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="
    )
    public = ec.EllipticCurvePublicNumbers(
        46950820868899156662930047687818585632848591499744589407958293238635476079160,
        5640078356564379163099075877009565129882514886557779369047442380624545832820,
        ec.SECP256R1(),
    ).public_key()
    pair = (int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    public.verify(encode_dss_signature(*pair), message, ec.ECDSA(hashes.SHA256()))


def test_lengths_count_bytes_so_no_byte_moves_from_type_to_payload() -> None:
    """The type's length is that of its UTF-8 form, and stands before it."""
    assert dsse.pae("\u20ac", b"") == "DSSEv1 3 \u20ac 0 ".encode()
    assert dsse.pae("a b", b"c") != dsse.pae("a", b"b c")


def test_signers_are_the_known_keys_that_signed_each_once() -> None:
    """Order of signing, no strangers, nobody twice."""
    envelope = sign(dsse.MODULE, b"name: x", 2, 1, 2, 77)
    assert dsse.signers(envelope, KNOWN) == (keyid(2), keyid(1))
    assert dsse.signers(envelope, {}) == ()


def test_an_envelope_survives_json_in_the_published_shape() -> None:
    """`payloadType`, `payload`, `signatures` with `keyid` and `sig`: these names and no others."""
    envelope = sign(dsse.MODULE, b"name: x", 1)
    value = msgspec.json.decode(dsse.encode(envelope))
    assert list(value) == ["payloadType", "payload", "signatures"]
    assert list(value["signatures"][0]) == ["keyid", "sig"]
    assert dsse.decode(dsse.encode(envelope)) == envelope
    assert envelope.content() == b"name: x"


@pytest.mark.parametrize("payload", ["e30", "e30==", "e3 0=", "e31=", "e30=\n", "-_8=", "\u20ac"])
def test_base64_in_another_form_is_refused(payload: str) -> None:
    """Missing or spare padding, spaces, spare bits, the other alphabet: none is the one form."""
    envelope = dsse.Envelope(dsse.MODULE, payload)
    with pytest.raises(DecodeError):
        envelope.content()
    with pytest.raises(DecodeError):
        dsse.signers(envelope, KNOWN)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"payloadType":"","payload":"","x":1}'])
def test_what_is_no_envelope_is_refused(data: bytes) -> None:
    """Missing and unknown fields alike."""
    with pytest.raises(DecodeError):
        dsse.decode(data)


def test_more_signatures_than_the_limit_are_refused_before_any_is_checked() -> None:
    """A flood of signatures costs one comparison."""
    envelope = sign(dsse.MODULE, b"", 1)
    flooded = msgspec.structs.replace(envelope, signatures=envelope.signatures * 17)
    with pytest.raises(DecodeError, match="16"):
        dsse.signers(flooded, KNOWN)
