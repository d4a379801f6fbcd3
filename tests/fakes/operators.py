"""Operators for tests: keys, rosters, signed modules, and decisions as a client makes them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from protocol import decisions, dsse, ids, merkle, roster
from protocol.decisions import Decision, PlanProof
from protocol.keys import SigningKey
from protocol.messages import ModuleVersion, Offer

SCOPE = "default/default/default"


@dataclass(frozen=True)
class Operator:
    """One operator of a test."""

    key: SigningKey = field(default_factory=SigningKey.generate)
    username: str = "ada"
    role: roster.Role = "admin"

    @property
    def id(self) -> str:
        return ids.operator_id(self.key.public)

    def entry(self) -> roster.RosterOperator:
        return roster.RosterOperator(self.id, self.username, self.key.public.hex(), self.role)


def first_roster(*operators: Operator, issued_at: int = 1_000) -> dsse.Envelope:
    """Version 1, signed by the first operator."""
    made = roster.Roster(1, 1, tuple(o.entry() for o in operators), 1, "", issued_at)
    return dsse.sign(dsse.ROSTER, roster.encode(made), operators[0].key, operators[0].id)


def next_roster(
    previous: dsse.Envelope,
    signer: Operator,
    *operators: Operator,
    issued_at: int = 2_000,
    epochs: dict[str, int] | None = None,
) -> dsse.Envelope:
    """The version after another, signed by one operator."""
    old = roster.decode(previous)
    assert isinstance(old, roster.Roster)
    made = roster.Roster(
        1,
        old.version + 1,
        tuple(o.entry() for o in operators),
        1,
        hashlib.sha256(previous.content()).hexdigest(),
        issued_at,
        epochs or {},
    )
    return dsse.sign(dsse.ROSTER, roster.encode(made), signer.key, signer.id)


def roster_digest(envelope: dsse.Envelope) -> str:
    """What an enrolment key pins."""
    return hashlib.sha256(envelope.content()).hexdigest()


def module(name: str, content: bytes, signer: Operator | None) -> ModuleVersion:
    """A module version, signed by an operator or by nobody."""
    envelope = None
    if signer is not None:
        envelope = dsse.sign(dsse.MODULE, content, signer.key, signer.id)
    return ModuleVersion(name, hashlib.sha256(content).hexdigest(), content, envelope)


@dataclass
class Approval:
    """An apply that an operator approved; tests change one thing before they offer it."""

    node_id: str
    modules: tuple[ModuleVersion, ...]
    approved: tuple[str, ...]
    now: float
    removal_limit: int = 0
    run_id: str = "run-1"
    fence: int = 1
    decision_number: int = 1

    def plan(self) -> tuple[str, PlanProof]:
        leaves = sorted(bytes.fromhex(item) for item in self.approved)
        root, proofs = decisions.plan_tree({self.node_id: merkle.root(leaves).hex()})
        return root, proofs[self.node_id]

    def decision(self) -> Decision:
        root, _ = self.plan()
        return Decision(
            v=1,
            decision_id=ids.ulid(self.now, self.decision_number.to_bytes(10, "big")),
            verdict="approve",
            capability="state.apply",
            action_hash=decisions.canonical_hash(decisions.apply_action(root, self.removal_limit)),
            nodes=(self.node_id,),
            scope=SCOPE,
            epoch=0,
            not_before=int(self.now),
            expires_at=int(self.now) + 3_600,
            uses=1,
            requested_by="ada",
        )

    def offer(self, envelope: dsse.Envelope | None) -> Offer:
        return Offer(
            run_id=self.run_id,
            step="state.apply",
            lease=f"lease-{self.run_id}",
            fence=self.fence,
            operation_id=f"operation-{self.run_id}",
            modules=self.modules,
            decision=envelope,
            approved=self.approved,
            proof=self.plan()[1],
            removal_limit=self.removal_limit,
        )

    def signed(self, *signers: Operator, **changes: object) -> Offer:
        """The offer with its decision, some fields of it changed before it is signed."""
        decision = msgspec.structs.replace(self.decision(), **changes)
        return self.offer(sign(decision, signers))


def sign(decision: Decision, signers: Sequence[Operator]) -> dsse.Envelope:
    """A decision's envelope with the signatures of some operators."""
    first, *others = signers
    payload = decisions.encode(decision)
    envelope = dsse.sign(dsse.DECISION, payload, first.key, first.id)
    for other in others:
        envelope = dsse.add_signature(envelope, other.key, other.id)
    return envelope
