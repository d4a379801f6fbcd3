"""Attacks by way of recovery keys: who may let another key take a host's id, and how often."""

from __future__ import annotations

import msgspec
import pytest

from coordinator.domain import agents, enrolment_keys
from coordinator.domain.actor import Actor, Grant
from coordinator.domain.enrolment_keys import Issuer
from coordinator.domain.refusals import Refusal
from protocol import api, enrolment
from protocol import roster as rosters
from tests.fakes import people
from tests.fakes.fleet import OPERATOR, FakeHost, Fleet

pytestmark = pytest.mark.hostile
ISSUER = Issuer(("https://c:4748",), b"k" * 32, "ab" * 32)
POLICY = rosters.Grant(("policy.change",), (), "role=web")


def ask(fleet: Fleet, by: Actor, host: FakeHost) -> api.EnrolmentKeyInfo | Refusal:
    request = api.CreateEnrolmentKeyRequest(recovers=host.node_id)
    return fleet.store.write_now(
        lambda tx: enrolment_keys.create(tx, by, "default", request, ISSUER)
    )


def made(fleet: Fleet, host: FakeHost) -> api.EnrolmentKeyInfo:
    found = ask(fleet, OPERATOR, host)
    assert isinstance(found, api.EnrolmentKeyInfo), found
    return found


def come_back(fleet: Fleet, host: FakeHost, thief: FakeHost, key: api.EnrolmentKeyInfo) -> object:
    """Ask for a host's id under another key."""
    assert key.key is not None
    secret = enrolment.decode(key.key).secret_bytes()
    hello = msgspec.structs.replace(thief.hello(), node_id=host.node_id)
    return fleet.store.write_now(
        lambda tx: agents.register(
            tx,
            hello=hello,
            node_id=host.node_id,
            public_key=thief.key.public,
            secret=secret,
            peer="192.0.2.66",
            identity_public=bytes(32),
        )
    )


def changed(
    fleet: Fleet, by: Actor, key: api.EnrolmentKeyInfo, **changes: object
) -> api.EnrolmentKeyInfo | Refusal:
    request = msgspec.convert(changes, api.UpdateEnrolmentKeyRequest)
    return fleet.store.write_now(lambda tx: enrolment_keys.update(tx, by, key.id, request))


def test_a_token_that_lets_new_hosts_in_takes_over_no_host() -> None:
    """With a key for an id that is there, whoever stole it would push the real host out."""
    fleet = Fleet()
    host = fleet.add(10)
    grant = Grant("ci", frozenset({"enrolment-keys"}), "*")
    token = Actor(OPERATOR.operator_id, OPERATOR.username, "operator", "token", "ci", grant)
    refused = ask(fleet, token, host)
    assert isinstance(refused, Refusal)
    assert refused.kind == "forbidden"


@pytest.mark.parametrize(
    ("role", "grants"),
    [
        ("operator", ()),
        ("operator", (rosters.Grant(("state.apply",)),)),
        ("operator", (POLICY,)),
        ("admin", (rosters.Grant((), ("other/*",)),)),
        ("admin", (POLICY,)),
        (None, ()),
    ],
)
def test_whose_statement_would_not_count_makes_no_recovery_key(
    role: rosters.Role | None, grants: tuple[rosters.Grant, ...]
) -> None:
    """Who may say what a host's key is, by the signed tags, decides who may prepare the change."""
    fleet = Fleet()
    host = fleet.add(10)
    fleet.vouch(host, {"role": "db"})
    who = msgspec.structs.replace(people.person(2, role or "operator"), grants=grants)
    fleet.adopt(operators=(people.person(1), *([who] if role else [])))
    refused = ask(fleet, Actor(who.operator_id, who.username, "operator"), host)
    assert isinstance(refused, Refusal)
    assert refused.kind == "forbidden"


def test_whose_statement_counts_may_bring_the_host_back() -> None:
    fleet = Fleet()
    host = fleet.add(10)
    fleet.vouch(host, {"role": "web"})
    who = msgspec.structs.replace(people.person(2, "operator"), grants=(POLICY,))
    fleet.adopt(operators=(people.person(1), who))
    found = ask(fleet, Actor(who.operator_id, who.username, "operator"), host)
    assert isinstance(found, api.EnrolmentKeyInfo)


@pytest.mark.parametrize("uses", [1, 2, None])
def test_a_spent_recovery_key_is_never_filled_up_again(uses: int | None) -> None:
    """Its string lies on the host and in a shell's history: it gives the id away once."""
    fleet = Fleet()
    host = fleet.add(10)
    key = made(fleet, host)
    assert isinstance(come_back(fleet, host, FakeHost(11), key), agents.Registered)
    refused = changed(fleet, OPERATOR, key, uses_remaining=uses)
    assert isinstance(refused, Refusal)
    late = come_back(fleet, host, FakeHost(12), key)
    assert getattr(late, "code", None) == "key_spent"
    # Its label is nobody's secret.
    assert isinstance(changed(fleet, OPERATOR, key, name="old"), api.EnrolmentKeyInfo)


def test_a_recovery_key_is_prolonged_only_by_who_could_make_it() -> None:
    fleet = Fleet()
    host = fleet.add(10)
    key = made(fleet, host)
    grant = Grant("ci", frozenset({"enrolment-keys"}), "*")
    token = Actor(OPERATOR.operator_id, OPERATOR.username, "operator", "token", "ci", grant)
    assert isinstance(changed(fleet, token, key, expires_at=None), Refusal)
    assert isinstance(changed(fleet, OPERATOR, key, expires_at=None), api.EnrolmentKeyInfo)
