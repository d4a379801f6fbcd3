"""Tags of hosts: keys and values that selectors match on; they say nothing of who may do what."""

from __future__ import annotations

from coordinator.domain.actor import Actor
from coordinator.domain.agents import KIND, SCOPE
from coordinator.domain.refusals import Refusal, not_found, stale
from coordinator.domain.tag_rules import check
from coordinator.store import records
from coordinator.store.database import Tx
from coordinator.store.events import NewEvent, Principal
from coordinator.store.records import Record
from protocol import api


def everything(tx: Tx) -> api.TagsResponse:
    """Return every key in use with its values, both sorted."""
    found: dict[str, set[str]] = {}
    for record in records.listing(tx, KIND, SCOPE):
        for key, value in record.labels.items():
            found.setdefault(key, set()).add(value)
    return api.TagsResponse({key: tuple(sorted(found[key])) for key in sorted(found)})


def replace(
    tx: Tx, by: Actor, node_id: str, tags: dict[str, str], expected: int | None
) -> Refusal | None:
    """Set a host's whole set of tags."""
    record = records.get_by_uid(tx, KIND, node_id)
    if record is None:
        return not_found("agent", node_id)
    return _store(tx, by, record, tags, expected)


def put(
    tx: Tx, by: Actor, node_id: str, key: str, value: str, expected: int | None
) -> Refusal | None:
    """Set one tag of a host."""
    record = records.get_by_uid(tx, KIND, node_id)
    if record is None:
        return not_found("agent", node_id)
    return _store(tx, by, record, {**record.labels, key: value}, expected)


def remove(tx: Tx, by: Actor, node_id: str, key: str, expected: int | None) -> Refusal | None:
    """Remove one tag of a host."""
    record = records.get_by_uid(tx, KIND, node_id)
    if record is None:
        return not_found("agent", node_id)
    if key not in record.labels:
        return not_found("tag", key)
    kept = {name: value for name, value in record.labels.items() if name != key}
    return _store(tx, by, record, kept, expected)


def _store(
    tx: Tx, by: Actor, record: Record, tags: dict[str, str], expected: int | None
) -> Refusal | None:
    wrong = check(tags)
    if wrong is not None:
        return wrong
    ordered = dict(sorted(tags.items()))
    changed = records.update(tx, record.uid, expected=expected, labels=ordered)
    if isinstance(changed, records.Conflict):
        return stale("the agent", changed.expected, changed.actual)
    target = Principal("agent", record.uid, record.name or "")
    shown = ", ".join(f"{key}={value}" for key, value in ordered.items()) or "none"
    summary = f"tags of {record.name or record.uid} are now: {shown[:500]}"
    tx.emit(NewEvent("agent.tags_changed", record.scope, by.principal(), target, summary))
    tx.wake(f"node:{record.uid}")
    return None
