"""What a host remembers shares one database, so one write can use all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import ledger
from agent.database import Tx
from agent.memory import Memory
from protocol.messages import Audit
from tests.fakes.agent import make_core


def test_one_write_covers_ledger_and_journal(tmp_path: Path) -> None:
    """A failure after both leaves neither."""
    core = make_core(tmp_path / "state")
    memory = Memory(core.database, core.journal, core.ledger, core.trust)

    def job(tx: Tx) -> None:
        memory.journal.append(tx, Audit("a", "one"))
        ledger.raise_signed_time(tx, 9, 9.0)
        raise ValueError("after both")

    with pytest.raises(ValueError, match="after both"):
        memory.database.write(job)
    assert memory.journal.head == 0
    assert memory.database.read(ledger.latest_signed_time) == 0
    core.database.close()
