"""Puts what differs into the journal when it is news, with when and by whom; knows what it told.

What is news is `drift_account`, who it was `witness`; when to look is `services.drift`.
"""

from __future__ import annotations

import hashlib

import msgspec
import trio

from agent import drift_account, processes
from agent.core import Core
from agent.database import StorageError, Tx, get_bytes, put
from agent.drift_account import Account, Evidence, Found, Pace, name_of
from agent.witness import Witness
from agent.work import drift_record
from protocol import ids
from protocol.messages import Drift
from protocol.reports import DriftRecord, DriftSource, ResourceResult
from state_engine.model import Snapshot

# What could not be told is tried again after so many seconds.
RETRY_SECONDS = 60.0
_TOLD = "drift_told"
_KNOWN = "drift_known"
_PENDING = "drift_pending"


class Teller:
    """The account of one host and what was told of it; owned by the drift service."""

    def __init__(self, core: Core, witness: Witness) -> None:
        self._core = core
        self._witness = witness
        told = core.database.read(lambda tx: get_bytes(tx, _TOLD))
        known = core.database.read(lambda tx: get_bytes(tx, _KNOWN))
        names = [] if told is None else msgspec.json.decode(told, type=list[str])
        seen = {} if known is None else msgspec.json.decode(known, type=dict[str, Evidence])
        self.account = Account(frozenset(names), seen)
        shown = core.database.read(lambda tx: get_bytes(tx, _PENDING))
        self._pending = b"" if shown is None else shown
        self._pace = Pace()
        # What was repaired since the last record. Bounded: a resource stands in it once.
        self._repaired: dict[str, ResourceResult] = {}

    def explain(self, snapshot: Snapshot, found: Found) -> Found:
        """Return what a look found with when and by whom; in the worker thread, for names."""
        secret = frozenset(
            name_of(held.resource.key) for held in snapshot.applied if held.resource.sensitive
        )
        items = self.account.explained(found, self._witness.of, secret)
        if all(item.changed_by is None for item in items):
            return items
        name = self._core.steps.engine.ports.accounts.user
        return tuple(
            item
            if item.changed_by is None
            else msgspec.structs.replace(item, changed_by=processes.named(item.changed_by, name))
            for item in items
        )

    def repaired(self, results: tuple[ResourceResult, ...]) -> None:
        """Keep what was repaired for the next record."""
        for one in results:
            self._repaired[f"{one.module}\0{one.type}\0{one.identity}"] = one

    def tell(self, source: DriftSource, snapshot: Snapshot) -> float | None:
        """Tell what differs if it is news; return in how many seconds to try again, or None."""
        news, now = self.account.news, trio.current_time()
        # Before the first apply everything is pending, and there is no drift to speak of.
        pending = self._core.steps.pending() if snapshot.applied else ()
        if not news and _digest(pending) == self._pending:
            return None
        # What is pending changes with a plan of the operators', which needs no bound of ours.
        wait = self._pace.wait(news, now) if news else 0.0
        if wait > 0.0:
            return wait
        if not self._write(source, snapshot, pending):
            return RETRY_SECONDS
        self._pace.spend(news, now)
        return None

    def _write(self, source: DriftSource, snapshot: Snapshot, pending: Found) -> bool:
        """Put what differs into the journal; False if there is no room for it."""
        core = self._core
        now = core.clock()
        items = self.account.items
        begun = DriftRecord(
            ids.ulid(now, core.entropy(10)),
            core.identity.node_id,
            source,
            now,
            "in_sync",
            repaired=tuple(self._repaired.values()),
            pending=pending,
        )
        record = drift_account.bounded(drift_record(begun, snapshot, items))
        after = drift_account.seen_after_ms(items, now) if source == "event" else None
        names, known = self.account.names, self.account.remembered()

        def job(tx: Tx) -> None:
            core.journal.append(tx, Drift(record, after))
            put(tx, _TOLD, msgspec.json.encode(sorted(names)))
            put(tx, _KNOWN, msgspec.json.encode(known))
            put(tx, _PENDING, _digest(pending))

        if not core.journal.has_room_for_notes:
            core.problems.put("journal_full", "drift is seen but finds no room in the journal")
            return False
        try:
            core.database.write(job, urgent=True)
        except StorageError as error:
            # Not marked as told, so the next look tries again.
            core.log.failure("drift not recorded", error=str(error))
            return False
        self.account.told = names
        self._pending = _digest(pending)
        self._repaired.clear()
        core.log.info("drift", status=record.status, resources=len(items))
        core.journal_bell.ring()
        return True


def _digest(pending: Found) -> bytes:
    """Return what stands for a list of pending resources; nothing for none."""
    return hashlib.sha256(msgspec.msgpack.encode(pending)).digest() if pending else b""
