"""A host stops repairing when somebody else means it, and says so."""

from __future__ import annotations

import msgspec
import pytest

from agent.repairing import (
    MAX_REPAIRS,
    REST_SECONDS,
    WINDOW_SECONDS,
    Record,
    Repairs,
    fight,
)
from protocol.reports import Author, ResourceDiff

NOW = 1_800_000_000.0


def test_the_fourth_repair_within_the_window_is_a_fight() -> None:
    """Three times is bad luck; then it is left as it is, until it is rested or applied anew."""
    repairs = Repairs()
    for count in range(MAX_REPAIRS):
        assert repairs.may("a", NOW + count)
        assert repairs.begin("a", NOW + count)
    assert not repairs.begin("a", NOW + 10.0)
    assert not repairs.may("a", NOW + 11.0)
    assert repairs.given_up(NOW + 11.0) == ("a",)
    assert repairs.may("b", NOW), "another resource is no part of it"
    assert repairs.may("a", NOW + 10.0 + REST_SECONDS)
    repairs.start_afresh()
    assert repairs.may("a", NOW + 11.0)
    assert repairs.records == {}


def test_repairs_long_ago_do_not_count() -> None:
    """One a day is maintenance, no fight."""
    repairs = Repairs()
    for count in range(10):
        assert repairs.begin("a", NOW + count * WINDOW_SECONDS)


@pytest.mark.parametrize("jump", [-1_000_000.0, 1_000_000.0])
def test_a_clock_that_jumps_ends_a_fight_and_no_more(jump: float) -> None:
    """Times that lie in the future, or far back, hold nothing up for ever."""
    repairs = Repairs({"a": Record((NOW,) * MAX_REPAIRS, given_up=NOW)})
    assert repairs.may("a", NOW + jump)
    assert repairs.begin("a", NOW + jump)


def test_what_was_counted_survives_a_restart() -> None:
    """A crash in the middle of a fight must not begin it anew; what ran is known."""
    repairs = Repairs()
    repairs.begin("a", NOW)
    repairs.begin("b", NOW)
    repairs.end(["b"])
    data = msgspec.json.encode(repairs.records)
    again = Repairs(msgspec.json.decode(data, type=dict[str, Record]))
    assert again.interrupted() == ("a",)
    for count in range(1, MAX_REPAIRS):
        assert again.begin("a", NOW + count)
    assert not again.begin("a", NOW + MAX_REPAIRS)


def test_what_cannot_be_done_twice_is_given_up() -> None:
    """The caller found it interrupted."""
    repairs = Repairs()
    repairs.begin("a", NOW)
    repairs.give_up("a", NOW + 1.0)
    assert not repairs.may("a", NOW + 2.0)
    assert repairs.interrupted() == ()


def test_a_fight_names_the_other_side() -> None:
    """Whoever reads it knows where to look."""
    author = Author(
        7, "/usr/bin/puppet", "puppet agent", 0, "root", 1000, "ada", "puppet.service", "/bin/init"
    )
    item = ResourceDiff("m", "file-unix", "/etc/a", "update")
    assert "changed by" not in fight(item)
    text = fight(msgspec.structs.replace(item, changed_by=author))
    assert text.startswith("file-unix /etc/a was changed again after 3 repairs within 10 minutes")
    assert text.endswith(
        "changed by puppet agent (pid 7, started by /bin/init, user root, logged in as ada,"
        " puppet.service)"
    )
    assert str(Author(7)) == "a process that is gone (pid 7)"
