"""Enrolment keys."""

from __future__ import annotations

import msgspec
import pytest

from coordinator.domain import enrolment_keys
from coordinator.domain.enrolment_keys import Issuer
from coordinator.domain.refusals import Refusal
from coordinator.store.database import Store
from protocol import api, enrolment
from tests.fakes.api_site import SEED_TIME, Desk

ISSUER = Issuer(("https://c:4748",), b"k" * 32, "ab" * 32)
# One hour after the seed, as text.
LATER = "2026-09-21T15:13:20Z"


def make(desk: Desk, **settings: object) -> api.EnrolmentKeyInfo:
    """Make a key."""
    request = msgspec.convert(settings, api.CreateEnrolmentKeyRequest)
    return desk.do(lambda tx: enrolment_keys.create(tx, desk.ada, "default", request, ISSUER))


def secret(key: api.EnrolmentKeyInfo) -> bytes:
    """Return the secret in a key's string."""
    assert key.key is not None
    return enrolment.decode(key.key).secret_bytes()


def test_the_string_is_shown_once_and_says_where_to_go() -> None:
    desk = Desk.open()
    made = make(desk, name="first", tags={"role": "web"})
    assert made.key is not None
    text = enrolment.decode(made.key)
    assert (text.urls, text.tls_fingerprint) == (ISSUER.urls, ISSUER.tls_fingerprint)
    assert desk.do(lambda tx: enrolment_keys.get(tx, made.id)).key is None
    assert [key.key for key in desk.do(enrolment_keys.listing)] == [None]
    assert desk.do(lambda tx: enrolment_keys.find_by_text(tx, made.key or "")) == made.id


def test_a_key_is_for_one_use_unless_said_otherwise() -> None:
    desk = Desk.open()
    once, often, always = make(desk), make(desk, uses_remaining=2), make(desk, uses_remaining=None)
    assert (once.uses_remaining, often.uses_remaining, always.uses_remaining) == (1, 2, None)
    results: list[list[str | None]] = []
    for key in (once, often, always):
        outcomes = [
            desk.store.write_now(lambda tx, k=key: enrolment_keys.use(tx, secret(k)))  # type: ignore[misc]  # bound now
            for _ in range(3)
        ]
        results.append([o.code if isinstance(o, Refusal) else "used" for o in outcomes])
    assert results == [
        ["used", "key_spent", "key_spent"],
        ["used", "used", "key_spent"],
        ["used", "used", "used"],
    ]
    assert desk.do(lambda tx: enrolment_keys.get(tx, once.id)).last_used_at is not None


def test_a_key_ends_with_its_time() -> None:
    desk = Desk.open()
    made = make(desk, expires_at=LATER)
    desk.clock.now = SEED_TIME + 3_601
    outcome = desk.refused(lambda tx: enrolment_keys.use(tx, secret(made)))
    assert outcome.code == "key_expired"


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"uses_remaining": 0}, "uses_remaining"),
        ({"uses_remaining": -1}, "uses_remaining"),
        ({"uses_remaining": 10**9}, "uses_remaining"),
        ({"name": ""}, "name"),
        ({"name": "x" * 129}, "name"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"expires_at": "2020-01-01"}, "expires_at"),
        ({"tags": {"no key": "x"}}, "tags"),
        ({"urls": ["ftp://x"]}, "urls"),
        ({"urls": ["https://x"] * 9}, "urls"),
    ],
)
def test_a_field_that_breaks_its_rule_is_named(settings: dict[str, object], field: str) -> None:
    desk = Desk.open()
    request = msgspec.convert(settings, api.CreateEnrolmentKeyRequest)
    refusal = desk.refused(
        lambda tx: enrolment_keys.create(tx, desk.ada, "default", request, ISSUER)
    )
    assert refusal.kind == "validation_failed"
    assert refusal.details is not None
    assert field in refusal.details


def test_there_is_one_cluster_in_this_version() -> None:
    desk = Desk.open()
    request = api.CreateEnrolmentKeyRequest()
    refusal = desk.refused(lambda tx: enrolment_keys.create(tx, desk.ada, "x", request, ISSUER))
    assert refusal.kind == "not_found"


def test_without_a_roster_there_are_no_keys() -> None:
    desk = Desk.open()
    empty = Store.open("sqlite://", clock=desk.clock, inline=True)
    request = api.CreateEnrolmentKeyRequest()
    outcome = empty.write_now(
        lambda tx: enrolment_keys.create(tx, desk.ada, "default", request, ISSUER)
    )
    assert isinstance(outcome, Refusal)
    assert outcome.code == "roster_unknown"


def test_a_change_keeps_what_is_absent_and_clears_what_is_null() -> None:
    desk = Desk.open()
    made = make(desk, name="first", expires_at=LATER)
    assert made.expires_at == "2026-09-21T15:13:20.000Z"

    def change(body: str) -> api.EnrolmentKeyInfo:
        request = msgspec.json.decode(body, type=api.UpdateEnrolmentKeyRequest)
        return desk.do(lambda tx: enrolment_keys.update(tx, desk.ada, made.id, request))

    assert change('{"uses_remaining": 5}').name == "first"
    cleared = change('{"name": null, "expires_at": null, "uses_remaining": null}')
    assert (cleared.name, cleared.expires_at, cleared.uses_remaining) == (None, None, None)
    assert change("{}") == cleared


def test_a_deleted_key_lets_nobody_in() -> None:
    desk = Desk.open()
    made = make(desk)
    desk.do(lambda tx: enrolment_keys.delete(tx, desk.ada, made.id))
    assert desk.refused(lambda tx: enrolment_keys.use(tx, secret(made))).code == "invalid_key"
    assert desk.refused(lambda tx: enrolment_keys.get(tx, made.id)).kind == "not_found"
    assert desk.refused(lambda tx: enrolment_keys.delete(tx, desk.ada, made.id))
    assert desk.do(lambda tx: enrolment_keys.find_by_text(tx, "junk")) is None


def test_public_keys_that_nobody_used_are_bounded() -> None:
    """A stranger cannot fill the store with keys; a used one makes room."""
    desk = Desk.open()

    def ask() -> api.EnrolmentKeyInfo:
        return desk.do(lambda tx: enrolment_keys.create_public(tx, ISSUER, most=2))

    made = ask()
    ask()
    full = desk.refused(lambda tx: enrolment_keys.create_public(tx, ISSUER, most=2))
    assert full.kind == "unavailable"
    secret = enrolment.decode(made.key or "").secret_bytes()
    desk.do(lambda tx: enrolment_keys.use(tx, secret))
    ask()
