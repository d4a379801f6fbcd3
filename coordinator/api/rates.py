"""How often one address may knock: a token bucket for each, time as an argument, bounded memory."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

# 4,096 addresses of about 150 bytes are 600 KiB; the one that was quiet longest is forgotten first.
MAX_SOURCES = 4_096


class RateLimit:
    """At most `per_minute` requests of one source in a minute, evenly refilled."""

    def __init__(self, per_minute: int) -> None:
        self._capacity = float(per_minute)
        self._refill = per_minute / 60.0
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admit(self, source: str, now: float) -> bool:
        """Take one token of the source; False if it has none left."""
        key = _network(source)
        level, at = self._buckets.pop(key, (self._capacity, now))
        # A clock that was set back refills nothing; it must not empty the bucket either.
        level = min(self._capacity, level + max(0.0, now - at) * self._refill)
        admitted = level >= 1.0
        self._buckets[key] = (level - 1.0 if admitted else level, max(at, now))
        if len(self._buckets) > MAX_SOURCES:
            self._buckets.popitem(last=False)
        return admitted


def _network(source: str) -> str:
    # One subscriber has a whole /64 of IPv6 addresses (RFC 6177): count them as one.
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source[:64]
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
