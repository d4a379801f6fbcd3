"""The journal on disk: appended before anything acts on it, a hash chain, pruned only by an ack.

What the entries mean is `protocol.messages`; when they are sent is `services.link`.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from agent.database import Database, Tx, get_bytes, get_int, put
from protocol import journal, messages
from protocol.errors import LocalProtocolError
from protocol.journal import Entry
from protocol.keys import SigningKey
from protocol.limits import MAX_JOURNAL_BATCH, MAX_JOURNAL_ENTRIES

# New work is refused above the limit; refusals and notes may use this much more: 1 KiB x 1,024.
# The work that was running when the limit was reached may add one artifact (64 MiB) to that.
NOTE_MARGIN = 1_048_576
DEFAULT_LIMIT = 268_435_456
_KINDS: dict[type[messages.Body], journal.EntryKind] = {
    body: kind for kind, body in messages.BODY_TYPES.items()
}
_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[Entry] = msgspec.msgpack.Decoder(Entry)


class Journal:
    """This host's journal in its database; `limit` is in bytes of entries not yet acknowledged."""

    def __init__(
        self, database: Database, key: SigningKey, clock: Callable[[], float], limit: int
    ) -> None:
        self._database = database
        self._key = key
        self._clock = clock
        self._limit = limit
        self.dropped = 0

    def append(self, tx: Tx, body: messages.Body) -> int:
        """Add an entry inside a caller's transaction and return its sequence number."""
        head = get_int(tx, "journal_head")
        prev = get_bytes(tx, "journal_hash") or journal.GENESIS
        kind = _KINDS[type(body)]
        data = messages.encode_body(body)
        if len(data) > MAX_JOURNAL_BATCH:
            # It could never be sent, and would hold up all that comes after it.
            raise LocalProtocolError(f"a journal entry of {len(data)} bytes fits no batch")
        entry = journal.seal(head + 1, prev, self._clock(), kind, data, self._key)
        raw = _encode(entry)
        tx.execute("INSERT INTO journal VALUES (?, ?, ?)", (entry.seq, len(raw), raw))
        put(tx, "journal_head", entry.seq)
        put(tx, "journal_hash", journal.hash_of(entry))
        put(tx, "journal_bytes", get_int(tx, "journal_bytes") + len(raw))
        return entry.seq

    def note(self, body: messages.Body) -> bool:
        """Append a refusal or an audit line durably, on its own; False if there is no room for it.

        Raises:
            StorageError: the disk is full or broken.
        """

        def job(tx: Tx) -> bool:
            if not self.has_room_for_notes:
                return False
            self.append(tx, body)
            return True

        kept = self._database.write(job, urgent=True)
        self.dropped += not kept
        return kept

    @property
    def has_room(self) -> bool:
        """Whether new work may be taken on."""
        return self._database.read(lambda tx: get_int(tx, "journal_bytes")) <= self._limit

    @property
    def has_room_for_notes(self) -> bool:
        """Whether refusals and audit lines may still be added."""
        used = self._database.read(lambda tx: get_int(tx, "journal_bytes"))
        return used <= self._limit + NOTE_MARGIN

    @property
    def head(self) -> int:
        """The sequence number of the last entry, 0 if there never was one."""
        return self._database.read(lambda tx: get_int(tx, "journal_head"))

    def after(self, seq: int) -> tuple[Entry, ...]:
        """Return the next entries after a sequence number: what fits one message."""
        query = "SELECT size, entry FROM journal WHERE seq > ? ORDER BY seq LIMIT ?"

        def job(tx: Tx) -> tuple[Entry, ...]:
            batch: list[Entry] = []
            total = 0
            rows = tx.execute(query, (seq, MAX_JOURNAL_ENTRIES))
            row: tuple[int, bytes]
            for row in rows:
                total += row[0]
                if batch and total > MAX_JOURNAL_BATCH:
                    break
                batch.append(_decoder.decode(row[1]))
            return tuple(batch)

        return self._database.read(job)

    def acknowledge(self, seq: int) -> None:
        """Forget the entries that the coordinator has stored; a number we never gave is ignored."""

        def job(tx: Tx) -> None:
            if seq > get_int(tx, "journal_head"):
                return
            row: tuple[int] = tx.execute(
                "SELECT COALESCE(SUM(size), 0) FROM journal WHERE seq <= ?", (seq,)
            ).fetchone()
            tx.execute("DELETE FROM journal WHERE seq <= ?", (seq,))
            put(tx, "journal_bytes", get_int(tx, "journal_bytes") - row[0])

        self._database.write(job, urgent=True)
