"""What an operator signs about one host when it is let in: its key, name, scope and signed tags.

The coordinator sets tags at will, so nothing that guards a host may ask them. What is said here is
signed by operators of the roster, its version only rises, and the host keeps it on disk.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from protocol import authority, canonical, dsse, ids, keys, scopes
from protocol.canonical import Json
from protocol.errors import MALFORMED, DecodeError, InvalidName
from protocol.reasons import Reason, Refused
from protocol.roster import ApprovalRule, Roster, RosterOperator

# Tags of one host: 64 keys of 63 with values of 128 are 12 KiB.
MAX_TAGS = 64
# Deciding this takes: an admin, or an operator with a grant that names this capability.
CAPABILITY: Literal["policy.change"] = "policy.change"


class NodeStatement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of what the operators say about a host.

    `public_key` is its Ed25519 identity key in hex: it may differ from the one that `node_id`
    commits to, after a host was installed anew. `issued_at` is the signer's clock in whole seconds.
    `tags` are the only tags that grants, approval rules and restrictions of secrets look at.
    """

    v: Literal[1]
    version: int
    node_id: str
    public_key: str
    name: str
    scope: str
    tags: dict[str, str]
    issued_at: int


def encode(statement: NodeStatement) -> bytes:
    """Return the canonical bytes that are signed."""
    value: Json = msgspec.to_builtins(statement)
    return canonical.encode(value)


def decode(envelope: dsse.Envelope) -> NodeStatement | Refused:
    """Return the statement in an envelope, well-formed but not verified."""
    if envelope.payload_type != dsse.NODE:
        return Refused(Reason.STATEMENT_INVALID, f"payload type {envelope.payload_type!r}")
    try:
        payload = envelope.content()
        canonical.decode(payload)
        statement = msgspec.json.decode(payload, type=NodeStatement)
        _check(statement)
    except (DecodeError, InvalidName, *MALFORMED) as error:
        return Refused(Reason.STATEMENT_INVALID, str(error))
    return statement


def _check(statement: NodeStatement) -> None:
    ids.check_node_id(statement.node_id)
    if keys.is_weak(ids.check_hex64(statement.public_key, "public key")):
        raise DecodeError("the public key is one that anybody can sign for")
    if ids.check_name(statement.name) != statement.name:
        raise DecodeError(f"name {statement.name!r} is not in its one form (NFC)")
    scopes.check_scope(statement.scope)
    if len(statement.tags) > MAX_TAGS:
        raise DecodeError(f"more than {MAX_TAGS} tags")
    for tag, value in statement.tags.items():
        ids.check_tag(tag, value)
    if statement.version < 1 or statement.issued_at < 0:
        raise DecodeError("version is at least 1 and issued_at at least 0")


def verify(
    envelope: dsse.Envelope, roster: Roster, held: NodeStatement | None = None
) -> NodeStatement | Refused:
    """Return the statement in an envelope that this roster's operators signed, or why it is none.

    `held` is the statement known so far (None: nothing was signed about the host yet): the new one
    has to be newer, and whoever signs it needs authority over the host as it was and as it becomes.
    The one that is held, shown again, is returned as it is.
    """
    statement = decode(envelope)
    if isinstance(statement, Refused):
        return statement
    if statement == held:
        return statement
    if held is not None:
        if statement.node_id != held.node_id:
            return Refused(Reason.STATEMENT_INVALID, "it speaks of another host")
        if statement.version <= held.version:
            text = f"version {statement.version} offered, {held.version} held"
            return Refused(Reason.STATEMENT_OLD, text)
    signed = authority.holders(envelope, roster)
    if isinstance(signed, Refused):
        return signed
    able = tuple(signer for signer in signed if may_sign(roster.find(signer), statement, held))
    if not able:
        text = f"signed by {', '.join(signed)}, none may say this about the host"
        return Refused(Reason.STATEMENT_INVALID, text)
    needed = quorum(roster, statement, held)
    if len(able) < needed:
        return Refused(Reason.QUORUM_MISSING, f"{len(able)} of {needed} signatures")
    return statement


def may_sign(
    operator: RosterOperator | None, statement: NodeStatement, held: NodeStatement | None
) -> bool:
    """Say whether an operator's signature counts on a statement.

    An admin's does, or that of an operator who has a grant that names `policy.change`; grants of
    either must cover the host before (one of which nothing is known only by a grant that asks no
    tags) and after, so that nobody moves a host into his own reach or out of that of others.
    """
    if operator is None or operator.role not in {"admin", "operator"}:
        return False
    grants = operator.grants
    if operator.role == "operator":
        grants = tuple(grant for grant in grants if CAPABILITY in grant.capabilities)
        if not grants:
            return False
    if not grants:
        return True
    scope, tags = (statement.scope, None) if held is None else (held.scope, held.tags)
    before = any(grant.covers(CAPABILITY, scope, tags) for grant in grants)
    after = any(grant.covers(CAPABILITY, statement.scope, statement.tags) for grant in grants)
    return before and after


def quorum(roster: Roster, statement: NodeStatement, held: NodeStatement | None) -> int:
    """Return how many must sign: one, unless a rule names `policy.change` or the scope changes.

    Moving a host away from a posture would be the way round its rule, so that takes what the rule
    of the scope left takes.
    """
    rules = [_named(roster, statement.scope)]
    if held is not None:
        moved = held.scope != statement.scope
        rules.append(roster.approval(held.scope, CAPABILITY) if moved else ApprovalRule())
    return max(rule.quorum for rule in rules)


def _named(roster: Roster, scope: str) -> ApprovalRule:
    named = {posture: rule for posture, rule in roster.approvals.items() if rule.capabilities}
    return msgspec.structs.replace(roster, approvals=named).approval(scope, CAPABILITY)


def vouches_for(statement: NodeStatement, public_key: bytes) -> bool:
    """Say whether the operators have named this key as the host's own."""
    return statement.public_key == public_key.hex()
