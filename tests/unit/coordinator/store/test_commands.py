"""Commands and executions come back as they were stored, and go together."""

from __future__ import annotations

from coordinator.store import commands
from coordinator.store.commands import StoredCommand, StoredExecution
from protocol.commands import Command
from tests.fakes.stores import memory_store

MADE = StoredCommand("c", "s", Command(script="true"), 5.0, True, None, "ada", True, 1.0)
PARTS = [StoredExecution(one, "c", f"node-{one}", "pending", 1.0, 1.0) for one in ("x", "y")]


def test_a_command_is_stored_moved_and_removed() -> None:
    """With its executions, whose stages are counted."""
    store = memory_store()
    store.write_now(lambda tx: commands.add(tx, MADE, PARTS))
    assert store.read_now(lambda tx: commands.get(tx, "c")) == MADE
    assert store.read_now(commands.listing) == (MADE,)
    assert store.read_now(lambda tx: commands.executions(tx, command_id="c")) == tuple(PARTS)
    assert store.read_now(lambda tx: commands.executions(tx, node_id="node-y")) == (PARTS[1],)
    moved = StoredExecution("x", "c", "node-x", "completed", 1.0, 2.0, exit_code=3, artifact="a")
    store.write_now(lambda tx: commands.save(tx, moved))
    assert store.read_now(lambda tx: commands.execution(tx, "x")) == moved
    assert store.read_now(lambda tx: commands.execution_of(tx, "c", "node-x")) == moved
    counted = store.read_now(lambda tx: commands.counts(tx, ["c", "d"]))
    assert counted == {"c": {"completed": 1, "pending": 1}}
    store.write_now(lambda tx: commands.remove_execution(tx, moved))
    assert store.read_now(lambda tx: commands.execution(tx, "x")) is None
    store.write_now(lambda tx: commands.remove(tx, "c"))
    assert store.read_now(lambda tx: commands.get(tx, "c")) is None
    assert store.read_now(commands.executions) == ()


def test_a_command_for_nobody_is_stored_too() -> None:
    """It has no executions."""
    store = memory_store()
    store.write_now(lambda tx: commands.add(tx, MADE, []))
    assert store.read_now(lambda tx: commands.get(tx, "c")) == MADE
