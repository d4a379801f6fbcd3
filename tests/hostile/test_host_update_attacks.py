"""The attacks that The Update Framework lists, against a host whose software is its desired state.

The attacker holds the coordinator, its database and its keys, and everything ever signed.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from agent.work import Circumstances, is_trusted, resolve
from protocol import dsse, messages, roster
from protocol.errors import DecodeError
from protocol.limits import MAX_DECISION_SECONDS, MAX_FRAME, MAX_ROSTER_CHAIN
from protocol.messages import Offer, RosterUpdate
from protocol.reasons import Reason, Refused
from protocol.roster import Roster, TrustedRoster
from state_engine.model import NodeFacts, Snapshot
from tests.fakes.agent import NOW
from tests.fakes.judged_host import (
    ADA,
    BOB,
    CEM,
    COORDINATOR,
    EVE,
    VERSIONS,
    Host,
    following,
    roster_of,
    signed_roster,
)
from tests.fakes.operators import SCOPE, module
from tests.fakes.sites import looking, site

pytestmark = pytest.mark.hostile


def test_arbitrary_software(tmp_path: Path) -> None:
    """Bytes that no operator approved are never taken on, whoever signed them as a module."""
    host = Host(tmp_path)
    for signer in (None, EVE, COORDINATOR, ADA):
        evil = module("web", site(tmp_path, "mined"), signer)
        assert host.offered(
            msgspec.structs.replace(host.schedule(ADA), modules=(evil, VERSIONS[1]))
        ) == (Reason.ACTION_MISMATCH)
        around = Circumstances(NodeFacts("n", "web1", {}), host.roster, Snapshot())
        assert is_trusted(evil, around) is (signer is ADA)


def test_rollback(tmp_path: Path) -> None:
    """An older roster, desired state, statement or decision is refused by its number."""
    host = Host(tmp_path)
    second = following(host.roster, epochs={SCOPE: 1})
    host.take(second, ADA)
    host.take(host.roster, ADA)
    assert host.core.trust.roster is not None
    assert host.core.trust.roster.roster.version == 2
    assert host.offered(host.approval.signed(ADA)) == Reason.EPOCH_OLD
    assert host.core.ledger.take_desired(5, b"{}") == "stored"
    older = host.core.ledger.take_desired(4, b"{}")
    assert isinstance(older, Refused)
    assert older.reason is Reason.GENERATION_OLD


def test_fast_forward(tmp_path: Path) -> None:
    """A number from far ahead is no step on the chain, and cannot shut the true one out."""
    host = Host(tmp_path)
    for version in (3, 2**53 - 1):
        ahead = msgspec.structs.replace(following(host.roster), version=version)
        host.take(ahead, ADA)
        host.take(ahead, EVE)
    # Nor does a time from the next century make every decision expire.
    host.take(following(host.roster, issued_at=2**40), ADA)
    assert host.core.trust.roster is not None
    assert host.core.trust.roster.roster.version == 2
    assert host.offered(host.approval.signed(ADA)) == "accepted"


def test_indefinite_freeze(tmp_path: Path) -> None:
    """Whoever keeps all news from a host wins the signed hour, and at most thirty days."""
    host = Host(tmp_path)
    longest = host.approval.signed(ADA, expires_at=int(NOW) + MAX_DECISION_SECONDS)
    too_long = host.approval.signed(ADA, expires_at=int(NOW) + MAX_DECISION_SECONDS + 1)
    assert host.offered(too_long) == Reason.ENVELOPE_INVALID
    host.clock.now = NOW + MAX_DECISION_SECONDS
    assert host.offered(longest) == Reason.EXPIRED
    # The first decision after the news shows that there was news.
    host.clock.now = NOW
    assert host.offered(host.approval.signed(ADA, roster_version=2)) == Reason.ROSTER_BEHIND


def test_endless_data() -> None:
    """What is too long is refused before it is understood."""
    with pytest.raises(DecodeError, match="limit"):
        messages.decode_down(b"\x00" * (MAX_FRAME + 1))
    envelope = signed_roster(roster_of(), ADA)
    many = roster.verify_chain(None, None, (envelope,) * (MAX_ROSTER_CHAIN + 1))
    assert isinstance(many, Refused)
    deep = dsse.Envelope(dsse.DECISION, "W1tb" * 50_000)
    from protocol import decisions

    assert isinstance(decisions.decode(deep), Refused)


def test_extraneous_dependencies(tmp_path: Path) -> None:
    """A module beside the approved ones is refused, in a schedule and in a plan."""
    host = Host(tmp_path)
    more = msgspec.structs.replace(
        host.schedule(ADA), modules=(*VERSIONS, module("miner", b"name: miner", ADA))
    )
    assert host.offered(more) == Reason.ACTION_MISMATCH
    items = msgspec.structs.replace(
        host.approval.signed(ADA), approved=(*host.approval.approved, "cd" * 32)
    )
    assert host.offered(items) == Reason.ACTION_MISMATCH


def test_mix_and_match(tmp_path: Path) -> None:
    """Versions that were never approved together do not run together; nor do rosters join."""
    host = Host(tmp_path)
    old = module("web", b"name: web-old", ADA)
    mixed = msgspec.structs.replace(host.schedule(ADA), modules=(old, VERSIONS[1]))
    assert host.offered(mixed) == Reason.ACTION_MISMATCH
    one, two = following(host.roster), following(host.roster, issued_at=3_000)
    joined = (signed_roster(one, ADA), signed_roster(following(two), ADA))
    host.core.on_roster(RosterUpdate(joined))
    assert host.core.trust.roster is not None
    assert host.core.trust.roster.roster.version == 1


def test_wrong_software(tmp_path: Path) -> None:
    """Approved bytes under another name, or another host's work, are not what was approved."""
    host, other = Host(tmp_path), None
    renamed = (msgspec.structs.replace(VERSIONS[0], name="base"), VERSIONS[1])
    swapped = msgspec.structs.replace(VERSIONS[1], name="web")
    for modules in (renamed, (msgspec.structs.replace(VERSIONS[0], name="base"), swapped)):
        offer = msgspec.structs.replace(host.schedule(ADA), modules=modules)
        assert host.offered(offer) == Reason.ACTION_MISMATCH
    (tmp_path / "two").mkdir()
    other = Host(tmp_path / "two")
    assert host.offered(other.approval.signed(ADA)) == Reason.NODE_NOT_NAMED


@pytest.mark.parametrize(
    ("stolen", "expected"),
    [((ADA,), Reason.ROSTER_INVALID), ((ADA, COORDINATOR), Reason.ROSTER_INVALID), ((), "invalid")],
    ids=("one admin", "one admin and the coordinator", "nobody"),
)
def test_keys_below_the_threshold(stolen: tuple[object, ...], expected: str) -> None:
    """One admin's key of two, and every key of the coordinator, change no roster."""
    people = tuple(who.entry() for who in (ADA, CEM, BOB))
    admins = tuple(
        msgspec.structs.replace(entry, role="admin") if entry.username == "cem" else entry
        for entry in people
    )
    held: Roster = roster_of(operators=admins, threshold=2)
    first = signed_roster(held, ADA, CEM)
    mine = following(held, operators=(EVE.entry(),), threshold=1)
    signers = [who for who in (ADA, COORDINATOR) if who in stolen] or [EVE]
    trusted = roster.verify_first(first, None)
    assert isinstance(trusted, TrustedRoster)
    found = roster.verify_next(trusted, signed_roster(mine, *signers))
    assert isinstance(found, Refused)
    assert expected in str(found.reason)


@pytest.mark.parametrize(
    "scope",
    [
        "default/default/default ",
        "default/default/d\u0435fault",
        "default/default/default\u200b",
        "DEFAULT/default/default",
        "default/default/de\u0301fault",
    ],
)
def test_a_look_alike_scope_is_another_scope(tmp_path: Path, scope: str) -> None:
    """Names are compared to the letter: no case, no width, no look-alike."""
    host = Host(tmp_path)
    assert host.offered(host.approval.signed(ADA, scope=scope)) == Reason.SCOPE_MISMATCH


def test_a_schedule_is_resolved_with_signed_tags_only(tmp_path: Path) -> None:
    """No person looks at its plan, so the coordinator's tags choose no variant of a module."""
    host = Host(tmp_path)
    host.core.ledger.take_desired(1, b'{"name":"evil","tags":{"env":"evil"}}')
    steps = host.core.steps
    plan = Offer("r", "state.plan", "l", 1, "op")
    assert steps.around(plan).facts.tags == {"env": "evil"}
    schedule = host.schedule(ADA)
    assert steps.around(schedule).facts.tags == {}
    host.state(ADA, tags={"env": "prod"})
    facts = steps.around(schedule).facts
    assert (facts.tags, facts.name) == ({"env": "prod"}, "web1")


def test_modules_of_strangers_run_nothing_while_they_are_looked_at(tmp_path: Path) -> None:
    """Reading needs no decision, so a module that no operator signed is not trusted to run."""
    facts = NodeFacts("n", "web1", {"platform": "linux"})
    around = Circumstances(facts, roster_of(), Snapshot())
    for signer, expected in ((None, False), (EVE, False), (COORDINATOR, False), (BOB, True)):
        offer = Offer("r", "state.plan", "l", 1, "op", (module("x", looking(tmp_path), signer),))
        found = resolve(offer, around)
        assert not isinstance(found, Refused)
        assert [item.trusted for item in found] == [expected]
