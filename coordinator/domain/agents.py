"""Managed hosts: registration through the link, approval by an operator, what is known of them.

A host's record changes when somebody decides something; what changes with every heartbeat is its
presence, kept apart.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import msgspec

from coordinator.domain import enrolment_keys, executions
from coordinator.domain.actor import Actor
from coordinator.domain.outcomes import sure
from coordinator.domain.refusals import Refusal, invalid, not_found, stale
from coordinator.store import journals, presence, ratchets, records, rosters
from coordinator.store.database import Tx
from coordinator.store.events import NewEvent, Principal, Severity
from coordinator.store.presence import Presence
from coordinator.store.records import Record
from protocol import api, ids, selectors
from protocol.errors import DecodeError, InvalidName
from protocol.limits import MAX_HOSTNAME
from protocol.messages import Approval, Hello, Rejected
from protocol.reasons import Reason

KIND = "node"
SCOPE = ids.DEFAULT_SCOPE
# Hosts that wait without a key, before strangers could fill the disk: a screen or two of them.
PENDING_CAPACITY = 100


class NodeSpec(msgspec.Struct, frozen=True):
    """What was decided of a host and what it proved; keys and the signature are hex."""

    public_key: str
    sealing_key: str
    sealing_sig: str
    hostname: str
    address: str
    approval: Approval = "pending"
    enrolment_key_id: str | None = None
    decided_by: str | None = None


class Registered(msgspec.Struct, frozen=True):
    """A host that is known: where its approval stands and under what name.

    `cloned`: several hold its key, so that it waits although it is approved.
    """

    approval: Approval
    name: str | None
    scope: str
    cloned: bool = False


def register(
    tx: Tx,
    *,
    hello: Hello,
    node_id: str,
    public_key: bytes,
    secret: bytes | None,
    peer: str,
    identity_public: bytes,
) -> Registered | Rejected:
    """Make or find the record of a host whose proof holds; a key's use counts in this transaction.

    `identity_public` is the coordinator's key that the host spoke to.
    """
    del identity_public
    if rosters.current(tx) is None:
        detail = "no roster is known yet: an operator has to log in and sign one"
        return Rejected(Reason.ROSTER_UNKNOWN, detail)
    record = records.get_by_uid(tx, KIND, node_id)
    if record is not None:
        if record.spec_as(NodeSpec).public_key != public_key.hex():
            return _recover(tx, record, hello, secret)
        return _known(tx, record, hello, secret)
    if ids.node_id(public_key) != node_id:
        return Rejected("unknown_node", f"there is no host {node_id} that could come back")
    used: enrolment_keys.Use | None = None
    if secret is not None:
        use = enrolment_keys.use(tx, secret)
        if isinstance(use, Refusal):
            return Rejected(use.code or "invalid_key", use.message)
        used = use
    elif _pending(tx) >= PENDING_CAPACITY:
        return Rejected("pending_full", f"{PENDING_CAPACITY} hosts wait for a decision already")
    spec = NodeSpec(
        public_key=public_key.hex(),
        sealing_key=hello.sealing_key.hex(),
        sealing_sig=hello.sealing_sig.hex(),
        hostname=_plain(hello.hostname, MAX_HOSTNAME),
        address=peer,
        enrolment_key_id=used.key_id if used is not None else None,
    )
    tags = used.tags if used is not None else {}
    outcome = records.create(tx, kind=KIND, scope=SCOPE, uid=node_id, spec=spec, labels=tags)
    made = sure(outcome, f"node {node_id}")
    _emit(tx, "agent.registered", made, None, f"{spec.hostname} registered and waits")
    if used is not None and used.auto_approve:
        made = _approve_by_key(tx, made, used.key_id)
    return _registered(made)


def approval_of(tx: Tx, node_id: str) -> Registered | None:
    """Return where a host's approval stands now, or None if its record is gone."""
    record = records.get_by_uid(tx, KIND, node_id)
    if record is None:
        return None
    found = _registered(record)
    if found.approval == "approved" and ratchets.is_diverged(tx, node_id):
        # Until an operator has chosen, none of them gets work.
        return msgspec.structs.replace(found, approval="pending", cloned=True)
    return found


def get(tx: Tx, node_id: str) -> api.Agent | Refusal:
    """Return one host."""
    record = records.get_by_uid(tx, KIND, node_id)
    if record is None:
        return not_found("agent", node_id)
    return view(record, presence.get(tx, node_id), cloned=ratchets.is_diverged(tx, node_id))


def listing(
    tx: Tx, status: Approval | None = None, selector: str | None = None
) -> tuple[api.Agent, ...] | Refusal:
    """Return the hosts with this status whose tags match the selector, oldest first."""
    try:
        wanted = selectors.parse(selector) if selector is not None else None
    except DecodeError as error:
        return invalid("filter", str(error))
    live, cloned = presence.everything(tx), ratchets.diverged(tx)
    shown = (
        view(record, live.get(record.uid), cloned=record.uid in cloned)
        for record in records.listing(tx, KIND, SCOPE)
        if wanted is None or wanted.matches(record.labels)
    )
    return tuple(agent for agent in shown if status in {None, agent.status})


def matching(tx: Tx, selector: str) -> tuple[api.Agent, ...] | Refusal:
    """Return the approved hosts that a selector means now."""
    return listing(tx, "approved", selector)


def by_ids(tx: Tx, node_ids: Iterable[str]) -> tuple[api.Agent, ...] | Refusal:
    """Return hosts by id, in the order given."""
    found: list[api.Agent] = []
    for node_id in node_ids:
        agent = get(tx, node_id)
        if isinstance(agent, Refusal):
            return agent
        found.append(agent)
    return tuple(found)


def decide(
    tx: Tx, by: Actor, node_id: str, request: api.StatusChangeRequest, expected: int | None
) -> api.Agent | Refusal:
    """Approve a host under a name, or reject it."""
    record = records.get_by_uid(tx, KIND, node_id)
    if record is None:
        return not_found("agent", node_id)
    name: str | None = None
    if request.status == "approved":
        if request.name is None:
            return invalid("name", "name is required when approving")
        try:
            name = ids.check_name(request.name)
        except InvalidName as error:
            return invalid("name", str(error))
    spec = msgspec.structs.replace(
        record.spec_as(NodeSpec), approval=request.status, decided_by=by.username
    )
    changed = records.update(tx, node_id, expected=expected, spec=spec, name=name)
    match changed:
        case records.NameTaken():
            return Refusal("conflict", f"another agent has the name {name!r}")
        case records.Conflict():
            return stale("the agent", changed.expected, changed.actual)
        case records.NotFound():
            return not_found("agent", node_id)
        case Record():
            pass
    summary = f"{spec.hostname} was {request.status}" + (f" as {name}" if name else "")
    _emit(tx, f"agent.{request.status}", changed, by, summary)
    return view(changed, presence.get(tx, node_id))


def delete(tx: Tx, by: Actor, node_id: str) -> Refusal | None:
    """Forget a rejected host; it may register again as a new one."""
    record = records.get_by_uid(tx, KIND, node_id)
    if record is None:
        return not_found("agent", node_id)
    spec = record.spec_as(NodeSpec)
    if spec.approval != "rejected":
        return Refusal("conflict", f"the agent is {spec.approval}: reject it before you delete it")
    records.delete(tx, node_id)
    presence.forget(tx, node_id)
    journals.forget(tx, node_id)
    ratchets.forget(tx, node_id)
    executions.drop(tx, node_id)
    _emit(tx, "agent.deleted", record, by, f"{spec.hostname} was deleted")
    return None


def counts(tx: Tx) -> dict[str, int]:
    """Return how many hosts are in each state, and how many are connected."""
    live = presence.everything(tx)
    found = {"pending": 0, "approved": 0, "rejected": 0, "connected": 0}
    for record in records.listing(tx, KIND, SCOPE):
        found[record.spec_as(NodeSpec).approval] += 1
        seen = live.get(record.uid)
        found["connected"] += seen is not None and seen.connected
    return found


def view(record: Record, seen: Presence | None, *, cloned: bool = False) -> api.Agent:
    """Return a host as the API shows it; one that is cloned waits, as one that was never approved.

    `cloned`: several hold its key and nobody has chosen yet.
    """
    spec = record.spec_as(NodeSpec)
    return api.Agent(
        node_id=record.uid,
        name=record.name,
        initial_hostname=spec.hostname,
        initial_ip=spec.address,
        agent_version=seen.agent_version if seen else "",
        status="pending" if cloned and spec.approval == "approved" else spec.approval,
        connected=seen.connected if seen else False,
        connected_at=int(seen.connected_at) if seen else 0,
        updated_at=int(max(record.updated_at, seen.last_seen_at if seen else 0)),
        tags=record.labels,
        attributes=seen.attributes if seen else {},
        fingerprint=ids.fingerprint(bytes.fromhex(spec.public_key)),
        sealing_key=spec.sealing_key,
        last_seen_at=int(seen.last_seen_at) if seen else 0,
        roster_version=seen.roster_version if seen else 0,
        drift=seen.drift if seen else None,
        enrolment_key_id=spec.enrolment_key_id,
        scope=record.scope,
        resource_version=record.resource_version,
        cloned=cloned,
        public_key=spec.public_key,
        sealing_sig=spec.sealing_sig,
    )


def _known(tx: Tx, record: Record, hello: Hello, secret: bytes | None) -> Registered:
    spec = record.spec_as(NodeSpec)
    if spec.sealing_key != hello.sealing_key.hex():
        spec = msgspec.structs.replace(
            spec, sealing_key=hello.sealing_key.hex(), sealing_sig=hello.sealing_sig.hex()
        )
        record = sure(records.update(tx, record.uid, spec=spec), "a node")
    if secret is None or spec.approval != "pending" or spec.enrolment_key_id is not None:
        return _registered(record)
    # It waited without a key and now brings one. A bad key leaves it waiting as before.
    use = enrolment_keys.use(tx, secret)
    if isinstance(use, Refusal):
        return _registered(record)
    spec = msgspec.structs.replace(spec, enrolment_key_id=use.key_id)
    labels = {**use.tags, **record.labels}
    record = sure(records.update(tx, record.uid, spec=spec, labels=labels), "a node")
    if use.auto_approve:
        record = _approve_by_key(tx, record, use.key_id)
    return _registered(record)


def _recover(tx: Tx, record: Record, hello: Hello, secret: bytes | None) -> Registered | Rejected:
    """Give a host that was installed anew its old id, if it brings the one key that says so.

    Approval, name and tags stay. Whether this is the host, clients do not take from here: they ask
    for an operator's signature over its new key.
    """
    if secret is None:
        text = "this id belongs to another key: an operator makes a recovery key for it"
        return Rejected("node_key_changed", text)
    use = enrolment_keys.use(tx, secret, recovers=record.uid)
    if isinstance(use, Refusal):
        return Rejected(use.code or "invalid_key", use.message)
    spec = msgspec.structs.replace(
        record.spec_as(NodeSpec),
        public_key=hello.public_key.hex(),
        sealing_key=hello.sealing_key.hex(),
        sealing_sig=hello.sealing_sig.hex(),
        enrolment_key_id=use.key_id,
    )
    changed = sure(records.update(tx, record.uid, spec=spec), "a node")
    # Its journal begins anew, and so does the line of its key.
    journals.forget(tx, record.uid)
    ratchets.forget(tx, record.uid)
    own = ids.fingerprint(hello.public_key)
    summary = f"{record.name or spec.hostname} came back with a new key {own}"
    _emit(tx, "agent.recovered", changed, None, summary, "warning")
    return _registered(changed)


def _approve_by_key(tx: Tx, record: Record, key_id: str) -> Record:
    spec = msgspec.structs.replace(
        record.spec_as(NodeSpec), approval="approved", decided_by=f"enrolment key {key_id}"
    )
    for name in _names(spec.hostname, record.uid):
        changed = records.update(tx, record.uid, spec=spec, name=name)
        if isinstance(changed, Record):
            summary = f"{spec.hostname} was approved as {name} by its enrolment key"
            _emit(tx, "agent.approved", changed, None, summary)
            return changed
    raise AssertionError(f"node {record.uid}: no free name")


def _names(hostname: str, node_id: str) -> tuple[str, ...]:
    # The last one holds the whole id, which no other host has.
    label = hostname.partition(".")[0]
    candidates: list[str] = []
    for text in (label, f"{label[:55]}-{node_id[:8]}", f"node-{node_id}"):
        try:
            candidates.append(ids.check_name(text))
        except InvalidName:
            continue
    return tuple(candidates)


def _pending(tx: Tx) -> int:
    # Approved hosts have names: a stranger's knock must not cost a look at each of 10,000.
    found = records.listing(tx, KIND, SCOPE, unnamed=True)
    return sum(record.spec_as(NodeSpec).approval == "pending" for record in found)


def _registered(record: Record) -> Registered:
    return Registered(record.spec_as(NodeSpec).approval, record.name, record.scope)


def _plain(text: str, limit: int) -> str:
    # A host may call itself anything; what people will read on a terminal must be harmless there.
    kept = (c for c in text if not unicodedata.category(c).startswith("C"))
    return "".join(kept)[:limit] or "unnamed"


def _emit(
    tx: Tx, kind: str, record: Record, by: Actor | None, summary: str, severity: Severity = "info"
) -> None:
    host = Principal("agent", record.uid, record.name or record.spec_as(NodeSpec).hostname)
    actor = by.principal() if by is not None else host
    tx.emit(NewEvent(kind, record.scope, actor, host, summary, severity))
    tx.wake(f"node:{record.uid}")
