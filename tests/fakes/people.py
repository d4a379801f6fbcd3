"""Operators, rosters and decisions with fixed keys, for every test that needs somebody to sign."""

from __future__ import annotations

import base64

from protocol import decisions, dsse, ids, reports
from protocol import roster as rosters
from protocol.decisions import Decision
from protocol.keys import SigningKey
from protocol.policy import Policy
from protocol.roster import Role, Roster, RosterOperator, TrustedRoster

NOW = 1_800_000_000
ULID = "01JZ0000000000000000000001"


def key(number: int) -> SigningKey:
    """Return one of 255 fixed keys."""
    return SigningKey(bytes([number]) * 32)


def person(number: int, role: Role = "admin") -> RosterOperator:
    """Return the operator that holds key `number`."""
    public = key(number).public
    return RosterOperator(ids.operator_id(public), f"person{number}", public.hex(), role)


def keyid(number: int) -> str:
    """Return the operator id of key `number`."""
    return ids.operator_id(key(number).public)


def sign(payload_type: str, payload: bytes, *numbers: int) -> dsse.Envelope:
    """Return an envelope signed by the keys with these numbers."""
    envelope = dsse.Envelope(payload_type, base64.b64encode(payload).decode())
    for number in numbers:
        envelope = dsse.add_signature(envelope, key(number), keyid(number))
    return envelope


def first_roster(
    *people: RosterOperator, threshold: int = 1, epochs: dict[str, int] | None = None
) -> Roster:
    """Return version 1 of a roster."""
    return Roster(1, 1, people or (person(1),), threshold, "", NOW, epochs or {})


def sign_roster(roster: Roster, *numbers: int) -> dsse.Envelope:
    """Return the signed envelope of a roster."""
    return sign(dsse.ROSTER, rosters.encode(roster), *numbers)


def trusted(roster: Roster, *numbers: int) -> TrustedRoster:
    """Return a roster as verified without looking at signatures."""
    envelope = sign_roster(roster, *(numbers or (1,)))
    return TrustedRoster(roster, reports.content_digest(envelope.content()), envelope)


NODE = ids.node_id(key(100).public)
ACTION = decisions.apply_action("ab" * 32, 0)


def decision(**changes: object) -> Decision:
    """Return a decision that holds for NODE and ACTION, with some fields changed."""
    fields: dict[str, object] = {
        "v": 1,
        "decision_id": ULID,
        "verdict": "approve",
        "capability": "state.apply",
        "action_hash": decisions.canonical_hash(ACTION),
        "nodes": (NODE,),
        "scope": ids.DEFAULT_SCOPE,
        "epoch": 0,
        "not_before": NOW,
        "expires_at": NOW + 3_600,
        "uses": 1,
        "requested_by": "person1",
    }
    return Decision(**(fields | changes))  # type: ignore[arg-type]  # tests give each its type


def sign_decision(value: Decision, *numbers: int) -> dsse.Envelope:
    """Return the signed envelope of a decision."""
    return sign(dsse.DECISION, decisions.encode(value), *numbers)


def context(**changes: object) -> decisions.Context:
    """Return what NODE knows: an admin 1, operators 2 and 3, a viewer 4, the coordinator 9."""
    people = (
        person(1),
        person(2, "operator"),
        person(3, "operator"),
        person(4, "viewer"),
        person(5, "automation"),
        person(9, "automation"),
    )
    fields: dict[str, object] = {
        "node_id": NODE,
        "scope": ids.DEFAULT_SCOPE,
        "roster": first_roster(*people),
        "policy": Policy(),
        "coordinator_id": keyid(9),
        "coordinator_key": key(9).public,
        "used": {},
        "epochs": {},
        "now": float(NOW + 1),
    }
    return decisions.Context(**(fields | changes))  # type: ignore[arg-type]  # as above
