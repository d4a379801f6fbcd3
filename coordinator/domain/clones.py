"""Clones: hosts of which several hold the key. Found by the ratchet, resolved by an operator.

The rules are `protocol.ratchet`'s. While nobody has chosen, the host is treated as if it waited for
approval: it gets no work, and its journal is heard once somebody has chosen, since a copy could
write into it what the host itself then contradicts.
"""

from __future__ import annotations

from coordinator.domain import host_authority
from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal, not_found
from coordinator.store import journals, ratchets, records
from coordinator.store.database import Tx
from coordinator.store.events import COORDINATOR, NewEvent, Principal
from coordinator.store.records import Record
from protocol import api_clones, ids, ratchet
from protocol.messages import Rejected
from protocol.ratchet import Claim, Held, Line, Peer

KIND = "node"
SCOPE = ids.DEFAULT_SCOPE
# A copy that was sent away may ask again; an operator may have changed his mind.
REFUSED_SECONDS = 600.0


def judge(tx: Tx, node_id: str, claim: Claim, peer: Peer) -> Held | Rejected:
    """Judge what a host proved of its ratchet, and return what its welcome offers."""
    fresh = tx.entropy(ratchet.VALUE_SIZE)
    judged = ratchet.judge(ratchets.get(tx, node_id), claim, peer, fresh, tx.ulid())
    if judged.offer is None:
        return Rejected(
            "cloned", "another holds this host's key, and was chosen to be it", REFUSED_SECONDS
        )
    ratchets.put(tx, node_id, judged.line)
    if judged.verdict == "cloned":
        _tell(tx, node_id, judged.line, peer)
    return judged.offer


def show(tx: Tx, node_id: str) -> api_clones.Clones | Refusal:
    """Return who holds a host's key."""
    record = records.get_by_uid(tx, KIND, node_id)
    if record is None:
        return not_found("agent", node_id)
    return _view(record, ratchets.get(tx, node_id))


def listing(tx: Tx) -> tuple[api_clones.Clones, ...]:
    """Return the hosts for which somebody has to choose."""
    found = (records.get_by_uid(tx, KIND, node) for node in sorted(ratchets.diverged(tx)))
    return tuple(_view(record, ratchets.get(tx, record.uid)) for record in found if record)


def keep(
    tx: Tx, by: Actor, node_id: str, request: api_clones.KeepRequest
) -> api_clones.Clones | Refusal:
    """Choose the holder that is the host; the others are sent away from their next link on.

    The journal goes on where the host says: what a copy wrote into it gives way.
    """
    record = records.get_by_uid(tx, KIND, node_id)
    if record is None:
        return not_found("agent", node_id)
    refused = host_authority.refused(tx, by, node_id)
    if refused is not None:
        return refused
    line = ratchets.get(tx, node_id)
    if not line.diverged:
        return Refusal("conflict", "one alone holds this host's key: there is nothing to choose")
    chosen = ratchet.choose(line, request.holder_id)
    if chosen is None:
        return not_found("holder", request.holder_id)
    ratchets.put(tx, node_id, chosen)
    journals.reopen(tx, node_id)
    kept = chosen.holders[0]
    host = Principal("agent", node_id, record.name or "")
    summary = f"{kept.hostname} at {kept.address} was chosen to be {record.name or node_id}"
    data: dict[str, str | int | bool | None] = {"holder_id": kept.holder_id}
    who = by.principal()
    tx.emit(NewEvent("agent.clone_chosen", record.scope, who, host, summary, "warning", data))
    # The link that is up may be the other's: all of them have to come back and prove themselves.
    tx.wake(f"node:{node_id}")
    return _view(record, chosen)


def forget_all(tx: Tx) -> int:
    """Begin every host's line anew, after the database was put back from a copy; return how many.

    A copy of a host that comes first now is taken for it: that is why it is told as critical.
    """
    count = ratchets.forget_all(tx)
    summary = f"the database was put back from a copy; {count} hosts prove themselves anew"
    event = NewEvent("coordinator.restored", SCOPE, COORDINATOR, COORDINATOR, summary, "critical")
    tx.emit(event)
    return count


def _tell(tx: Tx, node_id: str, line: Line, peer: Peer) -> None:
    record = records.get_by_uid(tx, KIND, node_id)
    if record is None:
        return
    host = Principal("agent", node_id, record.name or peer.hostname)
    several = f"{len(line.holders)} hosts hold the key of {record.name or node_id}"
    where = ", ".join(f"{holder.hostname} at {holder.address}" for holder in line.holders)
    event = NewEvent("agent.cloned", record.scope, host, host, f"{several}: {where}", "critical")
    tx.emit(event)
    tx.wake(f"node:{node_id}")


def _view(record: Record, line: Line) -> api_clones.Clones:
    kept = not line.diverged
    shown = [*((holder, kept) for holder in line.holders), *((h, False) for h in line.refused)]
    return api_clones.Clones(
        node_id=record.uid,
        name=record.name,
        diverged=line.diverged,
        holders=tuple(
            api_clones.Holder(
                holder_id=holder.holder_id,
                hostname=holder.hostname,
                address=holder.address,
                seen_at=int(holder.seen_at),
                links=holder.seq + 1,
                kept=is_kept,
            )
            for holder, is_kept in shown
        ),
    )
