"""Digests of plans: what is bound, what is not, and that order means nothing."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from protocol import reports
from protocol.errors import InvalidName
from protocol.reports import Change, ResourceDiff, Trigger

ITEM = ResourceDiff(
    "web", "file", "/etc/x", "update", triggers=(), desired="0a" * 32, observed="0b" * 32
)


def bound(item: ResourceDiff) -> ResourceDiff:
    """Return an item with its digest."""
    return msgspec.structs.replace(item, digest=reports.item_digest(item))


@pytest.mark.parametrize(
    "change",
    [
        {"module": "other"},
        {"type": "directory"},
        {"identity": "/etc/y"},
        {"action": "remove"},
        {"desired": "0c" * 32},
        {"observed": "0c" * 32},
        {"triggers": (Trigger("restart", ("/etc/y",)),)},
    ],
    ids=str,
)
def test_what_is_done_to_what_from_which_state_is_bound(change: dict[str, object]) -> None:
    """Each of these is another item."""
    changed = msgspec.structs.replace(ITEM, **change)  # type: ignore[arg-type]  # fields as named
    assert reports.item_digest(changed) != reports.item_digest(ITEM)


def test_what_is_for_people_is_not_bound() -> None:
    """Diff text, names and messages follow from what is bound."""
    changed = msgspec.structs.replace(
        ITEM, id="x", name="y", message="z", changes=(Change("content", "a", "b"),), digest="d"
    )
    assert reports.item_digest(changed) == reports.item_digest(ITEM)


def test_a_plan_is_the_set_of_its_bound_items() -> None:
    """Order makes no difference, unbound items neither; each bound one does."""
    items = tuple(bound(msgspec.structs.replace(ITEM, identity=f"/etc/{name}")) for name in "abc")
    digests = {reports.plan_digest(order) for order in itertools.permutations(items)}
    assert len(digests) == 1
    assert reports.plan_digest((*items, ITEM)) in digests
    assert reports.plan_digest(items[:2]) not in digests
    assert reports.approved_digest(item.digest for item in items) in digests
    with pytest.raises(InvalidName):
        reports.approved_digest(["x"])


def test_the_address_is_module_and_identity() -> None:
    """As people write it."""
    assert ITEM.address == "web//etc/x"


def test_digests_are_fixed_for_ever() -> None:
    """An approval made today must hold after an upgrade."""
    assert (
        reports.item_digest(ITEM)
        == "46c77c0c8c6417070fd52c1cee4a020aa1b186b902079fecc3b237249c2f26c6"
    )
    assert (
        reports.plan_digest((bound(ITEM),))
        == "de77458846ce2ce22ca4ec350dcd64aac4a404d5bab8033b39e025c6aa385929"
    )
    assert reports.plan_digest(()) == reports.content_digest(b"")
