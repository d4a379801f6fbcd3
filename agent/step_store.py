"""The steps that this host holds: what was offered and accepted, how far it came.

Accepting (the checks) is `admission`, doing is `work`; here is only what must survive a kill.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from agent.database import Tx
from protocol.messages import Offer
from state_engine.engine.progress import Progress

StepPhase = Literal["accepted", "started", "finished"]
# Finished steps kept to know a repeated offer by: 8 offers at once x 128 rounds.
KEEP_FINISHED = 1_024

_encode = msgspec.msgpack.Encoder().encode
_offers: msgspec.msgpack.Decoder[Offer] = msgspec.msgpack.Decoder(Offer)


class Step(msgspec.Struct, frozen=True):
    """One step as stored; `offer` is gone once it is finished."""

    number: int
    run_id: str
    fence: int
    phase: StepPhase
    offer: Offer | None


_COLUMNS = "SELECT number, run, fence, phase, offer FROM steps"
_Row = tuple[int, str, int, StepPhase, bytes | None]


def find(tx: Tx, run_id: str) -> Step | None:
    """Return the step of a run, if this host knows it."""
    row: _Row | None = tx.execute(f"{_COLUMNS} WHERE run=?", (run_id,)).fetchone()
    return None if row is None else _step(row)


def unfinished(tx: Tx) -> tuple[Step, ...]:
    """Return the steps still to be done, in the order in which they were accepted."""
    rows: list[_Row] = tx.execute(
        f"{_COLUMNS} WHERE phase <> 'finished' ORDER BY number"
    ).fetchall()
    return tuple(_step(row) for row in rows)


def count_unfinished(tx: Tx) -> int:
    """Return how many steps are still to be done."""
    query = "SELECT COUNT(*) FROM steps WHERE phase <> 'finished'"
    row: tuple[int] = tx.execute(query).fetchone()
    return row[0]


def add(tx: Tx, offer: Offer) -> None:
    """Store an accepted step."""
    tx.execute(
        "INSERT INTO steps (run, fence, phase, offer) VALUES (?, ?, 'accepted', ?)",
        (offer.run_id, offer.fence, _encode(offer)),
    )


def adopt(tx: Tx, step: Step, offer: Offer) -> None:
    """Report the step under a newer offer's fence and lease from now on; the work stays as it is.

    Its lease too: one that the coordinator has forgotten is renewed by no heartbeat.
    """
    if step.offer is None or offer.fence <= step.fence:
        return
    kept = msgspec.structs.replace(step.offer, lease=offer.lease)
    row = (offer.fence, _encode(kept), step.run_id)
    tx.execute("UPDATE steps SET fence=?, offer=? WHERE run=?", row)


def start(tx: Tx, run_id: str) -> None:
    """Mark a step as begun."""
    tx.execute("UPDATE steps SET phase='started' WHERE run=?", (run_id,))


def finish(tx: Tx, run_id: str) -> None:
    """Mark a step as done; its offer and progress are needed no longer."""
    tx.execute("UPDATE steps SET phase='finished', offer=NULL WHERE run=?", (run_id,))
    tx.execute("DELETE FROM progress WHERE run=?", (run_id,))
    tx.execute(
        "DELETE FROM steps WHERE phase='finished' AND number <="
        " (SELECT MAX(number) FROM steps) - ?",
        (KEEP_FINISHED,),
    )


def forget(tx: Tx, run_id: str) -> None:
    """Drop the messages of something that is no step, and so is not finished as one."""
    tx.execute("DELETE FROM progress WHERE run=?", (run_id,))


def add_progress(tx: Tx, run_id: str, progress: Progress) -> None:
    """Store one message of an apply."""
    tx.execute("INSERT INTO progress (run, message) VALUES (?, ?)", (run_id, _encode(progress)))


def progress(tx: Tx, run_id: str) -> list[Progress]:
    """Return the messages of an apply so far, in order."""
    from state_engine.engine.progress import Finished, Started

    decoder = msgspec.msgpack.Decoder(Started | Finished)
    rows: list[tuple[bytes]] = tx.execute(
        "SELECT message FROM progress WHERE run=? ORDER BY number", (run_id,)
    ).fetchall()
    return [decoder.decode(row[0]) for row in rows]


def _step(row: _Row) -> Step:
    number, run_id, fence, phase, offer = row
    return Step(number, run_id, fence, phase, None if offer is None else _offers.decode(offer))
