"""Signing what a host is: its key, name, scope and tags, so that no coordinator can say otherwise.

The key is the one that the host's id commits to, or that operators vouched for before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from client import approvals_api, statement_memory
from client.failures import AuthError, UntrustedError
from client.session import Session
from protocol import dsse, ids, node_statement
from protocol.api import Agent
from protocol.errors import InvalidName
from protocol.node_statement import NodeStatement
from protocol.reasons import Refused
from protocol.roster import Roster


class Wanted(msgspec.Struct, frozen=True):
    """What a statement should say; tags are changed one by one."""

    name: str
    tags: Mapping[str, str] = {}
    without: Sequence[str] = ()


def held_statement(session: Session, agent: Agent, roster: Roster) -> NodeStatement | None:
    """Return what operators of the roster signed about a host, None if there is nothing yet.

    Raises:
        UntrustedError: what the coordinator shows was not signed by them, or is older than what
            it has shown before.
    """
    return _shown(session, agent.node_id, roster)


def _shown(session: Session, node_id: str, roster: Roster) -> NodeStatement | None:
    envelope = approvals_api.statement(session.api, node_id)
    found = None if envelope is None else node_statement.verify(envelope, roster)
    if isinstance(found, Refused):
        raise _untrusted(f"the statement about the host does not hold: {found.detail}")
    if found is not None and found.node_id != node_id:
        raise _untrusted(f"the statement about the host is one about {found.node_id}")
    statement_memory.check(session, {node_id: found})
    return found


def vouched_key(session: Session, node_id: str, public_key: str) -> bytes | None:
    """Return the key that operators signed for a host, where its id does not follow from this one.

    Raises:
        UntrustedError: what the coordinator shows was not signed by operators of the roster.
    """
    try:
        if ids.node_id(bytes.fromhex(public_key)) == node_id:
            return None
    except ValueError:
        return None
    found = _shown(session, node_id, session.trusted().roster)
    return bytes.fromhex(found.public_key) if found is not None else None


def proven_key(agent: Agent, held: NodeStatement | None, fingerprint: str | None) -> bytes:
    """Return a host's identity key, known in a way that the coordinator cannot bend.

    `fingerprint` is what a person read on the host itself, None if nobody did.

    Raises:
        UntrustedError: the key is not the one of the id, of the statement, or of the fingerprint.
    """
    try:
        public = ids.check_hex64(agent.public_key, "the host's key")
    except InvalidName as error:
        raise _untrusted(str(error)) from error
    own = ids.fingerprint(public)
    if fingerprint is not None and fingerprint.strip().lower() != own:
        raise UntrustedError(
            f"the host's key has the fingerprint {own}, not {fingerprint}",
            next_command="standfast-agent show-identity, on the host",
            code="fingerprint_wrong",
        )
    vouched = held is not None and node_statement.vouches_for(held, public)
    if ids.node_id(public) != agent.node_id and not vouched and fingerprint is None:
        raise UntrustedError(
            f"the id {agent.node_id} does not follow from the key {own} that comes with it",
            next_command="compare it with `standfast-agent show-identity` on the host, then add "
            "--fingerprint",
            code="node_key_unproven",
        )
    return public


def make(
    session: Session, agent: Agent, wanted: Wanted, public: bytes, held: NodeStatement | None
) -> NodeStatement:
    """Return the next version of the statement about a host."""
    tags = {**(held.tags if held is not None else {}), **wanted.tags}
    for key, value in wanted.tags.items():
        ids.check_tag(key, value)
    return NodeStatement(
        v=1,
        version=held.version + 1 if held is not None else 1,
        node_id=agent.node_id,
        public_key=public.hex(),
        name=ids.check_name(wanted.name),
        scope=held.scope if held is not None else session.profile.scope,
        tags={key: value for key, value in tags.items() if key not in wanted.without},
        issued_at=int(session.now()),
    )


def says_why_not(
    session: Session, roster: Roster, statement: NodeStatement, held: NodeStatement | None
) -> str | None:
    """Return why this operator's signature alone makes no statement, None if it does."""
    me = roster.find(ids.operator_id(session.key.public))
    if not node_statement.may_sign(me, statement, held):
        return "it takes an admin, or an operator with a grant of policy.change"
    if (needed := node_statement.quorum(roster, statement, held)) > 1:
        return f"the roster asks for {needed} signatures on it"
    return None


def put(session: Session, statement: NodeStatement) -> None:
    """Sign a statement and bring it to the coordinator, which brings it to the host."""
    own = ids.operator_id(session.key.public)
    envelope = dsse.sign(dsse.NODE, node_statement.encode(statement), session.key, own)
    approvals_api.put_statement(session.api, statement.node_id, envelope)


def forbidden(reason: str) -> AuthError:
    """Return the error of somebody whose signature makes no statement."""
    return AuthError(
        f"you cannot vouch for this host alone: {reason}",
        next_command="standfast roster show",
        code="statement_invalid",
    )


def _untrusted(message: str) -> UntrustedError:
    return UntrustedError(
        message,
        next_command="look at who can write to the coordinator",
        code="statement_invalid",
    )
