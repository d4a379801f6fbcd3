"""The host remembers what the coordinator signed about its log, and notices what contradicts it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from agent.audit_heads import NOTE_SECONDS, PROOF_FILE, AuditHeads
from agent.database import Database
from agent.journal import Journal
from protocol import audit_heads, dsse
from protocol.audit_heads import Head
from protocol.audit_journals import Seen, noted_head
from protocol.keys import SigningKey
from protocol.messages import Audit, decode_body
from protocol.reasons import Reason

COORDINATOR, OTHER = SigningKey(b"\x01" * 32), SigningKey(b"\x02" * 32)
PINNED = COORDINATOR.public


class Host:
    """A host with its database, and a clock that stands."""

    def __init__(self, path: Path) -> None:
        self.now = 1_000_000.0
        self.database = Database(path, reserve=0)
        key = SigningKey(b"\x03" * 32)
        self.journal = Journal(self.database, key, lambda: self.now, 10**7)
        self.heads = AuditHeads(self.database, self.journal, path, lambda: self.now)

    def take(self, seq: int, letter: str = "ab", key: SigningKey = COORDINATOR) -> Reason | None:
        """Show a head, and return why it was refused."""
        refused = self.heads.take(signed(seq, letter, key), PINNED)
        return refused.reason if refused is not None else None

    def notes(self) -> list[Seen | None]:
        """Return the heads that the journal keeps."""
        bodies = [decode_body(entry) for entry in self.journal.after(0)]
        return [noted_head(body) for body in bodies if isinstance(body, Audit)]


def signed(seq: int, letter: str = "ab", key: SigningKey = COORDINATOR) -> dsse.Envelope:
    """Return a signed head."""
    return audit_heads.sign(Head(1, "head", seq, letter * 32, 9, key.public.hex()), key)


def test_the_newest_head_is_remembered_across_a_restart(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert host.heads.facts() == {}
    assert host.take(7) is None
    assert host.take(9, "cd") is None
    assert host.take(9, "cd") is None
    host.database.close()
    again = Host(tmp_path)
    assert again.heads.facts() == {"audit.head": f"9 {'cd' * 32}"}
    assert again.take(8) is Reason.AUDIT_ROLLED_BACK


@pytest.mark.parametrize(
    ("seq", "letter", "reason"),
    [(7, "ee", Reason.AUDIT_FORKED), (6, "ab", Reason.AUDIT_ROLLED_BACK)],
)
def test_a_contradiction_is_refused_with_both_signatures_as_proof(
    tmp_path: Path, seq: int, letter: str, reason: Reason
) -> None:
    host = Host(tmp_path)
    host.take(7)
    assert host.take(seq, letter) is reason
    proof = json.loads((tmp_path / PROOF_FILE).read_bytes())
    both = [msgspec.convert(proof[name], dsse.Envelope) for name in ("remembered", "shown")]
    assert both == [signed(7), signed(seq, letter)]
    assert (tmp_path / PROOF_FILE).stat().st_mode & 0o777 == 0o600
    head = host.heads.newest()
    assert head is not None
    assert head.seq == 7


def test_nobody_but_the_pinned_coordinator_can_make_a_host_cry_wolf(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.take(7)
    assert host.take(7, "ee", OTHER) is Reason.AUDIT_HEAD_INVALID
    assert host.take(999, "ee", OTHER) is Reason.AUDIT_HEAD_INVALID
    assert not (tmp_path / PROOF_FILE).exists()
    assert host.heads.facts()["audit.head"].startswith("7 ")


def test_some_heads_go_into_the_journal_but_not_each(tmp_path: Path) -> None:
    """Once an hour; a clock that was set back does not silence it."""
    host = Host(tmp_path)
    for seq in (1, 2, 3):
        host.take(seq)
    assert host.notes() == [Seen(1, "ab" * 32)]
    host.now += NOTE_SECONDS
    host.take(4)
    host.now -= 10 * NOTE_SECONDS
    host.take(5)
    assert host.notes() == [Seen(seq, "ab" * 32) for seq in (1, 4, 5)]
