"""The action of a standing decision is one byte form of all that it binds, and its times hold."""

from __future__ import annotations

import math

import msgspec
import pytest

from protocol import standing
from protocol.errors import DecodeError
from protocol.reasons import Reason, Refused
from protocol.standing import MAX_MODULES, Standing

ORDER = Standing("nightly", ("22:00-05:00",), 3_600)
MODULES = {"web": "ab" * 32, "base": "cd" * 32}
NIGHT, NOON = 1_800_000_000.0 + 15 * 3_600, 1_800_000_000.0 + 4 * 3_600


def test_the_action_binds_everything() -> None:
    """Another version, module, guard, name, window or interval is another action."""
    base = standing.action(MODULES, 3, ORDER)
    assert base == (
        b'{"capability":"state.apply","min_interval":3600,"modules":{"base":"'
        + b"cd" * 32
        + b'","web":"'
        + b"ab" * 32
        + b'"},"removal_limit":3,"schedule":"nightly","v":2,'
        b'"windows":["22:00-05:00"]}'
    )
    others = {
        standing.action({**MODULES, "web": "ef" * 32}, 3, ORDER),
        standing.action({"web": "ab" * 32}, 3, ORDER),
        standing.action({"web2": "ab" * 32, "base": "cd" * 32}, 3, ORDER),
        standing.action(MODULES, 4, ORDER),
        standing.action(MODULES, 3, msgspec.structs.replace(ORDER, schedule="daily")),
        standing.action(MODULES, 3, msgspec.structs.replace(ORDER, windows=())),
        standing.action(MODULES, 3, msgspec.structs.replace(ORDER, min_interval=0)),
    }
    assert len(others | {base}) == 8


@pytest.mark.parametrize(
    ("modules", "limit", "order"),
    [
        ({}, 0, ORDER),
        ({f"m{n}": "ab" * 32 for n in range(MAX_MODULES + 1)}, 0, ORDER),
        ({"m": "AB" * 32}, 0, ORDER),
        (MODULES, -1, ORDER),
        (MODULES, 0, Standing("")),
        (MODULES, 0, Standing("night ly")),
        (MODULES, 0, Standing("x" * 129)),
        (MODULES, 0, Standing("x", ("noon",))),
        (MODULES, 0, Standing("x", (), -1)),
        (MODULES, 0, Standing("x", (), 30 * 86_400 + 1)),
    ],
)
def test_what_cannot_be_held_to_has_no_action(
    modules: dict[str, str], limit: int, order: Standing
) -> None:
    """No modules, no name, a window that is none: nobody can have meant to sign that."""
    with pytest.raises(DecodeError):
        standing.action(modules, limit, order)


def test_the_limits_themselves_are_allowed() -> None:
    """As many modules and as long an interval as there may be."""
    many = {f"m{n}": "ab" * 32 for n in range(MAX_MODULES)}
    assert standing.action(many, 0, Standing("x" * 128, (), 30 * 86_400))
    assert standing.action({"m": "ab" * 32}, 0, Standing("a/b.c_d-e"))


@pytest.mark.parametrize(
    ("last", "now", "expected"),
    [
        (None, NIGHT, None),
        (None, NOON, Reason.OUTSIDE_WINDOW),
        (NIGHT - 3_600, NIGHT, None),
        (NIGHT - 3_599, NIGHT, Reason.TOO_SOON),
        (NIGHT + 10, NIGHT, Reason.TOO_SOON),
        (NOON - 1, NOON, Reason.OUTSIDE_WINDOW),
        (None, math.nan, Reason.OUTSIDE_WINDOW),
    ],
)
def test_it_runs_in_its_window_and_not_oftener_than_signed(
    last: float | None, now: float, expected: Reason | None
) -> None:
    """The interval counts from the last time on this host, and a clock set back refuses."""
    found = standing.too_early(ORDER, last, now)
    assert (found.reason if isinstance(found, Refused) else None) is expected


def test_without_an_interval_a_broken_clock_still_refuses() -> None:
    """No number is less than nothing, and not at least nothing either."""
    found = standing.too_early(Standing("x"), 1.0, math.nan)
    assert isinstance(found, Refused)
    assert standing.too_early(Standing("x"), 1.0, 1.0) is None
