"""A stolen coordinator with every key of its own, against one host: what it shows is refused.

It holds the database too, so it has all that was ever signed, and may mix it as it likes. Nothing
that is refused is stored, and what was really approved is still taken on afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

import msgspec
import pytest

from protocol import decisions, ids
from protocol.decisions import NodeProof
from protocol.messages import Offer, Welcome
from protocol.reasons import Reason, Refused
from protocol.revocations import Revocation
from protocol.roster import ApprovalRule, Grant
from protocol.standing import Standing
from tests.fakes.agent import NOW
from tests.fakes.judged_host import (
    ADA,
    BOB,
    CEM,
    COORDINATOR,
    EVE,
    NIGHTLY,
    VERSIONS,
    Host,
    roster_of,
)
from tests.fakes.operators import SCOPE, Operator, module

pytestmark = pytest.mark.hostile
OTHER = ids.node_id(b"\x07" * 32)


def tree(host: Host, *nodes: str) -> tuple[dict[str, object], dict[str, NodeProof]]:
    """What a decision says that names its nodes by a root, and the branch of each."""
    names = nodes or (host.node, OTHER, ids.node_id(b"\x08" * 32))
    top, proofs = decisions.node_tree(names)
    return {"nodes": (), "nodes_root": top, "nodes_count": len(names)}, proofs


def by_root(host: Host, proof: Callable[[dict[str, NodeProof]], NodeProof | None]) -> Offer:
    named, proofs = tree(host)
    offer = host.approval.signed(ADA, **named)
    return msgspec.structs.replace(offer, node_proof=proof(proofs))


def other_root(host: Host) -> Offer:
    """Ada named two other hosts; the coordinator shows a tree that holds this one as well."""
    named, _ = tree(host, OTHER, ids.node_id(b"\x08" * 32))
    _, proofs = tree(host)
    offer = host.approval.signed(ADA, **named)
    return msgspec.structs.replace(offer, node_proof=proofs[host.node])


def twice_named(host: Host) -> Offer:
    """Two modules under one name, of which Ada signed the second."""
    offer = host.schedule(ADA)
    evil = msgspec.structs.replace(module("web", b"name: evil", None), name="web")
    return msgspec.structs.replace(offer, modules=(evil, *offer.modules))


def under_the_new_roster(host: Host) -> Offer:
    """Bob, removed in version 2, which is kept from the host, after Ada signed under it."""
    return host.approval.signed(ADA, roster_version=2)


def plan_as_schedule(host: Host) -> Offer:
    """A decision on one plan is shown as a standing one."""
    offer = host.approval.signed(ADA)
    return msgspec.structs.replace(offer, standing=NIGHTLY, modules=VERSIONS)


def schedule_as_plan(host: Host) -> Offer:
    """A standing decision is shown as one on a plan of the attacker's own."""
    envelope = host.schedule(ADA).decision
    return replace(host.approval, approved=("cd" * 32,)).offer(envelope)


ATTACKS: dict[str, tuple[Callable[[Host], Offer], str]] = {
    "node root without a branch": (lambda h: by_root(h, lambda _p: None), "node_not_named"),
    "another node's branch": (lambda h: by_root(h, itemgetter(OTHER)), "node_not_named"),
    "a branch that is no digest": (
        lambda h: by_root(h, lambda p: NodeProof(p[h.node].index, ("zz" * 32,))),
        "node_not_named",
    ),
    "a tree that the signer never named": (other_root, "node_not_named"),
    "nodes listed beside a root": (
        lambda h: h.approval.signed(ADA, **{**tree(h)[0], "nodes": (h.node,)}),
        "envelope_invalid",
    ),
    "signed under a newer roster that is kept back": (under_the_new_roster, "roster_behind"),
    "schedule: plan decision shown as standing": (plan_as_schedule, "action_mismatch"),
    "schedule: standing decision on another plan": (schedule_as_plan, "action_mismatch"),
    "schedule: other module version": (
        lambda h: msgspec.structs.replace(
            h.schedule(ADA), modules=(module("web", b"name: evil", ADA), VERSIONS[1])
        ),
        "action_mismatch",
    ),
    "schedule: a module left out": (
        lambda h: msgspec.structs.replace(h.schedule(ADA), modules=VERSIONS[:1]),
        "action_mismatch",
    ),
    "schedule: extraneous module": (
        lambda h: msgspec.structs.replace(
            h.schedule(ADA), modules=(*VERSIONS, module("miner", b"name: miner", ADA))
        ),
        "action_mismatch",
    ),
    "schedule: two modules of one name": (twice_named, "action_mismatch"),
    "schedule: removal limit raised": (
        lambda h: msgspec.structs.replace(h.schedule(ADA), removal_limit=3),
        "action_mismatch",
    ),
    "schedule: another window": (
        lambda h: msgspec.structs.replace(
            h.schedule(ADA), standing=Standing("nightly", ("00:00-24:00",), 600)
        ),
        "action_mismatch",
    ),
    "schedule: a window that is none": (
        lambda h: msgspec.structs.replace(h.schedule(ADA), standing=Standing("nightly", ("x",))),
        "action_mismatch",
    ),
    "schedule: shorter interval": (
        lambda h: msgspec.structs.replace(h.schedule(ADA), standing=Standing("nightly")),
        "action_mismatch",
    ),
    "schedule: bytes that are not the version": (
        lambda h: msgspec.structs.replace(
            h.schedule(ADA),
            modules=(msgspec.structs.replace(VERSIONS[0], content=b"evil"), VERSIONS[1]),
        ),
        "plan_changed",
    ),
    "schedule: taken for a rollback": (
        lambda h: msgspec.structs.replace(h.schedule(ADA), rollback_of="op-1"),
        "action_mismatch",
    ),
    "a rollback that brings modules along": (
        lambda h: msgspec.structs.replace(
            h.approval.signed(ADA), rollback_of="op-1", modules=VERSIONS
        ),
        "action_mismatch",
    ),
    "schedule: outside its window": (
        lambda h: h.schedule(ADA, order=Standing("nightly", ("12:00-12:01",))),
        "outside_window",
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_what_was_not_signed_for_this_host_is_refused(tmp_path: Path, name: str) -> None:
    """Each by its own reason; the honest offer is taken on afterwards."""
    host = Host(tmp_path)
    attack, reason = ATTACKS[name]
    assert host.offered(attack(host)) == reason
    host.approval.run_id, host.approval.decision_number = "honest", 2
    assert host.offered(host.approval.signed(ADA)) == "accepted"


def test_a_host_among_many_finds_itself_by_its_branch(tmp_path: Path) -> None:
    """Of a hundred thousand names it needs seventeen digests."""
    host = Host(tmp_path)
    assert host.offered(by_root(host, itemgetter(host.node))) == "accepted"


def test_a_standing_decision_runs_as_often_as_signed_and_not_oftener(tmp_path: Path) -> None:
    """Its interval counts on the host; its uses come to an end."""
    host = Host(tmp_path)
    for number, (later, expected) in enumerate(
        [
            (0, "accepted"),
            (599, Reason.TOO_SOON),
            (600, "accepted"),
            (1_199, Reason.TOO_SOON),
            (1_200, "accepted"),
            (1_900, Reason.REPLAYED),
        ]
    ):
        host.clock.now = NOW + later
        offer = msgspec.structs.replace(host.schedule(BOB), run_id=f"r{number}")
        assert host.offered(offer) == expected
        if expected == "accepted":
            # What it has itself used is not held against it when it begins.
            assert host.core.admission.still(offer) is None


def test_rules_of_the_roster_are_counted_by_the_host(tmp_path: Path) -> None:
    """Two of the operators, and whoever asked is not one of them, whatever the coordinator says."""
    rule = ApprovalRule(2, requester_excluded=True)
    made = roster_of(postures={"default/*": "prod", "other/*": "dev"}, approvals={"prod": rule})
    host = Host(tmp_path, made)
    tries: list[tuple[tuple[Operator, ...], str, str]] = [
        ((ADA,), "ada", Reason.QUORUM_MISSING),
        ((ADA, BOB), "ada", Reason.QUORUM_MISSING),
        ((BOB, CEM), "ada", Reason.REQUESTER_UNPROVEN),
        ((BOB, CEM), "eve", Reason.REQUESTER_UNPROVEN),
        ((BOB, CEM), "bob", Reason.QUORUM_MISSING),
        ((ADA, BOB, COORDINATOR), "ada", Reason.QUORUM_MISSING),
        ((ADA, BOB, EVE), ADA.id, Reason.QUORUM_MISSING),
        ((ADA, BOB, BOB), ADA.id, Reason.QUORUM_MISSING),
        ((ADA, BOB, CEM), ADA.id, "accepted"),
    ]
    for signers, by, expected in tries:
        assert host.offered(host.approval.signed(*signers, requested_by=by)) == expected


def test_the_stricter_of_roster_and_host_holds(tmp_path: Path) -> None:
    """A host's owner can ask for more than the roster, and never for less."""
    host = Host(tmp_path, roster_of(approvals={"*": ApprovalRule(2)}))
    host.policy("quorum = 1")
    assert host.offered(host.approval.signed(ADA)) == Reason.QUORUM_MISSING
    host.policy("quorum = 3")
    assert host.offered(host.approval.signed(ADA, BOB)) == Reason.QUORUM_MISSING
    host.policy("requester_excluded = true")
    assert host.offered(host.approval.signed(ADA, BOB)) == Reason.QUORUM_MISSING
    assert host.offered(host.approval.signed(BOB, CEM)) == Reason.REQUESTER_UNPROVEN
    assert host.offered(host.approval.signed(ADA, BOB, CEM)) == "accepted"


@pytest.mark.parametrize(
    ("text", "signers", "expected"),
    [
        ('operators = ["cem"]', (ADA, BOB), Reason.POLICY_OPERATOR),
        ('operators = ["cem", "nobody"]', (ADA, CEM), "accepted"),
        ('operators = ["cem", "bob"]\nquorum = 2', (ADA, CEM), Reason.POLICY_OPERATOR),
        ('operators = ["cem", "bob"]\nquorum = 2', (ADA, CEM, BOB), "accepted"),
        ('operators = ["id of bob"]', (BOB,), "accepted"),
        ('operators = ["machine"]', (COORDINATOR,), Reason.ROLE_FORBIDDEN),
        ('windows = ["12:00-12:01"]', (ADA,), Reason.POLICY_WINDOW),
        ('windows = ["12:00-12:01", "00:00-24:00"]', (ADA,), "accepted"),
        ('signature = "deny"', (ADA, BOB, CEM), Reason.POLICY_DENIED),
        ("quorums = 2", (ADA, BOB), Reason.POLICY_DENIED),
        ('windows = ["noon"]', (ADA,), Reason.POLICY_DENIED),
        ('paths = ["srv"]', (ADA,), Reason.POLICY_DENIED),
    ],
)
def test_the_hosts_own_file_names_people_and_times(
    tmp_path: Path, text: str, signers: tuple[Operator, ...], expected: str
) -> None:
    """What the file forbids stays forbidden; a file with a mistake forbids everything."""
    host = Host(tmp_path)
    host.policy(text.replace("id of bob", BOB.id))
    assert host.offered(host.approval.signed(*signers)) == expected


def test_grants_look_at_signed_tags_and_not_at_the_coordinators(tmp_path: Path) -> None:
    """Re-tagging a host into somebody's selector gives him nothing."""
    limited = msgspec.structs.replace(BOB.entry(), grants=(Grant((), (), "env=dev"),))
    host = Host(tmp_path, roster_of(operators=(ADA.entry(), limited)))
    # The coordinator's own tags come in the desired document, and nobody asks them.
    host.core.ledger.take_desired(1, b'{"tags":{"env":"dev"}}')
    assert host.offered(host.approval.signed(BOB)) == Reason.GRANT_MISSING
    host.state(BOB, tags={"env": "dev"})
    host.state(COORDINATOR, tags={"env": "dev"})
    host.state(EVE, tags={"env": "dev"})
    assert host.core.trust.statement is None
    host.state(ADA, tags={"env": "prod"})
    assert host.offered(host.approval.signed(BOB)) == Reason.GRANT_MISSING
    host.state(ADA, tags={"env": "dev"})
    assert host.offered(host.approval.signed(BOB)) == Reason.GRANT_MISSING
    host.state(ADA, version=2, tags={"env": "dev"})
    assert host.offered(host.approval.signed(BOB)) == "accepted"


def test_a_statement_about_another_host_or_key_is_not_taken(tmp_path: Path) -> None:
    """What Ada signed for one host says nothing about another, and never goes back."""
    host = Host(tmp_path)
    host.state(ADA, node_id=OTHER)
    host.state(ADA, public_key=EVE.key.public.hex())
    assert host.core.trust.statement is None
    host.state(ADA, version=5, scope="o/p/e")
    assert host.core.trust.scope == "o/p/e"
    host.state(ADA, version=4)
    assert host.core.trust.scope == "o/p/e"
    assert host.offered(host.approval.signed(ADA)) == Reason.SCOPE_MISMATCH
    assert host.offered(host.approval.signed(ADA, scope="o/p/e")) == "accepted"
    # It is on disk: the next start knows it, and the coordinator cannot welcome it away.
    assert host.core.trust.welcome(Welcome(host.node, "approved", 0, 1, 0.0, SCOPE))
    from agent.trust import Trust

    assert Trust(host.core.database).scope == "o/p/e"


def test_what_was_taken_back_stays_so(tmp_path: Path) -> None:
    """By anybody who may decide, for as long as it could be used; a stranger takes back nothing."""
    host = Host(tmp_path)
    offer = host.approval.signed(ADA)
    decision = host.approval.decision()
    back = Revocation(1, decision.decision_id, SCOPE, int(NOW), "", decision.expires_at)
    for stranger in (EVE, COORDINATOR):
        host.revoke(back, stranger)
        assert host.core.admission.still(offer) is None
    host.revoke(back, BOB)
    assert host.offered(offer) == Reason.REVOKED
    # Nor does a shorter one shown later let it go, nor time that nobody signed.
    host.revoke(msgspec.structs.replace(back, expires_at=int(NOW) + 1), BOB)
    host.approval.decision_number, host.approval.run_id = 2, "two"
    assert host.offered(host.approval.signed(ADA)) == "accepted"
    assert host.offered(offer) == Reason.REVOKED


def test_a_withheld_revocation_is_bounded_by_the_decisions_own_end(tmp_path: Path) -> None:
    """The coordinator can keep it back, and wins no more than the hour that was signed."""
    host = Host(tmp_path)
    offer = host.approval.signed(ADA)
    host.clock.now = NOW + 3_599
    assert host.core.admission.still(offer) is None
    host.clock.now = NOW + 3_600
    assert host.offered(offer) == Reason.EXPIRED
    host.clock.now = NOW
    assert host.core.admission.still(offer) is None


def test_an_accepted_step_is_judged_again_under_what_came_meanwhile(tmp_path: Path) -> None:
    """Taken back, forbidden or out of its window while it waited: it does not begin."""
    host = Host(tmp_path)
    offer = host.approval.signed(ADA)
    assert host.offered(offer) == "accepted"
    assert host.core.admission.still(offer) is None
    decision = host.approval.decision()
    host.revoke(Revocation(1, decision.decision_id, SCOPE, int(NOW)), CEM)
    refused = host.core.admission.still(offer)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.REVOKED
