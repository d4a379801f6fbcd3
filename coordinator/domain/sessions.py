"""Log-ins that are not over: seen and ended by who they belong to, and by an admin."""

from __future__ import annotations

from coordinator.domain import operators
from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal, not_found
from coordinator.store import sessions
from coordinator.store.database import Tx
from coordinator.store.events import NewEvent, Principal
from protocol import api, ids
from protocol.api_tokens import Ended, Session, Sessions


def listing(tx: Tx, by: Actor, *, everybody: bool) -> Sessions | Refusal:
    """Return one's own sessions, or with the role admin everybody's."""
    if everybody and by.role != "admin":
        return Refusal("forbidden", "only an admin sees the sessions of others")
    names = {one.operator_id: one.username for one in operators.listing(tx, include_removed=True)}
    found = sessions.listing(tx, None if everybody else by.operator_id)
    return Sessions(tuple(_view(one, names, by) for one in found))


def end(tx: Tx, by: Actor, session_id: str) -> Refusal | None:
    """End one session: one's own, or with the role admin anybody's."""
    ended = sessions.end_by_id(tx, session_id, None if by.role == "admin" else by.operator_id)
    if ended is None:
        return not_found("session", session_id)
    _emit(tx, by, ended.operator_id, 1)
    return None


def end_all(tx: Tx, by: Actor, operator_id: str | None) -> Ended | Refusal:
    """End all of one's own sessions, or with the role admin all of somebody else."""
    whose = operator_id or by.operator_id
    if whose != by.operator_id and by.role != "admin":
        return Refusal("forbidden", "only an admin ends the sessions of others")
    count = sessions.end_all_of(tx, whose)
    if count:
        _emit(tx, by, whose, count)
    return Ended(count)


def log_out(tx: Tx, by: Actor) -> None:
    """End the session that asks."""
    if sessions.end_by_id(tx, by.credential, by.operator_id) is not None:
        _emit(tx, by, by.operator_id, 1)


def _emit(tx: Tx, by: Actor, operator_id: str, count: int) -> None:
    found = operators.get(tx, operator_id)
    name = found.username if isinstance(found, api.Operator) else ""
    target = Principal("operator", operator_id, name)
    summary = f"{count} session{'s' if count != 1 else ''} of {name or operator_id} ended"
    event = NewEvent("auth.session_ended", ids.DEFAULT_SCOPE, by.principal(), target, summary)
    tx.emit(event)


def _view(one: sessions.Session, names: dict[str, str], by: Actor) -> Session:
    return Session(
        session_id=one.session_id,
        operator_id=one.operator_id,
        username=names.get(one.operator_id, ""),
        created_at=int(one.created_at),
        expires_at=int(one.expires_at),
        last_used_at=int(one.last_used_at),
        source=one.source,
        current=one.session_id == by.credential,
    )
