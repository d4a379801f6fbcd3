"""Canonical JSON against the published examples, and every other form refused."""

from __future__ import annotations

import pytest

from protocol import canonical
from protocol.canonical import Json
from protocol.errors import DecodeError


class Strange:
    """A value of no kind that JSON knows; its name holds no address, so test ids are stable."""

    def __repr__(self) -> str:
        return "Strange()"


def test_keys_are_ordered_by_their_utf16_units() -> None:
    """The example of RFC 8785, section 3.2.3: a surrogate pair sorts before U+FB33."""
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    value: Json = dict.fromkeys(keys, 1)
    ordered = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert isinstance(value, dict)
    decoded = canonical.decode(canonical.encode(value))
    assert isinstance(decoded, dict)
    assert list(decoded) == ordered


def test_strings_are_escaped_as_rfc_8785_says() -> None:
    """Short escapes where JSON has them, lower-case hex for the other controls, no more."""
    text = '\u20ac$\u000f\nA\'B"\\\\"/\u007f\u2028'
    assert canonical.encode(text) == ('"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\u007f\u2028"'.encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" 1",
        b"1 ",
        b"01",
        b"-0",
        b"+1",
        b"1.0",
        b"1e3",
        b"NaN",
        b"Infinity",
        b"9007199254740992",
        b"1" * 5_000,
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":1}',
        b'{"b":1,"a":1}',
        b'{"a": 1}',
        b'"\\u0061"',
        b'"\\/"',
        b'"\\ud800"',
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b'"\\u000F"',
        b"\xef\xbb\xbf1",
        "1".encode("utf-16"),
        b"[" * 100_000,
        b"[" * 33 + b"1" + b"]" * 33,
        b"null null",
        b"[1,]",
        b"'a'",
    ],
    ids=lambda data: repr(data[:20]),
)
def test_every_other_form_is_refused(data: bytes) -> None:
    """What is not the one byte form of a value is not a value."""
    with pytest.raises(DecodeError):
        canonical.decode(data)


@pytest.mark.parametrize(
    "value",
    [1.0, float("nan"), 2**53, -(2**53), "\ud800", {"\udfff": 1}, {1: 1}, b"x", (1,), Strange()],
    ids=repr,
)
def test_values_without_a_form_are_refused(value: object) -> None:
    """Floats, huge integers, lone surrogates and foreign types have no canonical form."""
    with pytest.raises(DecodeError):
        canonical.encode(value)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(DecodeError):
        canonical.encode([value])  # type: ignore[list-item]  # that is the point


def test_the_deepest_value_that_fits_is_encoded() -> None:
    """Thirty-two levels go, one more does not."""
    value: Json = 1
    for _ in range(32):
        value = [value]
    assert canonical.decode(canonical.encode(value)) == value
    with pytest.raises(DecodeError):
        canonical.encode([value])


def test_a_digest_is_fixed() -> None:
    """The hash of a value is the hash of its bytes."""
    assert canonical.digest({}) == (
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )
