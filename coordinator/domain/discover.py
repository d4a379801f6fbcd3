"""Discovery: the signed datagram that tells waiting hosts where this coordinator is.

Here it is made and its target judged; sending is the API's affair.
"""

from __future__ import annotations

import re

import msgspec

from coordinator.domain.refusals import Refusal, invalid
from protocol import discovery
from protocol.errors import DecodeError, LocalProtocolError
from protocol.keys import SigningKey

BROADCAST = "255.255.255.255"
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")


class Target(msgspec.Struct, frozen=True):
    """Where a datagram goes."""

    host: str
    port: int
    broadcast: bool


def target(text: str | None, default_port: int) -> Target | Refusal:
    """Return where to send: everybody on the local network, or one `host:port` (IPv6 in `[]`)."""
    if text is None:
        return Target(BROADCAST, default_port, broadcast=True)
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    inner = host[1:-1] if bracketed else host
    known = bool(re.fullmatch(r"[0-9A-Fa-f:.]{2,45}", inner)) if bracketed else _HOST.match(inner)
    if not colon or not known or not re.fullmatch(r"[0-9]{1,5}", port):
        return invalid("target", "target must be host:port, or [address]:port for IPv6")
    if not 1 <= int(port) <= 65_535:
        return invalid("target", "the port must be 1 to 65535")
    return Target(inner, int(port), broadcast=False)


def datagram(
    key: SigningKey, urls: tuple[str, ...], tls_fingerprint: str, now: float, nonce: bytes
) -> bytes | Refusal:
    """Return the signed datagram; `nonce` is 16 fresh random bytes."""
    secure = tuple(url for url in urls if url.startswith("https://"))
    if not secure:
        return Refusal(
            "conflict", "hosts are told of https urls only: turn TLS on or advertise one"
        )
    announcement = discovery.Announcement(
        urls=secure,
        coordinator_key=key.public,
        tls_fingerprint=bytes.fromhex(tls_fingerprint),
        time=int(now),
        nonce=nonce,
    )
    try:
        return discovery.encode(announcement, key)
    except (DecodeError, LocalProtocolError) as error:
        return Refusal("conflict", f"advertised_urls cannot be announced: {error}")
