"""Times for people and for machines."""

from __future__ import annotations

import pytest

from client.render.times import iso, parse_iso, parse_span, relative


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0, ""), (1_700_000_000.9, "2023-11-14T22:13:20Z"), (1e300, "?")],
)
def test_machines_get_rfc_3339(seconds: float | None, text: str) -> None:
    assert iso(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "never"),
        (1_000, "now"),
        (999, "1 s ago"),
        (1_120, "in 2 min"),
        (1_000 - 7_300, "2 h ago"),
        (1_000 - 200_000, "2 d ago"),
    ],
)
def test_people_get_distances(seconds: float | None, text: str) -> None:
    assert relative(seconds, 1_000.0) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("7d", 604_800),
        ("7", None),
        ("", None),
        ("-1h", None),
        ("1y", None),
    ],
)
def test_spans_have_a_unit(text: str, seconds: float | None) -> None:
    assert parse_span(text) == seconds


def test_a_time_without_a_zone_is_none() -> None:
    assert parse_iso("2023-11-14T22:13:20Z") == 1_700_000_000
    assert parse_iso("2023-11-14T22:13:20") is None
    assert parse_iso("x") is None
