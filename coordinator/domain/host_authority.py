"""Who may say which machine a host is: those whose statement about it would count.

Asked wherever the coordinator is told to take another key, or one of several copies, for a host.
"""

from __future__ import annotations

from coordinator.domain import roster
from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal
from coordinator.store import node_statements
from coordinator.store.database import Tx
from protocol import ids, node_statement
from protocol.node_statement import NodeStatement


def refused(tx: Tx, by: Actor | None, node_id: str) -> Refusal | None:
    """Return why somebody may not say which machine a host is, None if they may.

    A token never may, whoever made it: it is no person who looked at the machine.
    """
    if by is None or by.grant is not None:
        return Refusal("forbidden", "which machine a host is, a person says, logged in with a key")
    trusted, found = roster.current(tx), node_statements.get(tx, node_id)
    known = node_statement.decode(found.envelope) if found is not None else None
    held = known if isinstance(known, NodeStatement) else None
    wanted = held or NodeStatement(1, 1, node_id, "", "", ids.DEFAULT_SCOPE, {}, 0)
    me = trusted.roster.find(by.operator_id) if trusted is not None else None
    if node_statement.may_sign(me, wanted, held):
        return None
    text = "it takes whoever may vouch for the host: an admin, or a grant of policy.change"
    return Refusal("forbidden", text)
