"""What this host never forgets or takes back: desired state, epochs, used and revoked decisions.

The latest signed time is here too: it only rises, and all that expires is measured by it.

Everything is on disk before the call returns; callers act only afterwards.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from agent.database import Database, Tx, get_bytes, get_int, put
from protocol.decisions import Decision
from protocol.limits import CLOCK_SKEW_SECONDS
from protocol.reasons import Reason, Refused
from protocol.revocations import Revocation

# Decisions taken back and not expired: 300 a day for 30 days, at 60 bytes 600 KB.
MAX_REVOKED = 10_000


class Desired(msgspec.Struct, frozen=True):
    """The desired document that this host acts on; generation 0 is none at all."""

    generation: int
    document: bytes


class Ledger:
    """The host's memory in its database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def desired(self) -> Desired:
        """Return the desired state on disk."""
        return self._database.read(_desired)

    def take_desired(self, generation: int, document: bytes) -> Literal["stored", "held"] | Refused:
        """Store a desired document, or say why not; the same one again is simply held.

        Raises:
            StorageError: the disk is full or broken; the old document stands.
        """
        if generation < 1:
            return Refused(Reason.GENERATION_OLD, f"generation {generation} is below 1")

        def job(tx: Tx) -> Literal["stored", "held"] | Refused:
            held = _desired(tx)
            if generation < held.generation:
                text = f"generation {generation} offered, {held.generation} held"
                return Refused(Reason.GENERATION_OLD, text)
            if generation == held.generation:
                if document == held.document:
                    return "held"
                text = f"another document under generation {generation}"
                return Refused(Reason.GENERATION_CONFLICT, text)
            put(tx, "desired_generation", generation)
            put(tx, "desired_document", document)
            return "stored"

        return self._database.write(job)


def _desired(tx: Tx) -> Desired:
    return Desired(get_int(tx, "desired_generation"), get_bytes(tx, "desired_document") or b"")


def latest_signed_time(tx: Tx) -> int:
    """Return the latest time, in seconds, that an operator this host trusts has signed."""
    return get_int(tx, "signed_time")


def raise_signed_time(tx: Tx, seconds: int, now: float) -> None:
    """Remember a signed time if it is later than all before.

    One that is ahead of this host's clock counts only as far as clocks may differ: signed by a
    machine whose clock stood in the next century, it would make every decision expire for ever.
    """
    held = latest_signed_time(tx)
    believable = min(seconds, int(max(now, held) + CLOCK_SKEW_SECONDS))
    if believable > held:
        put(tx, "signed_time", believable)


def epochs(tx: Tx) -> dict[str, int]:
    """Return the highest epoch seen in each scope."""
    return dict(tx.execute("SELECT scope, epoch FROM epochs"))


def raise_epoch(tx: Tx, scope: str, epoch: int) -> None:
    """Remember an epoch if it is higher than all before in its scope."""
    tx.execute(
        "INSERT INTO epochs VALUES (?, ?) ON CONFLICT(scope) DO UPDATE SET"
        " epoch=MAX(epoch, excluded.epoch)",
        (scope, epoch),
    )


def uses(tx: Tx, decision_id: str) -> int:
    """Return how often this host has acted on a decision."""
    query = "SELECT uses FROM used WHERE decision=?"
    row: tuple[int] | None = tx.execute(query, (decision_id,)).fetchone()
    return 0 if row is None else row[0]


def consume(tx: Tx, decision: Decision, now: float) -> None:
    """Count one use of a decision, with its time, in the caller's transaction.

    Its epoch is not remembered: only a roster draws that line, else one operator could lock out
    all others with one number.
    """
    tx.execute(
        "INSERT INTO used VALUES (?, 1, ?) ON CONFLICT(decision) DO UPDATE SET uses=uses+1",
        (decision.decision_id, decision.expires_at),
    )
    tx.execute(
        "INSERT INTO acted VALUES (?, ?, ?) ON CONFLICT(decision) DO UPDATE SET"
        " at=MAX(at, excluded.at)",
        (decision.decision_id, int(now), decision.expires_at),
    )
    raise_signed_time(tx, decision.not_before, now)
    # Safe to forget: judged against signed time, which never goes back, it stays expired for ever.
    for table in ("used", "acted", "revoked"):
        query = f"DELETE FROM {table} WHERE expires <= ?"  # noqa: S608 - one of the names above
        tx.execute(query, (latest_signed_time(tx),))


def acted(tx: Tx, decision_id: str) -> int | None:
    """Return when this host acted on a decision last, in seconds, None if never."""
    query = "SELECT at FROM acted WHERE decision=?"
    row: tuple[int] | None = tx.execute(query, (decision_id,)).fetchone()
    return None if row is None else row[0]


def revoke(tx: Tx, revocation: Revocation, now: float) -> bool | Refused:
    """Remember that a decision was taken back; True if that was news.

    What was taken back stays so: a second revocation can only make it be kept for longer.
    """
    known = is_revoked(tx, revocation.decision_id)
    row: tuple[int] = tx.execute("SELECT COUNT(*) FROM revoked").fetchone()
    if not known and row[0] >= MAX_REVOKED:
        text = f"{row[0]} revocations are held; raise the epoch of the scope instead"
        return Refused(Reason.REVOCATION_INVALID, text)
    tx.execute(
        "INSERT INTO revoked VALUES (?, ?) ON CONFLICT(decision) DO UPDATE SET"
        " expires=MAX(expires, excluded.expires)",
        (revocation.decision_id, revocation.keep_until(now)),
    )
    return not known


def is_revoked(tx: Tx, decision_id: str) -> bool:
    """Say whether operators took a decision back."""
    query = "SELECT 1 FROM revoked WHERE decision=?"
    return tx.execute(query, (decision_id,)).fetchone() is not None
