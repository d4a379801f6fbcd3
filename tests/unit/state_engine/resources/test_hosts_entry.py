"""The kind hosts-entry."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from protocol.reports import Change
from state_engine.resources.hosts_entry import HostsEntry

KIND = HostsEntry()


def entry(*names: str, ip: str = "10.0.0.1", **fields: Json) -> dict[str, Json]:
    return {"ip": ip, "names": list(names), **fields}


@pytest.mark.parametrize(
    ("spec", "before", "after"),
    [
        (entry("db.x", "db"), "# t\n", "# t\n10.0.0.1\tdb.x db\n"),
        (entry("db"), "10.0.0.1 DB # main\n", "10.0.0.1 DB # main\n"),
        (entry("db", "d"), "10.0.0.1  db   x # c\n", "10.0.0.1  db   x d # c\n"),
        (entry("db"), "10.0.0.2 a\tdb  b # c\n", "10.0.0.2 a  b # c\n10.0.0.1\tdb\n"),
        (entry("db"), "10.0.0.2 db\n10.0.0.1 x\n", "10.0.0.1 x\n10.0.0.1\tdb\n"),
        (entry("db"), "::1 db\n# 10.0.0.2 db\n", "::1 db\n# 10.0.0.2 db\n10.0.0.1\tdb\n"),
        (entry("db", ip="::1"), "0:0::1 db\n::2 db x\n", "0:0::1 db\n::2 x\n"),
        (entry("db"), "10.0.0.1\n10.0.0.300 db\n", "10.0.0.1\n10.0.0.300 db\n10.0.0.1\tdb\n"),
        (entry("db", ensure="absent"), "10.0.0.1 db x\n10.0.0.2 db\n", "10.0.0.1 x\n10.0.0.2 db\n"),
        (entry("db", ensure="absent"), "10.0.0.1 db # c\n", ""),
        (entry("db"), "10.0.0.1 x\r\n", "10.0.0.1 x\r\n10.0.0.1\tdb\r\n"),
    ],
)
def test_names_are_brought_to_their_address(spec: dict[str, Json], before: str, after: str) -> None:
    """Other names, comments and the other family stay as they are."""
    assert KIND.judge(spec, before.encode()).edited == after.encode()


def test_the_changes_say_where_a_name_was() -> None:
    """The old address, and the names that are added."""
    verdict = KIND.judge(entry("db", "d"), b"10.0.0.2 db\n10.0.0.1 d\n")
    assert verdict.there
    assert verdict.changes == (Change("ip", "10.0.0.2", "10.0.0.1"), Change("names", "d", "db d"))
    assert KIND.judge(entry("db", ensure="absent"), b"10.0.0.1 db\n").changes == (
        Change("names", "db", None),
    )


def test_only_our_names_are_taken_out() -> None:
    """An alias that somebody added keeps the line."""
    assert KIND.taken_out(entry("db"), b"10.0.0.1\tdb\n10.0.0.2 db\n") == b"10.0.0.2 db\n"
    assert (
        KIND.taken_out(entry("db"), b"10.0.0.1\tdb alias\n")
        == b"10.0.0.1 alias\n"[:8] + b" alias\n"
    )


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (entry("db", ip="10.0.0"), "ip"),
        (entry("db", ip="10.0.0.1\n::1 x"), "ip"),
        (entry(), "names"),
        (entry("a", "A"), "names"),
        (entry("a b"), "names"),
        (entry("-a"), "names"),
        (entry("a\n10.0.0.9 bank.example"), "names"),
        (entry("a#b"), "names"),
        (entry(*(f"n{i}" for i in range(40))), "names"),
        (entry("a", path="hosts"), "path"),
    ],
)
def test_each_bad_field_is_named(spec: dict[str, Json], field: str) -> None:
    """Nothing but an address and host names gets into the file."""
    assert [problem.field for problem in KIND.validate(spec)] == [field]


def test_the_first_name_and_the_family_are_its_name() -> None:
    """So another address for a name is a change of the same entry."""
    assert KIND.identity(entry("DB", "d"), None) == "ipv4:db"
    assert KIND.identity(entry("db", ip="::1"), None) == "ipv6:db"
    assert KIND.identity(entry("db", path="/f"), None) == "/f: ipv4:db"
    assert KIND.identity(entry(), None) is None
    assert KIND.identity({"ip": 1, "names": ["a"]}, None) is None
    assert KIND.watches(entry("db")) == ("/etc/hosts",)
    assert KIND.validate(entry("db.example.net", "db_1")) == []
