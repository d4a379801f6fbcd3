from __future__ import annotations

import trio

from coordinator import sweeper
from coordinator.domain.run_plans import READ_SECONDS
from coordinator.store import presence
from protocol import api
from tests.fakes.link_agent import LinkedFleet


async def test_the_pulse_ends_what_is_due(autojump_clock: trio.testing.MockClock) -> None:
    """A run over its deadline is over at the next turn, without anybody asking."""
    assert autojump_clock is not None
    fleet = LinkedFleet()
    run = fleet.start(api.RunRequest("state.drift", (fleet.add(10).node_id,)))
    with trio.move_on_after(3 * sweeper.EVERY_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sweeper.sweep, fleet.app)
            await trio.sleep(sweeper.EVERY_SECONDS / 2)
            assert fleet.run(run.run_id).phase == "queued"
            fleet.clock.now += READ_SECONDS
            await trio.sleep(sweeper.EVERY_SECONDS)
            assert fleet.run(run.run_id).phase == "expired"


def test_no_link_survives_a_restart() -> None:
    """At start-up every host counts as cut off."""
    fleet = LinkedFleet()
    node = fleet.add(10).node_id

    def connect(tx: presence.Tx) -> None:
        presence.connect(
            tx, node, session="s", peer="p", hostname="h", agent_version="1", roster_version=0
        )

    fleet.store.write_now(connect)
    fleet.store.write_now(sweeper.forget_links)
    found = fleet.store.read_now(lambda tx: presence.get(tx, node))
    assert found is not None
    assert not found.connected
