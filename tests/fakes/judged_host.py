"""One enrolled host that judges offers without a link, and the operators whose word it knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from agent import step_store
from agent.core import Core
from agent.trust import Pins
from protocol import decisions, dsse, node_statement, reports, revocations, roster, standing
from protocol.keys import SigningKey
from protocol.messages import Offer, RevocationUpdate, RosterUpdate, StatementUpdate, Welcome
from protocol.node_statement import NodeStatement
from protocol.reasons import Refused
from protocol.revocations import Revocation
from protocol.roster import Roster
from protocol.standing import Standing
from tests.fakes.agent import NOW, Clock, make_core
from tests.fakes.operators import SCOPE, Approval, Operator, module, sign

ADA, BOB = Operator(), Operator(username="bob", role="operator")
CEM = Operator(username="cem", role="operator")
EVE = Operator(username="eve")
COORDINATOR = Operator(SigningKey.generate(), "machine", "automation")
NIGHTLY = Standing("nightly", (), 600)
VERSIONS = (module("web", b"name: web", ADA), module("base", b"name: base", ADA))


def roster_of(**fields: object) -> Roster:
    """Version 1 with Ada as admin, Bob and Cem as operators, the coordinator as automation."""
    people = tuple(who.entry() for who in (ADA, BOB, CEM, COORDINATOR))
    return msgspec.structs.replace(Roster(1, 1, people, 1, "", 1_000), **fields)


@dataclass
class Host:
    """One enrolled host, its memory, and an approval that would be good."""

    root: Path
    roster: Roster = field(default_factory=roster_of)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.core: Core = make_core(self.root / "state", self.clock)
        pins = Pins(("https://c",), COORDINATOR.key.public, "ab" * 32, None)
        self.core.trust.enrol(pins)
        self.core.trust.welcome(Welcome(self.node, "approved", 0, 1, 0.0, SCOPE))
        self.take(self.roster, ADA)
        self.approval = Approval(self.node, (), ("ab" * 32,), NOW)

    @property
    def node(self) -> str:
        return self.core.identity.node_id

    def take(self, made: Roster, *signers: Operator) -> None:
        self.core.on_roster(RosterUpdate((signed_roster(made, *signers),)))

    def state(self, *signers: Operator, **changes: object) -> None:
        """Show the host a statement about itself."""
        made = NodeStatement(
            1, 1, self.node, self.core.identity.key.public.hex(), "web1", SCOPE, {}, int(NOW)
        )
        made = msgspec.structs.replace(made, **changes)
        self.core.on_statement(StatementUpdate(signed_statement(made, *signers)))

    def revoke(self, revocation: Revocation, *signers: Operator) -> None:
        envelope = _signed(dsse.REVOCATION, revocations.encode(revocation), *signers)
        self.core.on_revocations(RevocationUpdate((envelope,)))

    def offered(self, offer: Offer) -> str:
        """Return the reason of a refusal, or what became of the offer."""
        held = self.core.database.read(step_store.count_unfinished)
        verdict = self.core.admission.consider(offer)
        if isinstance(verdict, Refused):
            assert self.core.database.read(step_store.count_unfinished) == held
            return verdict.reason
        return verdict

    def policy(self, text: str) -> None:
        (self.root / "state/policy.toml").write_text(f'[capabilities."state.apply"]\n{text}\n')

    def schedule(self, *signers: Operator, order: Standing = NIGHTLY, **changes: object) -> Offer:
        """An offer under a standing decision over both modules."""
        versions = {version.name: version.sha256 for version in VERSIONS}
        action = standing.action(versions, 2, order)
        fields = {"action_hash": decisions.canonical_hash(action), "uses": 3, **changes}
        decision = msgspec.structs.replace(self.approval.decision(), **fields)
        return Offer(
            "run-1", "state.apply", "l", 1, "op", VERSIONS, sign(decision, signers),
            removal_limit=2, standing=order,
        )  # fmt: skip


def _signed(kind: str, payload: bytes, *signers: Operator) -> dsse.Envelope:
    first, *others = signers
    envelope = dsse.sign(kind, payload, first.key, first.id)
    for other in others:
        envelope = dsse.add_signature(envelope, other.key, other.id)
    return envelope


def signed_roster(made: Roster, *signers: Operator) -> dsse.Envelope:
    return _signed(dsse.ROSTER, roster.encode(made), *signers)


def signed_statement(made: NodeStatement, *signers: Operator) -> dsse.Envelope:
    return _signed(dsse.NODE, node_statement.encode(made), *signers)


def following(before: Roster, **changes: object) -> Roster:
    previous = reports.content_digest(roster.encode(before))
    fields = {"version": before.version + 1, "previous": previous, **changes}
    return msgspec.structs.replace(before, **fields)
