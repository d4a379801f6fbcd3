"""Sealed secrets in the database: old versions go, the count of versions stays."""

from __future__ import annotations

from coordinator.store import secrets
from coordinator.store.database import Tx
from coordinator.store.secrets import Ref, StoredVersion
from protocol import dsse
from tests.fakes.api_site import Desk, operator_key

REF = Ref("default/default/default", "db")
ENVELOPE = dsse.sign(dsse.SEALED, b"{}", operator_key("ada"), "ada")


def put(tx: Tx, version: int, *recipients: str) -> None:
    """Store a version, wrapped for some."""
    wraps = {one: one.encode() for one in recipients}
    secrets.put_version(tx, REF, StoredVersion(version, ENVELOPE, b"sealed"), wraps)


def test_a_new_version_destroys_the_one_before() -> None:
    """Ciphertext and keys of what was rotated away are gone."""
    desk = Desk.open()
    desk.do(lambda tx: put(tx, 1, "a", "b"))
    desk.do(lambda tx: put(tx, 2, "a"))
    assert desk.do(lambda tx: (secrets.get_version(tx, REF, 1), None))[0] is None
    assert desk.do(lambda tx: secrets.recipients(tx, REF, 1)) == ()
    assert desk.do(lambda tx: secrets.recipients(tx, REF, 2)) == ("a",)
    assert desk.do(lambda tx: secrets.get_version(tx, REF, 2)) == StoredVersion(
        2, ENVELOPE, b"sealed"
    )


def test_a_destroyed_secret_goes_on_counting() -> None:
    """A name that is used again must not begin with a version that hosts have seen."""
    desk = Desk.open()
    desk.do(lambda tx: put(tx, 3, "a"))
    desk.do(lambda tx: secrets.destroy(tx, REF))
    assert desk.do(lambda tx: secrets.last_version(tx, REF)) == 3
    assert desk.do(lambda tx: (secrets.wrapped_for(tx, REF, 3, "a"), None))[0] is None


def test_wraps_are_added_and_replaced() -> None:
    """One per recipient and version."""
    desk = Desk.open()
    desk.do(lambda tx: put(tx, 1, "a"))
    desk.do(lambda tx: secrets.put_wraps(tx, REF, 1, {"a": b"new", "c": b"c"}))
    assert desk.do(lambda tx: secrets.recipients(tx, REF, 1)) == ("a", "c")
    assert desk.do(lambda tx: secrets.wrapped_for(tx, REF, 1, "a")) == b"new"
    desk.do(lambda tx: secrets.clear_wraps(tx, REF))
    assert desk.do(lambda tx: secrets.recipients(tx, REF, 1)) == ()


def test_deliveries_and_warnings_are_remembered() -> None:
    """The newest of each; a new signed end is warned of anew."""
    desk = Desk.open()
    desk.do(lambda tx: put(tx, 1, "a"))
    for version in (1, 2):
        desk.do(lambda tx, v=version: secrets.set_delivered(tx, REF, "node", v))  # type: ignore[misc]
    assert desk.do(lambda tx: secrets.delivered(tx, REF)) == {"node": 2}
    desk.do(lambda tx: secrets.set_warned(tx, REF, 7))
    assert desk.do(lambda tx: secrets.warned(tx, REF)) == 7
    desk.do(lambda tx: secrets.set_envelope(tx, REF, 1, ENVELOPE))
    assert desk.do(lambda tx: (secrets.warned(tx, REF), None))[0] is None
    desk.do(lambda tx: secrets.forget_deliveries(tx, REF))
    assert desk.do(lambda tx: secrets.delivered(tx, REF)) == {}
