"""The discovery datagram: signed, small, fresh and taken once."""

from __future__ import annotations

import msgspec
import pytest

from protocol.discovery import (
    MAX_DATAGRAM,
    MAX_NONCES,
    MAX_PER_SOURCE,
    MAX_SOURCES,
    Announcement,
    ReplayGuard,
    decode,
    encode,
)
from protocol.errors import DecodeError, LocalProtocolError
from tests.fakes.people import NOW, key

GOOD = Announcement(
    ("https://coordinator.example:7443",), key(9).public, b"\xaa" * 32, NOW, b"\x01" * 16
)


def changed(**fields: object) -> Announcement:
    """Return the good announcement with some fields changed."""
    return msgspec.structs.replace(GOOD, **fields)  # type: ignore[arg-type]  # tests know


def test_a_datagram_says_what_was_announced() -> None:
    """It comes back whole, from at most 512 bytes."""
    datagram = encode(GOOD, key(9))
    assert decode(datagram) == GOOD
    assert len(datagram) <= MAX_DATAGRAM


def test_every_changed_byte_is_refused() -> None:
    """Magic, signature and body are all covered."""
    datagram = encode(GOOD, key(9))
    for index in range(len(datagram)):
        flipped = bytearray(datagram)
        flipped[index] ^= 1
        with pytest.raises(DecodeError):
            decode(bytes(flipped))


@pytest.mark.parametrize("datagram", [b"", b"SFD1", b"SFD1" + b"\0" * 64, b"x" * 513])
def test_what_is_no_datagram_is_refused(datagram: bytes) -> None:
    """Too short, too long, or something else."""
    with pytest.raises(DecodeError):
        decode(datagram)


@pytest.mark.parametrize(
    "fields",
    [
        {"urls": ()},
        {"urls": ("http://plain.example",)},
        {"urls": ("https://a.example:99999",)},
        {"nonce": b"short"},
        {"tls_fingerprint": b"short"},
    ],
    ids=str,
)
def test_an_announcement_that_breaks_a_rule_is_not_made(fields: dict[str, object]) -> None:
    """No url, a plain one, or a field of another size."""
    with pytest.raises(DecodeError):
        encode(changed(**fields), key(9))


def test_nobody_announces_under_another_key_or_in_more_than_a_datagram() -> None:
    """Both are bugs of ours."""
    with pytest.raises(LocalProtocolError):
        encode(GOOD, key(1))
    with pytest.raises(LocalProtocolError):
        encode(changed(urls=(f"https://x/{'y' * 200}", f"https://x/{'z' * 200}")), key(9))


def test_a_datagram_is_taken_once_and_while_it_is_fresh() -> None:
    """A replay is seen for as long as its time would be believed."""
    guard = ReplayGuard()
    assert guard.accept(GOOD, NOW - 60.0) is None
    assert guard.accept(GOOD, NOW + 59.0) == "it was seen before"
    assert ReplayGuard().accept(GOOD, NOW + 60.1) == "it is 60 s old by this host's clock"
    assert ReplayGuard().accept(GOOD, NOW - 61.0) is not None
    assert ReplayGuard().accept(GOOD, float("nan")) is not None


def test_a_pinned_host_takes_its_own_coordinators_datagram_only() -> None:
    """And another's costs no memory."""
    guard = ReplayGuard()
    assert guard.accept(GOOD, NOW, pinned=key(8).public) is not None
    assert guard.accept(GOOD, NOW, pinned=key(9).public) is None


def test_a_clock_that_is_set_back_shuts_no_nonce_out_for_years() -> None:
    """What was noted under a wrong clock is forgotten under the right one."""
    guard, ahead = ReplayGuard(), NOW + 30_000_000
    for number in range(MAX_NONCES):
        made = changed(nonce=number.to_bytes(16, "big"), time=ahead)
        assert guard.accept(made, float(ahead)) is None
    assert guard.accept(GOOD, NOW) is None


def test_the_memory_of_nonces_is_bounded_and_frees_itself() -> None:
    """Full means refuse; two minutes later there is room again."""
    guard = ReplayGuard()
    for number in range(MAX_NONCES):
        assert guard.accept(changed(nonce=number.to_bytes(16, "big")), NOW) is None
    assert guard.accept(changed(nonce=b"\xff" * 16), NOW) == "too many datagrams in the last minute"
    assert guard.accept(changed(nonce=b"\xff" * 16, time=NOW + 121), NOW + 121.0) is None


def test_a_source_that_floods_is_not_looked_at_and_others_are() -> None:
    """Thirty a minute each; then the window moves on."""
    guard = ReplayGuard()
    assert [guard.admit("a", 0.0) for _ in range(MAX_PER_SOURCE + 1)].count(True) == MAX_PER_SOURCE
    assert guard.admit("b", 0.0)
    assert guard.admit("a", 60.0)


def test_the_memory_of_sources_is_bounded_and_frees_itself() -> None:
    """Spoofed addresses fill a table of fixed size, for a minute."""
    guard = ReplayGuard()
    assert all(guard.admit(f"s{n}", 0.0) for n in range(MAX_SOURCES))
    assert not guard.admit("one more", 1.0)
    assert guard.admit("s1", 1.0)
    assert guard.admit("one more", 61.0)
