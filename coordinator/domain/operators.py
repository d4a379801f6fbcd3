"""The operators who may use the API: added one by one, or with the roster that names them.

Whether hosts count an operator's signature is the roster's say alone; here is access to the API.
"""

from __future__ import annotations

import msgspec

from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal, invalid, not_found
from coordinator.store import records, rosters, sessions, tokens
from coordinator.store.database import Tx
from coordinator.store.events import COORDINATOR, NewEvent, Principal
from coordinator.store.records import Record
from protocol import api, ids, roster
from protocol.errors import InvalidName
from protocol.limits import MAX_OPERATORS

KIND = "operator"
SCOPE = ids.DEFAULT_SCOPE


class OperatorSpec(msgspec.Struct, frozen=True):
    """What an operator's record holds; `public_key` is hex."""

    public_key: str
    role: roster.Role
    added_by: str
    bootstrap: bool = False


class OperatorStatus(msgspec.Struct, frozen=True):
    """Who removed an operator; the tombstone's time says when."""

    removed_by: str | None = None


def listing(tx: Tx, *, include_removed: bool = False) -> tuple[api.Operator, ...]:
    """Return the operators, oldest first."""
    held = _in_roster(tx)
    found = records.listing(tx, KIND, SCOPE, deleted=include_removed)
    return tuple(_view(record, held) for record in found)


def get(tx: Tx, operator_id: str) -> api.Operator | Refusal:
    """Return one operator, removed or not."""
    found = (r for r in records.listing(tx, KIND, SCOPE, deleted=True) if r.uid == operator_id)
    record = next(found, None)
    return not_found("operator", operator_id) if record is None else _view(record, _in_roster(tx))


def actor(tx: Tx, operator_id: str) -> Actor | None:
    """Return an operator who may use the API, or None."""
    record = records.get_by_uid(tx, KIND, operator_id)
    if record is None:
        return None
    return Actor(record.uid, record.name or "", record.spec_as(OperatorSpec).role)


def add(tx: Tx, by: Actor, request: api.AddOperatorRequest) -> api.Operator | Refusal:
    """Add one operator; the roster, and with it the hosts, know nothing of it yet."""
    try:
        public = ids.check_hex64(request.public_key, "public_key")
    except InvalidName as error:
        return invalid("public_key", str(error))
    try:
        username = ids.check_name(request.username)
    except InvalidName as error:
        return invalid("username", str(error))
    if len(records.listing(tx, KIND, SCOPE)) >= MAX_OPERATORS:
        return Refusal("conflict", f"there are {MAX_OPERATORS} operators already; remove one")
    spec = OperatorSpec(request.public_key, request.role, by.username)
    return _create(tx, ids.operator_id(public), username, spec, by.principal())


def bootstrap(tx: Tx, public_key: bytes, username: str) -> api.Operator | Refusal:
    """Add the first operator, an admin, where there is none at all."""
    if records.listing(tx, KIND, SCOPE, deleted=True):
        return Refusal("conflict", "this coordinator has operators already")
    spec = OperatorSpec(public_key.hex(), "admin", "init", bootstrap=True)
    return _create(tx, ids.operator_id(public_key), username, spec, COORDINATOR)


def remove(tx: Tx, by: Actor, operator_id: str) -> Refusal | None:
    """Remove an operator's access and end their sessions; the last admin stays."""
    record = records.get_by_uid(tx, KIND, operator_id)
    if record is None:
        return not_found("operator", operator_id)
    if record.spec_as(OperatorSpec).role == "admin" and _admins(tx) == 1:
        return Refusal("conflict", "the last admin cannot be removed: add another one first")
    _remove(tx, record, by.principal())
    return None


def follow_roster(
    tx: Tx, by: Principal, old: roster.Roster | None, new: roster.Roster
) -> Refusal | None:
    """Make the API's operators follow a new roster: only what differs from the old one.

    Who was removed by hand and stays in the roster unchanged is not let in again.
    """
    before = {o.operator_id: o for o in old.operators} if old is not None else {}
    after = {o.operator_id: o for o in new.operators}
    live = {record.uid: record for record in records.listing(tx, KIND, SCOPE)}
    gone = [live[uid] for uid in before if uid not in after and uid in live]
    taken = _taken(live, {record.uid for record in gone}, after)
    if taken is not None:
        return taken
    for record in gone:
        _remove(tx, record, by)
    for uid, operator in after.items():
        spec = OperatorSpec(operator.public_key, operator.role, by.name, bootstrap=old is None)
        if uid in live:
            kept = live[uid].spec_as(OperatorSpec)
            if kept.role != operator.role:
                records.update(tx, uid, spec=msgspec.structs.replace(kept, role=operator.role))
        elif uid not in before:
            _create(tx, uid, operator.username, spec, by)
    return None


def _taken(
    live: dict[str, Record], gone: set[str], after: dict[str, roster.RosterOperator]
) -> Refusal | None:
    names = {
        ids.fold_name(record.name or ""): uid for uid, record in live.items() if uid not in gone
    }
    for uid, operator in after.items():
        if uid not in live and names.get(ids.fold_name(operator.username), uid) != uid:
            return Refusal(
                "conflict",
                f"the roster gives the name {operator.username!r} to another key than the operator"
                " who has it here: remove that one first",
            )
    return None


def _create(
    tx: Tx, operator_id: str, username: str, spec: OperatorSpec, by: Principal
) -> api.Operator | Refusal:
    if records.get_by_uid(tx, KIND, operator_id) is not None:
        return Refusal("conflict", "an operator with this key exists already")
    made = records.create(tx, kind=KIND, scope=SCOPE, name=username, uid=operator_id, spec=spec)
    if isinstance(made, records.NameTaken):
        return Refusal("conflict", f"there is an operator {username!r} already")
    _emit(tx, "operator.added", by, made, f"{spec.role} {username} was added")
    return _view(made, _in_roster(tx))


def _remove(tx: Tx, record: Record, by: Principal) -> None:
    records.update(tx, record.uid, status=OperatorStatus(by.name))
    records.delete(tx, record.uid)
    sessions.end_all_of(tx, record.uid)
    for name in tokens.of_operator(tx, record.uid):
        tokens.remove(tx, name)
        gone = Principal("token", name, name)
        tx.emit(
            NewEvent("auth.token_revoked", SCOPE, by, gone, f"token {name} went with its maker")
        )
    _emit(tx, "operator.removed", by, record, f"{record.name} was removed")


def _emit(tx: Tx, kind: str, by: Principal, record: Record, summary: str) -> None:
    target = Principal("operator", record.uid, record.name or "")
    tx.emit(NewEvent(kind, SCOPE, by, target, summary))


def _admins(tx: Tx) -> int:
    found = records.listing(tx, KIND, SCOPE)
    return sum(record.spec_as(OperatorSpec).role == "admin" for record in found)


def _in_roster(tx: Tx) -> frozenset[str]:
    stored = rosters.current(tx)
    held = roster.decode(stored.envelope) if stored is not None else None
    if not isinstance(held, roster.Roster):
        return frozenset()
    return frozenset(operator.operator_id for operator in held.operators)


def _view(record: Record, in_roster: frozenset[str]) -> api.Operator:
    spec, status = record.spec_as(OperatorSpec), record.status_as(OperatorStatus)
    removed = record.deleted_at is not None
    return api.Operator(
        operator_id=record.uid,
        username=record.name or "",
        role=spec.role,
        added_at=int(record.created_at),
        added_by=spec.added_by,
        bootstrap=spec.bootstrap,
        removed_at=int(record.deleted_at) if record.deleted_at is not None else None,
        removed_by=status.removed_by if removed else None,
        in_roster=record.uid in in_roster,
    )
