"""A host that leaves its coordinator begins anew with the next one, and forgets nothing it did."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import leaving, ledger, step_store
from agent.database import Database, StorageError, Tx
from agent.trust import Trust
from protocol import journal
from protocol.messages import Audit, Offer
from state_engine.engine.progress import Started
from state_engine.model import AppliedResource, ResolvedResource, ResourceKey
from tests.fakes.agent import make_core
from tests.unit.agent.test_ledger import NOW, decision
from tests.unit.agent.test_trust import PINS, welcome


def test_the_next_coordinator_gets_a_journal_from_its_beginning(tmp_path: Path) -> None:
    """Entries that begin in the middle are a gap, which no coordinator takes, for ever."""
    core = make_core(tmp_path / "state")
    core.trust.enrol(PINS)
    core.trust.welcome(welcome())
    for number in range(3):
        core.tell("test", f"for the old one: {number}")
    core.journal.acknowledge(2)
    assert leaving.leave(core.database) == 1
    core.journal.note(Audit("test", "for the new one"))
    (entry,) = core.journal.after(0)
    assert (entry.seq, entry.prev) == (1, journal.GENESIS)
    assert Trust(core.database).pins is None
    assert not Trust(core.database).standing.scope


def test_what_protects_the_host_stays(tmp_path: Path) -> None:
    """No decision becomes usable again by going away and coming back."""
    core = make_core(tmp_path / "state")
    core.database.write(lambda tx: ledger.consume(tx, decision(), NOW))
    core.database.write(lambda tx: ledger.raise_epoch(tx, "a/b/c", 3))
    leaving.leave(core.database)
    database = core.database
    assert database.read(lambda tx: ledger.uses(tx, decision().decision_id)) == 1
    assert database.read(ledger.epochs) == {"a/b/c": 3}
    assert database.read(ledger.latest_signed_time) == 100


def test_an_apply_that_was_cut_short_is_kept_in_the_snapshot(tmp_path: Path) -> None:
    """Its files are on the host; work that had not begun is dropped with who asked for it."""
    core = make_core(tmp_path / "state")
    key = ResourceKey("m", "file-unix", "/etc/a")
    applied = AppliedResource(ResolvedResource("m", "file-unix", "/etc/a", {"path": "/etc/a"}))

    def job(tx: Tx) -> None:
        for name in ("begun", "waiting"):
            step_store.add(tx, Offer(name, "state.apply", "l", 1, "op"))
        step_store.start(tx, "begun")
        step_store.add_progress(tx, "begun", Started(key, "ab", applied))

    core.database.write(job)
    leaving.leave(core.database)
    held = [(item.resource.key, item.incomplete) for item in core.steps.snapshot().applied]
    assert held == [(key, True)]
    assert core.database.read(step_store.unfinished) == ()


def test_a_leaving_that_fails_leaves_everything(tmp_path: Path) -> None:
    """Half gone would be worse than not gone."""
    core = make_core(tmp_path / "state")
    core.trust.enrol(PINS)
    core.tell("test", "one")
    core.database.write(lambda tx: tx.execute("DROP TABLE progress"))
    with pytest.raises(StorageError):
        leaving.leave(core.database)
    core.database.close()
    again = Database(tmp_path / "state")
    assert Trust(again).pins == PINS
    again.close()
