"""Taking in what hosts report: chain and signature first, each entry once, then what it means.

An entry is stored even where it changes nothing (late, or under an old fence). What breaks the
chain or the protocol is not stored, and nothing after it. A host speaks only for itself: with the
key that its link has proved and its registration allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, assert_never

import msgspec

from coordinator.domain import host_reports
from coordinator.domain.host_reports import Host
from coordinator.store import events, journals
from coordinator.store.database import Tx
from coordinator.store.events import NewEvent, Principal
from coordinator.store.journals import Head
from protocol import journal, messages
from protocol.commands import Output
from protocol.errors import DecodeError
from protocol.messages import (
    Accepted,
    ArtifactChunk,
    Audit,
    Body,
    Drift,
    Finished,
    Progress,
    RefusedStep,
    Started,
)

FaultCode = Literal[
    "journal_forked", "journal_gap", "journal_signature", "journal_unapproved", "artifact_missing"
]
# What a host may report before somebody has let it in: its first notes. With as many strangers as
# may wait (100), that is 25 MiB.
UNAPPROVED_ENTRIES = 256
UNAPPROVED_BYTES = 262_144


class Fault(msgspec.Struct, frozen=True):
    """Why a batch was not taken to its end: the host broke the protocol."""

    code: FaultCode
    message: str


class Intake(msgspec.Struct, frozen=True):
    """What is stored of a journal now, and what was wrong with the rest of the batch."""

    acked: int
    fault: Fault | None = None


def take_in(
    tx: Tx,
    host: Host,
    public_key: bytes,
    entries: Sequence[journal.Entry],
    *,
    approved: bool = True,
    resumes: bool = False,
) -> Intake:
    """Take in a batch of a host's journal; entries that are stored already are passed over.

    A host that is not `approved` is heard a little only. `resumes` is for the first batch of a
    link: where it begins later than the journal stored here ends, this store is older than the
    host (restored from a backup, say), and what lies between is gone on both sides. The journal
    goes on from there, and the event log says so.
    """
    head = journals.head(tx, host.node_id)
    if not approved and (fault := _too_much(tx, host, entries)) is not None:
        _tell(tx, host, fault)
        return Intake(head.seq, fault)
    if resumes and entries and journals.is_open(tx, host.node_id):
        head = _go_on(tx, host, public_key, entries[0], head)
    elif resumes and entries and _lost(head, entries[0], public_key):
        head = _skip(tx, host, entries[0], head.seq)
    return _take_all(tx, host, public_key, entries, head)


def _skip(tx: Tx, host: Host, first: journal.Entry, stored: int) -> Head:
    detail = f"entries {stored + 1} to {first.seq - 1} are lost: this store is older"
    _tell(tx, host, Fault("journal_gap", detail))
    return Head(first.seq - 1, first.prev)


def _go_on(tx: Tx, host: Host, public_key: bytes, first: journal.Entry, head: Head) -> Head:
    """Return where a journal goes on that a copy of its host may have written to."""
    if first.seq < 1 or not _bounded(first) or not journal.holds(first, public_key):
        return head
    before = journals.hash_at(tx, host.node_id, first.seq - 1) or journal.GENESIS
    journals.cut(tx, host.node_id, first.seq)
    if before == first.prev:
        return Head(first.seq - 1, before)
    return _skip(tx, host, first, 0)


def _take_all(
    tx: Tx, host: Host, public_key: bytes, entries: Sequence[journal.Entry], head: Head
) -> Intake:
    taken: dict[int, journal.Entry] = {}
    fault: Fault | None = None
    for entry in entries:
        fault = _fault(tx, host, public_key, head, entry, taken.get(entry.seq))
        if fault is None and entry.seq > head.seq:
            fault = _understand(tx, host, entry)
            if fault is None:
                head = Head(entry.seq, journal.hash_of(entry))
                taken[entry.seq] = entry
        if fault is not None:
            _tell(tx, host, fault)
            break
    if taken:
        # Once for the batch; nothing above reads what the batch itself brings.
        journals.append(tx, host.node_id, tuple(taken.values()))
    return Intake(head.seq, fault)


def _too_much(tx: Tx, host: Host, entries: Sequence[journal.Entry]) -> Fault | None:
    count, size = journals.held(tx, host.node_id)
    count += len(entries)
    size += sum(len(entry.body) for entry in entries)
    artifact = any(entry.kind == "artifact" for entry in entries)
    if count <= UNAPPROVED_ENTRIES and size <= UNAPPROVED_BYTES and not artifact:
        return None
    return Fault("journal_unapproved", "the host reports more than it may before it is approved")


def _lost(head: Head, first: journal.Entry, public_key: bytes) -> bool:
    return first.seq > head.seq + 1 and _bounded(first) and journal.holds(first, public_key)


def _fault(
    tx: Tx,
    host: Host,
    public_key: bytes,
    head: Head,
    entry: journal.Entry,
    twin: journal.Entry | None,
) -> Fault | None:
    if entry.seq < 1 or not _bounded(entry):
        return Fault("journal_gap", f"entry {entry.seq} has no place in a journal")
    if entry.seq <= head.seq:
        stored = journals.hash_at(tx, host.node_id, entry.seq) if twin is None else None
        known = journal.hash_of(twin) if twin is not None else stored
        # None: it was stored once and has given way since.
        if known is None or known == journal.hash_of(entry):
            return None
        return _checked(entry, public_key, f"entry {entry.seq} differs from the one stored")
    if entry.seq > head.seq + 1:
        return Fault("journal_gap", f"entry {entry.seq} follows {head.seq}")
    if entry.prev != head.hash:
        return _checked(entry, public_key, f"entry {entry.seq} does not follow the one stored")
    if not journal.holds(entry, public_key):
        return Fault("journal_signature", f"entry {entry.seq} is not signed by the host")
    return None


def _bounded(entry: journal.Entry) -> bool:
    # SQLite's integers, and times that a float of microseconds holds exactly.
    return entry.seq < 2**62 and abs(entry.at) < 2**40 and len(entry.prev) == len(journal.GENESIS)


def _checked(entry: journal.Entry, public_key: bytes, text: str) -> Fault:
    # Only the host's own signature makes it a fork; else somebody just wrote nonsense.
    if journal.holds(entry, public_key):
        return Fault("journal_forked", text)
    return Fault("journal_signature", f"entry {entry.seq} is not signed by the host")


def _understand(tx: Tx, host: Host, entry: journal.Entry) -> Fault | None:
    try:
        body = messages.decode_body(entry)
    except DecodeError as error:
        # Signed and in its place, from a newer or a broken agent: kept, and said aloud.
        host_reports.unreadable(tx, host, str(error))
        return None
    if isinstance(body, Finished) and not host_reports.has_artifact(tx, host, body):
        return Fault(
            "artifact_missing", f"run {body.run_id} names artifact {body.artifact}, never sent"
        )
    _apply(tx, host, body)
    return None


def _apply(tx: Tx, host: Host, body: Body) -> None:
    match body:
        case Accepted():
            host_reports.accepted(tx, host, body)
        case RefusedStep():
            host_reports.refused(tx, host, body)
        case Started():
            host_reports.started(tx, host, body)
        case Progress():
            tx.wake(f"run:{body.run_id}")
        case Output():
            host_reports.output(tx, host, body)
        case ArtifactChunk():
            host_reports.chunk(tx, host, body)
        case Finished():
            host_reports.finished(tx, host, body)
        case Drift():
            host_reports.drift(tx, host, body.record)
        case Audit():
            host_reports.audit(tx, host, body)
        case _:
            assert_never(body)


def _tell(tx: Tx, host: Host, fault: Fault) -> None:
    kind = f"agent.{fault.code}"
    target = Principal("agent", host.node_id, host.name or "")
    # The host will try again and again; one line of the same fault is enough.
    said = events.latest(tx, limit=1, target=host.node_id, kinds=(kind,))
    if not said or said[0].summary != fault.message:
        tx.emit(NewEvent(kind, host.scope, target, target, fault.message, "critical"))
