"""What the operators say about a host: taken in, shown, and handed to its link.

The host judges it again with its own roster; what is refused here, no host would take.
"""

from __future__ import annotations

from coordinator.domain import agents, roster
from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal, RefusalKind, invalid, not_found
from coordinator.store import node_statements as stored
from coordinator.store import records
from coordinator.store.database import Tx
from coordinator.store.events import NewEvent, Principal
from coordinator.store.node_statements import StoredStatement
from protocol import api_approvals, dsse, node_statement
from protocol.node_statement import NodeStatement
from protocol.reasons import Reason, Refused


def current(tx: Tx, node_id: str) -> NodeStatement | None:
    """Return the newest statement about a host, or None if nothing was signed about it."""
    found = stored.get(tx, node_id)
    statement = node_statement.decode(found.envelope) if found is not None else None
    return statement if isinstance(statement, NodeStatement) else None


def show(tx: Tx, node_id: str) -> api_approvals.StatementResponse | Refusal:
    """Return the newest statement about a host with its signatures."""
    if records.get_by_uid(tx, agents.KIND, node_id) is None:
        return not_found("agent", node_id)
    found = stored.get(tx, node_id)
    if found is None:
        message = f"no operator has signed a statement about {node_id}"
        return Refusal("not_found", message, code="statement_missing")
    return api_approvals.StatementResponse(node_id, found.version, found.envelope)


def put(
    tx: Tx, by: Actor, node_id: str, envelope: dsse.Envelope
) -> api_approvals.StatementResponse | Refusal:
    """Take a newer statement about a host, if the roster's operators have signed it."""
    record = records.get_by_uid(tx, agents.KIND, node_id)
    if record is None:
        return not_found("agent", node_id)
    held = roster.current(tx)
    if held is None:
        return _refusal(Refused(Reason.ROSTER_UNKNOWN, "no roster is known yet"))
    before = current(tx, node_id)
    statement = node_statement.verify(envelope, held.roster, before)
    if isinstance(statement, Refused):
        return _refusal(statement)
    if statement == before:
        return show(tx, node_id)
    if statement.node_id != node_id:
        return invalid("envelope", f"the statement speaks of {statement.node_id}")
    if statement.public_key != record.spec_as(agents.NodeSpec).public_key:
        return invalid("envelope", "the statement names another key than the host has proved")
    if statement.scope != record.scope:
        return invalid("envelope", f"the host is in scope {record.scope}, not {statement.scope}")
    stored.put(tx, StoredStatement(node_id, statement.version, envelope, by.username, tx.now))
    tags = " ".join(f"{key}={value}" for key, value in sorted(statement.tags.items()))
    target = Principal("agent", node_id, statement.name)
    summary = f"version {statement.version} about {statement.name}: {tags or 'no tags'}"
    tx.emit(NewEvent("agent.vouched", record.scope, by.principal(), target, summary))
    return api_approvals.StatementResponse(node_id, statement.version, envelope)


def _refusal(refused: Refused) -> Refusal:
    late = refused.reason in {Reason.STATEMENT_OLD, Reason.ROSTER_UNKNOWN}
    kind: RefusalKind = "conflict" if late else "bad_request"
    return Refusal(kind, refused.detail, {"envelope": (refused.detail,)}, refused.reason)
