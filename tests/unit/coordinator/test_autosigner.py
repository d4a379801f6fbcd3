from __future__ import annotations

import msgspec
import trio

from coordinator import autosigner
from coordinator.store import presence
from coordinator.store.database import Tx
from protocol import ids
from protocol.roster import RosterOperator
from tests.fakes import people
from tests.fakes.link_agent import LinkedFleet


async def test_a_run_is_signed_as_soon_as_it_waits(autojump_clock: trio.testing.MockClock) -> None:
    """Nobody has to ask: the event that a run waits wakes the service."""
    assert autojump_clock is not None
    fleet = LinkedFleet()
    public = fleet.app.identity.public
    own = RosterOperator(ids.operator_id(public), "coordinator", public.hex(), "automation")
    fleet.adopt(operators=(people.person(1), own))
    host = fleet.add(10)

    def tell(tx: Tx) -> None:
        presence.connect(
            tx,
            host.node_id,
            session="s",
            peer="192.0.2.1",
            hostname="h",
            agent_version="1",
            roster_version=1,
        )
        details: dict[str, int | float | str | None] = {
            "policy.signature.state.apply": "coordinator"
        }
        presence.set_facts(tx, host.node_id, {}, details)

    fleet.store.write_now(tell)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(autosigner.autosign, fleet.app)
        await trio.testing.wait_all_tasks_blocked()
        run = fleet.apply_of(fleet.planned(host))
        await trio.sleep(3 * autosigner.PAUSE_SECONDS)
        assert fleet.run(run.run_id).phase == "queued"
        nursery.cancel_scope.cancel()
    signed = fleet.run(run.run_id).decision
    assert signed is not None
    assert msgspec.structs.asdict(signed.signatures[0])["keyid"] == own.operator_id
