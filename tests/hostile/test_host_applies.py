"""What a host really does under its own policy, under a schedule and after a revocation.

Over a real link, with a real engine, on real files.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from protocol import decisions, dsse, revocations, standing
from protocol.messages import Finished, Offer, Progress, RevocationUpdate, Started
from protocol.revocations import Revocation
from protocol.standing import Standing
from tests.fakes.agent import NOW
from tests.fakes.operators import SCOPE, Operator, module, sign
from tests.fakes.sites import scripts, site
from tests.hostile.test_agent_offers import ADA, World, world

pytestmark = pytest.mark.hostile
HOURLY = Standing("hourly", (), 3_600)


def schedule(here: World, *signers: Operator, removal_limit: int = 0, **changes: object) -> Offer:
    """An offer of the world's module under a standing decision."""
    version = here.approval.modules[0]
    action = standing.action({version.name: version.sha256}, removal_limit, HOURLY)
    fields = {"action_hash": decisions.canonical_hash(action), "uses": 5, **changes}
    decision = msgspec.structs.replace(here.approval.decision(), **fields)
    return Offer(
        "run-s",
        "state.apply",
        "lease",
        1,
        "operation",
        (version,),
        sign(decision, signers),
        removal_limit=removal_limit,
        standing=HOURLY,
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('kinds = ["script"]', "policy_kind"),
        ('paths = ["/srv"]', "policy_path"),
        ('deny_paths = ["{root}/srv/index.html"]', "policy_path"),
        ('deny_paths = ["{root}"]', "policy_path"),
    ],
)
async def test_what_the_hosts_owner_does_not_allow_is_not_touched(
    tmp_path: Path, text: str, reason: str
) -> None:
    """Well signed and approved, and still refused as a whole before anything acts."""
    async with world(tmp_path) as here:
        rule = text.format(root=tmp_path)
        (tmp_path / "state/policy.toml").write_text(f'[capabilities."state.apply"]\n{rule}\n')
        assert (await here.refused(here.approval.signed(ADA))).reason == reason
        assert here.untouched()
        assert here.coordinator.bodies(Progress) == []
        # Under a policy that allows it the next approval is carried out.
        rule = f'[capabilities."state.apply"]\npaths = ["{tmp_path}"]\nkinds = ["file-unix",'
        (tmp_path / "state/policy.toml").write_text(f'{rule} "directory-unix"]\n')
        here.approval.run_id, here.approval.decision_number = "run-2", 2
        assert (await here.finished(here.approval.signed(ADA))).outcome == "succeeded"


async def test_a_program_runs_as_nobody_whom_the_owner_has_not_named(tmp_path: Path) -> None:
    """A script is root's unless it says otherwise."""
    async with world(tmp_path) as here:
        (tmp_path / "out").mkdir()
        here.approval.modules = (module("scripts", scripts(tmp_path, 1), ADA),)
        (tmp_path / "state/policy.toml").write_text(
            '[capabilities."state.apply"]\nusers = ["app"]\n'
        )
        assert (await here.refused(here.approval.signed(ADA))).reason == "policy_user"
        assert list((tmp_path / "out").iterdir()) == []


async def test_a_schedule_puts_right_what_differs_and_nothing_else(tmp_path: Path) -> None:
    """Its versions are bound, its items are not; it keeps its interval and its guard."""
    async with world(tmp_path) as here:
        offer = schedule(here, ADA)
        page = tmp_path / "srv/index.html"
        assert (await here.finished(offer)).outcome == "succeeded"
        page.write_text("changed by hand")
        soon = msgspec.structs.replace(offer, run_id="soon")
        assert (await here.refused(soon)).reason == "too_soon"
        assert page.read_text() == "changed by hand"
        evil = (module("site", site(tmp_path, "mined"), ADA),)
        mined = msgspec.structs.replace(offer, run_id="mined", modules=evil)
        here.clock.now = NOW + 3_600
        longer = schedule(here, ADA, expires_at=int(NOW) + 86_400)
        renamed = msgspec.structs.replace(mined, decision=longer.decision)
        assert (await here.refused(renamed)).reason == "action_mismatch"
        again = msgspec.structs.replace(longer, run_id="again", operation_id="again")
        assert (await here.finished(again)).outcome == "succeeded"
        assert page.read_text() == "hello"


async def test_a_schedule_removes_no_more_than_was_signed(tmp_path: Path) -> None:
    """A module that lost its resources empties no host."""
    async with world(tmp_path) as here:
        assert (await here.finished(here.approval.signed(ADA))).outcome == "succeeded"
        less = b"\n".join(site(tmp_path).split(b"\n")[:9]) + b"\n"
        here.approval.modules, here.approval.decision_number = (module("site", less, ADA),), 2
        done = await here.finished(schedule(here, ADA))
        assert done.outcome == "failed"
        assert "limit" in done.message
        assert (tmp_path / "srv/index.html").exists()


async def test_what_is_taken_back_while_it_runs_stops_at_its_next_item(tmp_path: Path) -> None:
    """The running item ends, the rest is not begun, and the result says so."""
    async with world(tmp_path) as here:
        (tmp_path / "out").mkdir()
        version = module("scripts", scripts(tmp_path, 40, pause="0.1"), ADA)
        here.approval.modules = (version,)
        action = standing.action({"scripts": version.sha256}, 0, HOURLY)
        offer = schedule(here, ADA, action_hash=decisions.canonical_hash(action))
        await here.coordinator.send(offer)
        await here.coordinator.until(
            lambda: any(b.run_id == "run-s" for b in here.coordinator.bodies(Started))
        )
        decision = here.approval.decision()
        back = Revocation(1, decision.decision_id, SCOPE, int(NOW), "", decision.expires_at)
        envelope = dsse.sign(dsse.REVOCATION, revocations.encode(back), ADA.key, ADA.id)
        await here.coordinator.send(RevocationUpdate((envelope,)))
        await here.coordinator.until(
            lambda: any(b.run_id == "run-s" for b in here.coordinator.bodies(Finished))
        )
        done = next(b for b in here.coordinator.bodies(Finished) if b.run_id == "run-s")
        assert done.outcome == "cancelled"
        assert len(list((tmp_path / "out").glob("*.begin"))) < 40
        again = msgspec.structs.replace(offer, run_id="again")
        assert (await here.refused(again)).reason == "revoked"
