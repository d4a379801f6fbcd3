"""The enrolment key: one string that survives copying, and says what is wrong with a bad one."""

from __future__ import annotations

import base64

import msgspec
import pytest

from protocol import enrolment
from protocol.enrolment import EnrolmentKey
from protocol.errors import DecodeError

SECRET = bytes(range(32))
GOOD = EnrolmentKey(
    ("https://c.example:7443",),
    "0a" * 32,
    "0b" * 32,
    "0c" * 32,
    "default",
    enrolment.secret_text(SECRET),
)


def raw(text: bytes) -> str:
    """Return bytes in the form of a key."""
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def test_a_key_survives_copying_with_spaces_around() -> None:
    """One line, no padding, nothing that a shell would change."""
    text = enrolment.encode(GOOD)
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert enrolment.decode(f"  {text}\n") == GOOD
    assert GOOD.secret_bytes() == SECRET


@pytest.mark.parametrize(
    "change",
    [
        {"urls": ()},
        {"urls": ("ftp://x",)},
        {"urls": ("https://x", "file:///etc/passwd")},
        {"coordinator_key": "0A" * 32},
        {"coordinator_key": ""},
        {"tls_fingerprint": "0b"},
        {"roster": ""},
        {"secret": ""},
        {"secret": enrolment.secret_text(b"short")},
        {"secret": "\u20ac"},
        {"cluster": "x" * 4_096},
    ],
    ids=lambda change: str(change)[:40],
)
def test_a_key_with_a_bad_field_is_refused(change: dict[str, object]) -> None:
    """Each field keeps its rule."""
    bad = msgspec.structs.replace(GOOD, **change)  # type: ignore[arg-type]  # fields as named
    with pytest.raises(DecodeError):
        enrolment.decode(enrolment.encode(bad))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!",
        "e30",
        "\u20ac",
        raw(b"\xff"),
        raw(b'{"urls":["\xff"]}'),
        raw(b"[" * 3_000),
        "A" * 4_097,
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    """Not base64, not JSON, not text, or too long."""
    with pytest.raises(DecodeError):
        enrolment.decode(text)


def test_an_empty_tls_fingerprint_means_a_public_certificate() -> None:
    """The one field that may be empty."""
    public = msgspec.structs.replace(GOOD, tls_fingerprint="")
    assert enrolment.decode(enrolment.encode(public)) == public


def test_the_stored_hash_is_not_the_bare_hash_of_the_secret() -> None:
    """It has a context of its own, and is fixed for ever."""
    assert (
        enrolment.secret_hash(SECRET)
        == "5d94a71116f0f1130854f82c959d006dd7cdcc11b29b7f1af3116a031d5cd524"
    )
