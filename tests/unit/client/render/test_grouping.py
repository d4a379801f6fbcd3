"""The same change is shown once; sums and partitions are properties in `tests/property`."""

from __future__ import annotations

from client.render.grouping import MASK, group, masked
from protocol.reports import Change
from tests.fakes.api_server import item

SECRET = Change("content", "old", "new", sensitive=True, diff=("-old", "+new"))


def test_hosts_with_the_same_change_stand_together_and_the_biggest_group_first() -> None:
    same, other = item("/etc/a"), item("/etc/b", "create")
    groups = group({"c": (same,), "a": (same, other), "b": (item("/etc/c", "none"),)})
    assert [(one.item.identity, one.hosts) for one in groups] == [
        ("/etc/a", ("a", "c")),
        ("/etc/b", ("a",)),
    ]


def test_what_leads_to_another_state_is_another_change_even_if_it_looks_the_same() -> None:
    """Two secrets look the same; they are not."""
    one = item("/etc/a", "update", (SECRET,), desired="1" * 64)
    two = item("/etc/a", "update", (SECRET,), desired="2" * 64)
    assert len(group({"a": (one,), "b": (two,)})) == 2


def test_a_sensitive_field_shows_nothing_but_what_its_host_has_redacted() -> None:
    [change] = masked(item("/etc/a", "update", (SECRET,))).changes
    assert (change.current, change.desired, change.diff) == (MASK, MASK, ())
    told = Change("content", "hmac:1", "hmac:2", sensitive=True, diff=("+x",), redacted=True)
    assert masked(item("/etc/a", "update", (told,))).changes == (told,)
    created = Change("content", None, "new", sensitive=True)
    [change] = masked(item("/etc/a", "create", (created,))).changes
    assert (change.current, change.desired) == (None, MASK)
