from __future__ import annotations

from coordinator.domain import run_actions
from coordinator.store import runs
from protocol import commands, decisions
from protocol.api import RunRequest
from tests.fakes.command_fleet import CommandFleet, asked


def test_a_run_says_what_a_decision_on_it_covers() -> None:
    """A command its document, an apply its plans, a look nothing."""
    fleet = CommandFleet()
    host = fleet.add(10)
    made = fleet.make(asked("echo hi"))
    run = fleet.store.read_now(lambda tx: runs.get(tx, made.id))
    assert run is not None
    assert run_actions.capability(run) == "command.run"
    assert run_actions.action(run) == commands.action(made.command)
    assert run_actions.action_hash(run) == made.action_hash
    assert made.action_hash == decisions.canonical_hash(commands.action(made.command))
    look = fleet.start(RunRequest("state.drift", (host.node_id,)))
    found = fleet.store.read_now(lambda tx: runs.get(tx, look.run_id))
    assert found is not None
    assert (run_actions.action(found), run_actions.action_hash(found)) == (None, None)
    assert run_actions.capability(found) == "state.apply"
