"""Whose signatures count: which hold, which of them may decide, and whether they are enough.

The host asks this of every decision, the coordinator and the client of those that still wait.
What a decision says of target, time and use is `protocol.decisions`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from protocol import dsse
from protocol.errors import DecodeError
from protocol.policy import Capability
from protocol.reasons import Reason, Refused
from protocol.roster import DECIDING_ROLES, ApprovalRule, Roster, RosterOperator

_EVERY_ROLE: frozenset[str] = frozenset({"admin", "operator", "viewer", "automation"})


class Work(msgspec.Struct, frozen=True):
    """What is to be decided on: some capability, in a scope, on a host with these signed tags.

    `tags` None: nothing was signed about the host. `automation` is the coordinator's public key
    where policy lets it decide too, b"" where it does not.
    """

    capability: Capability
    scope: str
    tags: Mapping[str, str] | None = None
    automation: bytes = b""


def holders(
    envelope: dsse.Envelope, roster: Roster, coordinator: tuple[str, bytes] | None = None
) -> tuple[str, ...] | Refused:
    """Return the ids of all whose signatures hold, whatever they may.

    `coordinator` is the id and key of the coordinator, so that its signature is told apart from a
    stranger's; the roster has the last word on whose key an id means.
    """
    known = roster.keys(_EVERY_ROLE)
    if coordinator is not None:
        known = {coordinator[0]: coordinator[1], **known}
    if not envelope.signatures:
        return Refused(Reason.UNSIGNED, "the envelope carries no signature")
    if not any(signature.keyid in known for signature in envelope.signatures):
        return Refused(Reason.SIGNER_UNKNOWN, f"keyid {envelope.signatures[0].keyid[:64]!r}")
    try:
        held = dsse.signers(envelope, known)
    except DecodeError as error:
        return Refused(Reason.ENVELOPE_INVALID, str(error))
    if not held:
        return Refused(Reason.SIGNATURE_INVALID, "no signature matches the payload")
    return held


def deciders(held: tuple[str, ...], roster: Roster, work: Work) -> tuple[str, ...] | Refused:
    """Return those of the holders who may decide on some work, by role and then by grant."""
    people = [operator for operator in map(roster.find, held) if operator is not None]
    able = [operator for operator in people if _role_allows(operator, work)]
    if not able:
        return Refused(Reason.ROLE_FORBIDDEN, f"signed by {', '.join(held)}, none may decide")
    granted = [each for each in able if each.may(work.capability, work.scope, work.tags)]
    if not granted:
        names = ", ".join(operator.username for operator in able)
        text = f"no grant of {names} covers {work.capability} here, in {work.scope}"
        return Refused(Reason.GRANT_MISSING, text)
    return tuple(operator.operator_id for operator in granted)


def _role_allows(operator: RosterOperator, work: Work) -> bool:
    # Of the automations only the coordinator itself is let in, and only where policy says so.
    return operator.role in DECIDING_ROLES or (
        operator.role == "automation" and operator.public_key == work.automation.hex()
    )


def counted(
    able: tuple[str, ...],
    held: tuple[str, ...],
    roster: Roster,
    rule: ApprovalRule,
    requested_by: str,
) -> tuple[str, ...] | Refused:
    """Return those of the deciders who count under a rule, or what is missing.

    Where the requester is left out, the decision says who asked (by id or username), and that one
    has to have signed as well: what nobody else vouches for would exclude nobody. Such a rule, and
    a quorum of two or more, is one for people: an automation does not count in it.
    """
    found = able
    if rule.requester_excluded:
        requester = find_id(roster, requested_by)
        if requester not in held:
            text = f"{requested_by[:64]!r} asked for it and has not signed"
            return Refused(Reason.REQUESTER_UNPROVEN, text)
        found = tuple(signer for signer in found if signer != requester)
    if rule.quorum > 1 or rule.requester_excluded:
        people = roster.keys(DECIDING_ROLES)
        found = tuple(signer for signer in found if signer in people)
    if len(found) < rule.quorum:
        besides = " besides the requester's" if rule.requester_excluded else ""
        text = f"{len(found)} of {rule.quorum} signatures{besides}"
        return Refused(Reason.QUORUM_MISSING, text)
    return found


def find_id(roster: Roster, text: str) -> str | None:
    """Return the id of the operator that a text names: by id first, else by username."""
    if roster.find(text) is not None:
        return text
    found = (o.operator_id for o in roster.operators if o.username == text)
    return next(found, None)
