"""How often one address may knock."""

from __future__ import annotations

from coordinator.api import rates
from coordinator.api.rates import RateLimit


def test_a_source_has_its_minutes_worth_and_gets_it_back_evenly() -> None:
    limit = RateLimit(60)
    assert sum(limit.admit("192.0.2.1", 0.0) for _ in range(100)) == 60
    assert not limit.admit("192.0.2.1", 0.5)
    assert limit.admit("192.0.2.1", 1.6)
    assert sum(limit.admit("192.0.2.1", 1_000.0) for _ in range(100)) == 60


def test_sources_do_not_share_and_one_ipv6_network_is_one_source() -> None:
    limit = RateLimit(1)
    assert limit.admit("192.0.2.1", 0.0)
    assert limit.admit("192.0.2.2", 0.0)
    assert limit.admit("2001:db8::1", 0.0)
    assert not limit.admit("2001:db8::2", 0.0)
    assert limit.admit("2001:db8:0:1::1", 0.0)
    assert limit.admit("", 0.0)


def test_a_clock_that_is_set_back_gives_nothing_away() -> None:
    limit = RateLimit(1)
    assert limit.admit("a", 100.0)
    assert not limit.admit("a", 0.0)
    assert not limit.admit("a", 100.0)


def test_the_memory_is_bounded() -> None:
    limit = RateLimit(1)
    for number in range(rates.MAX_SOURCES + 100):
        limit.admit(f"h{number}", 0.0)
    assert len(limit._buckets) == rates.MAX_SOURCES
