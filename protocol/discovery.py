"""The discovery datagram: a coordinator says to new hosts where it is, signed by its key.

Only bytes and rules. A host with a pinned coordinator key takes no other key's datagram; one
without takes it only if its config trusts the first use.
"""

from __future__ import annotations

from collections import deque

import msgspec

from protocol import ids, keys
from protocol.errors import MALFORMED, DecodeError, LocalProtocolError
from protocol.urls import check_urls

# One Ethernet frame without fragments, on every path: RFC 791 has hosts take 576 bytes.
MAX_DATAGRAM = 512
NONCE_SIZE = 16
MAX_AGE_SECONDS = 60.0
# Nonces kept: 60 s at 16 datagrams a second, 16 bytes each.
MAX_NONCES = 1_024
# Datagrams that one source may send in a minute, and sources that are counted: 1,024 of 300 bytes.
MAX_PER_SOURCE = 30
MAX_SOURCES = 1_024
SOURCE_WINDOW = 60.0

_MAGIC = b"SFD1"
_CONTEXT = b"standfast/discovery/v1\x00"
_HEAD = len(_MAGIC) + keys.SIGNATURE_SIZE


class Announcement(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where a coordinator is and how to know it; `time` is whole seconds since the epoch.

    `tls_fingerprint` is the SHA-256 of its certificate, empty where a public CA signs it.
    """

    urls: tuple[str, ...]
    coordinator_key: bytes
    tls_fingerprint: bytes
    time: int
    nonce: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Announcement] = msgspec.msgpack.Decoder(Announcement)


def encode(announcement: Announcement, key: keys.SigningKey) -> bytes:
    """Return the signed datagram.

    Raises:
        LocalProtocolError: it would be too long (name fewer or shorter urls), or is not ours.
        DecodeError: a field breaks its rule.
    """
    if announcement.coordinator_key != key.public:
        raise LocalProtocolError("an announcement is signed by the key that it names")
    _check(announcement)
    body = _encoder.encode(announcement)
    datagram = _MAGIC + key.sign(_CONTEXT + body) + body
    if len(datagram) > MAX_DATAGRAM:
        raise LocalProtocolError(f"a discovery datagram has at most {MAX_DATAGRAM} bytes")
    return datagram


def decode(datagram: bytes) -> Announcement:
    """Return what a datagram announces, its signature verified with the key that it names.

    Raises:
        DecodeError: it is not a discovery datagram, or its signature does not hold.
    """
    if not _HEAD < len(datagram) <= MAX_DATAGRAM or not datagram.startswith(_MAGIC):
        raise DecodeError("not a discovery datagram")
    signature, body = datagram[len(_MAGIC) : _HEAD], datagram[_HEAD:]
    try:
        announcement = _decoder.decode(body)
    except MALFORMED as error:
        raise DecodeError(f"not a discovery datagram: {error}") from error
    _check(announcement)
    if not keys.verify(announcement.coordinator_key, signature, _CONTEXT + body):
        raise DecodeError("the discovery datagram's signature does not hold")
    return announcement


def _check(announcement: Announcement) -> None:
    check_urls(announcement.urls, "a discovery datagram", secure=True)
    if len(announcement.nonce) != NONCE_SIZE:
        raise DecodeError(f"a discovery nonce has {NONCE_SIZE} bytes")
    if len(announcement.tls_fingerprint) not in {0, 32}:
        raise DecodeError("a TLS fingerprint has 32 bytes, or none")


class ReplayGuard:
    """What a host remembers of datagrams: sources by rate, nonces by age; both bounded.

    Call `admit` before the signature is checked (it costs no key operation) and `accept` after.
    """

    def __init__(self) -> None:
        self._seen: dict[bytes, float] = {}
        self._sources: dict[str, deque[float]] = {}

    def admit(self, source: str, now: float) -> bool:
        """Say whether one more datagram of a source address is looked at.

        `now` is a clock that is never set: with the wall clock a source that was counted before
        the clock was put right would be shut out until that time comes again.
        """
        if source not in self._sources:
            self._forget_sources(now)
            if len(self._sources) >= MAX_SOURCES:
                return False
        times = self._sources.setdefault(source, deque())
        while times and times[0] <= now - SOURCE_WINDOW:
            times.popleft()
        if len(times) >= MAX_PER_SOURCE:
            return False
        times.append(now)
        return True

    def accept(
        self, announcement: Announcement, now: float, *, pinned: bytes | None = None
    ) -> str | None:
        """Return why a verified announcement is not taken, or None; it is taken once only.

        `now` is the wall clock in seconds; `pinned` is the only key that is taken, if set.
        """
        if pinned is not None and announcement.coordinator_key != pinned:
            shown = ids.fingerprint(announcement.coordinator_key)
            return f"coordinator key {shown} is not the pinned one"
        if not abs(now - announcement.time) <= MAX_AGE_SECONDS:
            return f"it is {now - announcement.time:.0f} s old by this host's clock"
        # A datagram may be dated ahead by its full age, so a nonce is kept for twice that.
        # Both ways: a clock that was set back must not keep a nonce for years.
        self._seen = {n: at for n, at in self._seen.items() if abs(now - at) < 2 * MAX_AGE_SECONDS}
        if announcement.nonce in self._seen:
            return "it was seen before"
        if len(self._seen) >= MAX_NONCES:
            return "too many datagrams in the last minute"
        self._seen[announcement.nonce] = now
        return None

    def _forget_sources(self, now: float) -> None:
        old = [s for s, times in self._sources.items() if times[-1] <= now - SOURCE_WINDOW]
        for source in old:
            del self._sources[source]
