"""The host's own signed word for what it did in a run, found in its stored journal."""

from __future__ import annotations

from coordinator.domain.agents import NodeSpec
from coordinator.store import journals, records
from coordinator.store.database import Tx
from protocol import receipts
from protocol.errors import DecodeError
from protocol.messages import Finished, decode_body
from protocol.receipts import Receipt

# Results that are looked through: a host does one step at a time, and a plan that 64 others came
# after is nothing that anybody still signs.
LOOK_BACK = 64


def of_run(tx: Tx, node_id: str, run_id: str) -> Receipt | None:
    """Return the newest receipt of a host for its step of a run, or None."""
    record = records.get_by_uid(tx, "node", node_id)
    if record is None:
        return None
    public = bytes.fromhex(record.spec_as(NodeSpec).public_key)
    for entry in journals.latest(tx, record.uid, ("finished",), LOOK_BACK):
        try:
            body = decode_body(entry)
        except DecodeError:
            continue
        if isinstance(body, Finished) and body.run_id == run_id:
            return receipts.make(entry, public)
    return None
