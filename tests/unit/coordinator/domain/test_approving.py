"""What hosts say of their own policy counts beside the roster's rule."""

from __future__ import annotations

import pytest

from coordinator.domain import approving
from coordinator.store import presence, runs
from coordinator.store.database import Tx
from protocol.policy import CapabilityRule
from protocol.reasons import Reason
from protocol.roster import ApprovalRule
from tests.fakes import people
from tests.fakes.fleet import Fleet

QUORUM = "policy.quorum.state.apply"


@pytest.mark.parametrize(
    ("details", "rule"),
    [
        ({}, CapabilityRule()),
        ({QUORUM: 3}, CapabilityRule(quorum=3)),
        ({QUORUM: 0}, CapabilityRule()),
        ({QUORUM: 10**9}, CapabilityRule(quorum=16)),
        ({QUORUM: "3"}, CapabilityRule()),
        ({"policy.signature.state.apply": "coordinator"}, CapabilityRule("coordinator")),
        ({"policy.signature.state.apply": "whatever"}, CapabilityRule()),
        (
            {"policy.requester_excluded.state.apply": 1},
            CapabilityRule(requester_excluded=True),
        ),
    ],
)
def test_a_hosts_own_policy_is_what_it_told(
    details: dict[str, int | float | str | None], rule: CapabilityRule
) -> None:
    """What a host says badly, or does not say, is as in no policy: the host itself still judges."""
    assert approving.policy_rule(details) == rule


def test_the_stricter_of_roster_and_host_decides() -> None:
    """A host that wants two keeps the run waiting where the roster asks for one."""
    fleet = Fleet()
    fleet.adopt(operators=(people.person(1), people.person(2)))
    easy, strict = fleet.add(10), fleet.add(11)

    def tell(tx: Tx) -> None:
        presence.connect(
            tx,
            strict.node_id,
            session="s",
            peer="192.0.2.1",
            hostname="h",
            agent_version="1",
            roster_version=1,
        )
        presence.set_facts(tx, strict.node_id, {}, {QUORUM: 2})

    fleet.store.write_now(tell)
    run = fleet.apply_of(fleet.planned(easy, strict))
    envelope = fleet.decision(run)

    def look(tx: Tx) -> tuple[object, approving.Progress]:
        found = runs.get(tx, run.run_id)
        assert found is not None
        team = people.first_roster(people.person(1), people.person(2))
        refused = approving.judge(tx, found, envelope, team, rules=True)
        reason = refused.reason if refused is not None else None
        return reason, approving.progress(tx, found, team, envelope, None)

    reason, progress = fleet.store.read_now(look)
    assert reason == Reason.QUORUM_MISSING
    assert progress.rule == ApprovalRule(2)
    assert (progress.missing, progress.able) == (1, (people.keyid(2),))
