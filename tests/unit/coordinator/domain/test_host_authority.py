"""Who may say which machine a host is."""

from __future__ import annotations

import msgspec
import pytest

from coordinator.domain import clones, host_authority
from coordinator.domain.actor import Actor, Grant
from coordinator.domain.refusals import Refusal
from coordinator.store import ratchets
from protocol import api_clones
from protocol import roster as rosters
from protocol.ratchet import Holder, Line
from tests.fakes import people
from tests.fakes.fleet import OPERATOR, FakeHost, Fleet

POLICY = rosters.Grant(("policy.change",), (), "role=web")


def asked(fleet: Fleet, by: Actor | None, host: FakeHost) -> bool:
    """Say whether somebody may."""
    return fleet.store.read_now(lambda tx: host_authority.refused(tx, by, host.node_id)) is None


@pytest.mark.parametrize(
    ("role", "grants", "may"),
    [
        ("admin", (), True),
        ("operator", (), False),
        ("operator", (POLICY,), True),
        ("operator", (rosters.Grant(("policy.change",), (), "role=db"),), False),
        ("admin", (rosters.Grant(("state.apply",)),), False),
        ("viewer", (), False),
        ("automation", (POLICY,), False),
    ],
)
def test_it_is_those_whose_statement_would_count(
    role: rosters.Role, grants: tuple[rosters.Grant, ...], may: bool
) -> None:
    fleet = Fleet()
    host = fleet.add(10)
    fleet.vouch(host, {"role": "web"})
    who = msgspec.structs.replace(people.person(2, role), grants=grants)
    fleet.adopt(operators=(people.person(1), who))
    assert asked(fleet, Actor(who.operator_id, who.username, "admin"), host) is may


def test_of_a_host_that_nobody_vouched_for_no_tag_is_known() -> None:
    """A grant by tags covers it no more than it covers any other."""
    fleet = Fleet()
    host = fleet.add(10)
    who = msgspec.structs.replace(people.person(2, "operator"), grants=(POLICY,))
    fleet.adopt(operators=(people.person(1), who))
    assert not asked(fleet, Actor(who.operator_id, who.username, "admin"), host)
    assert asked(fleet, OPERATOR, host)


def test_neither_a_token_nor_nobody_may() -> None:
    fleet = Fleet()
    host = fleet.add(10)
    token = msgspec.structs.replace(OPERATOR, grant=Grant("ci", frozenset(), "*"))
    assert not asked(fleet, token, host)
    assert not asked(fleet, None, host)


@pytest.mark.hostile
def test_a_copy_is_not_made_the_host_by_whoever_is_at_hand() -> None:
    """The one of two that is chosen gets the host's work; nothing changes by a refusal."""
    fleet = Fleet()
    host = fleet.add(10)
    fleet.adopt(operators=(people.person(1), people.person(2, "operator")))
    real, copy = (
        Holder(name, 1, b"c" * 32, b"o" * 32, name, "192.0.2.1", 5.0) for name in ("real", "copy")
    )
    fleet.store.write_now(lambda tx: ratchets.put(tx, host.node_id, Line((real, copy))))
    mate = Actor(people.keyid(2), "person2", "operator")
    request = api_clones.KeepRequest("copy")
    refused = fleet.store.write_now(lambda tx: clones.keep(tx, mate, host.node_id, request))
    assert isinstance(refused, Refusal)
    assert refused.kind == "forbidden"
    assert fleet.store.read_now(lambda tx: ratchets.is_diverged(tx, host.node_id))
