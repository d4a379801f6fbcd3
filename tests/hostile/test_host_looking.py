"""What a look may run: code that is signed by whom this host obeys, as far as its owner lets it.

A plan needs no decision, so whatever runs in it runs as root at the coordinator's wish.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from protocol import dsse, roster
from protocol.messages import ModuleVersion, Offer, RosterUpdate
from protocol.reports import PlanResult
from protocol.roster import Grant
from tests.fakes.operators import Operator, module, roster_digest
from tests.fakes.sites import looking
from tests.hostile.test_agent_offers import ADA, World, world

pytestmark = pytest.mark.hostile
BOB = Operator(username="bob", role="operator")
ELSEWHERE = Grant(scopes=("default/default/dev",))


def granted(first: dsse.Envelope, *grants: Grant) -> dsse.Envelope:
    """The roster after the first, in which Bob may do what his grants say."""
    old = roster.decode(first)
    assert isinstance(old, roster.Roster)
    bob = msgspec.structs.replace(BOB.entry(), grants=grants)
    made = msgspec.structs.replace(
        old, version=2, previous=roster_digest(first), operators=(ADA.entry(), bob), issued_at=2_000
    )
    return dsse.sign(dsse.ROSTER, roster.encode(made), ADA.key, ADA.id)


async def planned(here: World, version: ModuleVersion, run_id: str) -> PlanResult | None:
    """The plan that the host makes of a module; None if it makes none."""
    done = await here.finished_or_refused(Offer(run_id, "state.plan", "l", 1, "op", (version,)))
    if done is None or done.artifact is None:
        return None
    return msgspec.json.decode(here.coordinator.document(done.artifact), type=PlanResult)


@pytest.mark.parametrize(
    "grant",
    [ELSEWHERE, Grant(capabilities=("secret.read",)), Grant(selector="env=dev")],
)
async def test_whose_grants_do_not_reach_a_host_runs_no_code_on_it(
    tmp_path: Path, grant: Grant
) -> None:
    """To sign a module and ask for a plan would be the way round every grant."""
    async with world(tmp_path, BOB) as here:
        await here.coordinator.send(RosterUpdate((granted(here.coordinator.rosters[0], grant),)))
        plan = await planned(here, module("looking", looking(tmp_path), BOB), "look")
        assert plan is not None
        assert [item.action for item in plan.resources] == ["unknown"]
        assert here.untouched()


@pytest.mark.parametrize(
    "rule",
    [
        'signature = "deny"',
        'operators = ["ada"]',
        'kinds = ["file-unix"]',
        'users = ["app"]',
        'paths = ["/srv"]',
        "not a policy",
    ],
)
async def test_what_the_hosts_owner_forbids_is_not_run_to_look(tmp_path: Path, rule: str) -> None:
    """Policy that holds for the act holds for the code of its check."""
    async with world(tmp_path, BOB) as here:
        text = f'[capabilities."state.apply"]\n{rule}\n'
        (tmp_path / "state/policy.toml").write_text(text)
        await planned(here, module("looking", looking(tmp_path), BOB), "look")
        assert here.untouched()
        # Under a policy that lets it, it is run.
        (tmp_path / "state/policy.toml").write_text("")
        await planned(here, module("looking", looking(tmp_path), BOB), "again")
        assert (tmp_path / "canary").exists()
