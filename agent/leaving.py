"""Leaving a coordinator for another: what the old one was owed goes, what the host must know stays.

The next coordinator gets a journal that begins at its beginning, and nothing of what was done for
the old one. Used decisions, epochs, signed time and the snapshot of the host are kept.
"""

from __future__ import annotations

import msgspec

from agent import step_store
from agent.database import Database, Tx, get_bytes, put
from agent.trust import Trust
from state_engine.engine import progress
from state_engine.model import Snapshot


def leave(database: Database) -> int:
    """Forget the coordinator; return how many journal entries it never acknowledged.

    Call it only while no agent runs on the state directory.

    Raises:
        StorageError: the disk is full or broken; the host still belongs to the old coordinator.
    """

    def job(tx: Tx) -> int:
        row: tuple[int] = tx.execute("SELECT COUNT(*) FROM journal").fetchone()
        _keep_what_was_done(tx)
        # Sealed secrets stay as long as what was applied holds them; which versions were seen is
        # between us and the old operators.
        for table in ("steps", "progress", "journal", "secrets_seen"):
            tx.execute(f"DELETE FROM {table}")  # noqa: S608 - the names stand one line above
        for key in ("journal_head", "journal_hash", "journal_bytes", "drift_told"):
            put(tx, key, None)
        return row[0]

    return Trust(database).forget(job)


def _keep_what_was_done(tx: Tx) -> None:
    """Fold an apply that was cut short into the snapshot: its files are still on the host."""
    data = get_bytes(tx, "snapshot")
    before = Snapshot() if data is None else msgspec.msgpack.decode(data, type=Snapshot)
    snapshot = before
    for step in step_store.unfinished(tx):
        told = step_store.progress(tx, step.run_id)
        snapshot = progress.recovered(snapshot, (), progress.fold(told)) if told else snapshot
    if snapshot != before:
        put(tx, "snapshot", msgspec.msgpack.encode(snapshot))
