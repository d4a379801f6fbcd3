from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
import pytest

from coordinator.store import records
from coordinator.store.database import Store, Tx
from coordinator.store.records import Conflict, NameTaken, NotFound, Record
from tests.fakes.stores import memory_store

T = TypeVar("T")


class Spec(msgspec.Struct, frozen=True):
    size: int = 1


@pytest.fixture
def store() -> Store:
    return memory_store()


def make(tx: Tx, name: str | None = "web", **more: str) -> Record:
    made = records.create(tx, kind="thing", scope="s", name=name, spec=Spec(), labels=more)
    assert isinstance(made, Record)
    return made


def do(store: Store, job: Callable[[Tx], T]) -> T:
    return store.write_now(job)


def test_a_record_is_found_by_name_and_by_uid(store: Store) -> None:
    """In any case and width of letters, but only under its own kind and scope."""
    made = do(store, make)
    assert do(store, lambda tx: records.get(tx, "thing", "s", "WEB")) == made
    assert do(store, lambda tx: records.get_by_uid(tx, "thing", made.uid)) == made
    assert do(store, lambda tx: records.get(tx, "other", "s", "web")) is None
    assert do(store, lambda tx: records.get(tx, "thing", "t", "web")) is None
    assert made.spec_as(Spec) == Spec()


@pytest.mark.parametrize("name", ["web", "WEB", "\uff57\uff45\uff42"])
def test_a_name_is_taken_once(store: Store, name: str) -> None:
    """Names that a person cannot tell apart count as the same."""
    first = do(store, make)
    second = do(
        store,
        lambda tx: records.create(tx, kind="thing", scope="s", name=name, spec=Spec()),
    )
    assert second == NameTaken(name, first.uid)
    other = do(store, lambda tx: make(tx, "db"))
    renamed = do(store, lambda tx: records.update(tx, other.uid, name=name))
    assert renamed == NameTaken(name, first.uid)


def test_versions_rise_with_every_change_and_generation_with_the_spec(store: Store) -> None:
    """A change that changes nothing burns no version."""
    made = do(store, make)
    same = do(store, lambda tx: records.update(tx, made.uid, spec=Spec()))
    assert same == made
    tagged = do(store, lambda tx: records.update(tx, made.uid, labels={"a": "b"}))
    changed = do(store, lambda tx: records.update(tx, made.uid, spec=Spec(2), status=Spec(3)))
    assert isinstance(tagged, Record)
    assert isinstance(changed, Record)
    assert made.resource_version < tagged.resource_version < changed.resource_version
    assert (made.generation, tagged.generation, changed.generation) == (1, 1, 2)
    assert changed.labels == {"a": "b"}


def test_a_stale_version_changes_nothing(store: Store) -> None:
    """Compare-and-set: who has not seen the latest version must look again."""
    made = do(store, make)
    newer = do(store, lambda tx: records.update(tx, made.uid, spec=Spec(2)))
    assert isinstance(newer, Record)
    stale = made.resource_version
    expected = Conflict(stale, newer.resource_version)
    assert do(store, lambda tx: records.update(tx, made.uid, expected=stale, spec=Spec(9))) == (
        expected
    )
    assert do(store, lambda tx: records.delete(tx, made.uid, expected=stale)) == expected
    assert do(store, lambda tx: records.get_by_uid(tx, "thing", made.uid)) == newer


def test_a_deleted_record_is_a_tombstone(store: Store) -> None:
    """It is found no more, its name is free, and the same uid may come again."""
    made = do(store, make)
    do(store, lambda tx: records.delete(tx, made.uid))
    assert do(store, lambda tx: records.get(tx, "thing", "s", "web")) is None
    assert do(store, lambda tx: records.update(tx, made.uid, spec=Spec(2))) == NotFound(made.uid)
    assert do(store, lambda tx: records.delete(tx, made.uid)) == NotFound(made.uid)
    again = do(
        store,
        lambda tx: records.create(
            tx, kind="thing", scope="s", name="web", spec=Spec(), uid=made.uid
        ),
    )
    assert isinstance(again, Record)
    assert again.resource_version > made.resource_version
    assert [r.uid for r in do(store, lambda tx: records.listing(tx, "thing"))] == [made.uid]


def test_listing_is_in_order_of_creation_and_by_label(store: Store) -> None:
    """Records without a name are listed like all others."""
    do(store, lambda tx: make(tx, None, env="prod"))
    do(store, lambda tx: make(tx, None, env="test"))
    do(store, lambda tx: make(tx, "b", env="prod", tier="1"))
    listed = do(store, lambda tx: records.listing(tx, "thing", "s", labels={"env": "prod"}))
    assert [(record.name, record.labels["env"]) for record in listed] == [
        (None, "prod"),
        ("b", "prod"),
    ]
    assert len(do(store, lambda tx: records.listing(tx, "thing"))) == 3


def test_records_without_a_name_are_found_by_themselves(store: Store) -> None:
    """Without a look at the others, however many those are."""
    do(store, make)
    bare = do(store, lambda tx: make(tx, None))
    assert do(store, lambda tx: records.listing(tx, "thing", "s", unnamed=True)) == (bare,)
