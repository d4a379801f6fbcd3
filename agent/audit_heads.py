"""Heads of the coordinator's event log that this host was shown: remembered, and compared.

A log that was rewritten, cut short, restored or forked contradicts what is remembered here. The
host also keeps some heads in its own signed journal, so that a fork that is shown to this host
alone stands against the log that is shown to operators.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from agent.database import Database, get_bytes, get_int, put
from agent.files import replace_private
from agent.journal import Journal
from protocol import audit_heads, dsse
from protocol.audit_heads import Head
from protocol.audit_journals import note_head
from protocol.errors import DecodeError
from protocol.reasons import Reason, Refused

# A head goes into the journal this often: 24 lines of 300 bytes a day.
NOTE_SECONDS = 3_600
# Where the two statements that contradict each other are kept for an operator.
PROOF_FILE = "audit-proof.json"
FACT = "audit.head"
_HEAD = "audit_head"
_NOTED = "audit_head_noted"


class AuditHeads:
    """The newest head that this host was shown, on disk."""

    def __init__(
        self, database: Database, journal: Journal, state_dir: Path, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._journal = journal
        self._state_dir = state_dir
        self._clock = clock

    def newest(self) -> Head | None:
        """Return the newest head, None before the first."""
        held = self._held()
        return audit_heads.decode(held) if held is not None else None

    def facts(self) -> dict[str, str]:
        """Return what this host tells the coordinator of it; a restored database is found so."""
        head = self.newest()
        return {FACT: f"{head.seq} {head.hash}"} if head is not None else {}

    def take(self, envelope: dsse.Envelope, coordinator_key: bytes) -> Refused | None:
        """Remember a head, or say how it contradicts the one that is remembered.

        Raises:
            StorageError: the disk is full or broken.
        """
        try:
            head = audit_heads.read(envelope, (coordinator_key.hex(),))
        except DecodeError as error:
            return Refused(Reason.AUDIT_HEAD_INVALID, str(error))
        held = self._held()
        if held is not None:
            before = audit_heads.decode(held)
            found = audit_heads.contradiction(before, head)
            if found is not None:
                self._keep_proof(held, envelope)
                forked = found.code == "audit_forked"
                reason = Reason.AUDIT_FORKED if forked else Reason.AUDIT_ROLLED_BACK
                return Refused(reason, f"{found.message}; both are in {PROOF_FILE}")
            if before.seq == head.seq:
                return None
        self._keep(head, envelope)
        return None

    def _held(self) -> dsse.Envelope | None:
        data = self._database.read(lambda tx: get_bytes(tx, _HEAD))
        return dsse.decode(data) if data is not None else None

    def _keep(self, head: Head, envelope: dsse.Envelope) -> None:
        data, now = dsse.encode(envelope), int(self._clock())
        noted = self._database.read(lambda tx: get_int(tx, _NOTED))
        # A clock that was set back must not silence the notes.
        due = not noted <= now < noted + NOTE_SECONDS
        self._database.write(lambda tx: put(tx, _HEAD, data))
        if due and self._journal.note(note_head(head.seq, head.hash)):
            self._database.write(lambda tx: put(tx, _NOTED, now))

    def _keep_proof(self, held: dsse.Envelope, shown: dsse.Envelope) -> None:
        data = msgspec.json.encode({"remembered": held, "shown": shown})
        # The critical line in the journal is what counts; the file is for convenience.
        with suppress(OSError):
            replace_private(self._state_dir / PROOF_FILE, data)
