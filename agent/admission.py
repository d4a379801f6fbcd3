"""Taking on work or refusing it: every check that stands between an offer and this host.

Envelope, signatures, target, replay, clock and policy are judged, the decision is consumed and the
acceptance is journalled in one transaction; nothing is executed here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from agent import ledger, policy_check, policy_file, step_store
from agent.clock import Clock
from agent.database import StorageError, Tx
from agent.memory import Memory
from protocol import commands, decisions, ids, merkle, messages, reports, standing
from protocol.decisions import Context
from protocol.errors import DecodeError, InvalidName
from protocol.limits import MAX_APPROVED_ITEMS, MAX_ID, MAX_OFFERS
from protocol.messages import Offer, RefusedStep, StepKind
from protocol.policy import Capability, CapabilityRule
from protocol.reasons import Reason, Refused

# Of a refusal's words in the journal: two lines of a terminal are enough, this is twelve.
MAX_DETAIL = 1_024

# Steps that change something, and what a decision on them is called; the others only read.
CAPABILITIES: dict[StepKind, Capability] = {
    "state.apply": "state.apply",
    "command.run": "command.run",
}

Admitted = Literal["accepted", "known"]


class Admission:
    """Judges offers for one host."""

    def __init__(
        self,
        memory: Memory,
        *,
        node_id: str,
        clock: Clock,
        policy_path: Path,
    ) -> None:
        self._database = memory.database
        self._journal = memory.journal
        self._trust = memory.trust
        self._node_id = node_id
        self._clock = clock
        self._policy_path = policy_path

    def consider(self, offer: Offer) -> Admitted | Refused:
        """Accept a step durably, or refuse it, which is journalled too.

        A step that this host knows already is not judged again: only its fence may rise.
        """
        try:
            return self._database.write(lambda tx: self._consider(tx, offer))
        except StorageError as error:
            reason = Reason.DISK_FULL if error.full else Reason.BUSY
            refused = Refused(reason, str(error))
        self._note(offer, refused)
        return refused

    def still(self, offer: Offer) -> Refused | None:
        """Return why an accepted step may not be begun, or gone on with, any more.

        It may have waited in the queue, or for this host to be switched on again, while its
        decision expired, the operators drew a line, or the host's owner changed the policy.
        """
        if offer.step not in CAPABILITIES:
            return None
        verdict = self._database.read(lambda tx: self._judge(tx, offer, again=True))
        return verdict if isinstance(verdict, Refused) else None

    def rule(self) -> CapabilityRule | Refused:
        """Return what the host's own policy says of changes of state, as its file stands now."""
        try:
            return policy_file.load(self._policy_path).rule("state.apply")
        except policy_file.PolicyFileError as error:
            return Refused(Reason.POLICY_DENIED, str(error))

    def _note(self, offer: Offer, refused: Refused) -> None:
        try:
            self._journal.note(_refusal(offer, refused))
        except StorageError:
            # Nothing can be written at all; heartbeats say so, and the lease will run out.
            return

    def _consider(self, tx: Tx, offer: Offer) -> Admitted | Refused:
        known = step_store.find(tx, offer.run_id)
        if known is not None:
            if known.phase != "finished":
                step_store.adopt(tx, known, offer)
            return "known"
        verdict = self._room(tx, offer) or self._judge(tx, offer)
        if isinstance(verdict, Refused):
            if len(offer.run_id) <= MAX_ID and self._journal.has_room_for_notes:
                self._journal.append(tx, _refusal(offer, verdict))
            return verdict
        step_store.add(tx, offer)
        if verdict is None:
            self._journal.append(tx, messages.Accepted(offer.run_id, offer.fence))
            return "accepted"
        decision = verdict.decision
        ledger.consume(tx, decision, self._clock())
        self._journal.append(
            tx,
            messages.Accepted(
                offer.run_id,
                offer.fence,
                decision.capability,
                decision.decision_id,
                verdict.signers,
            ),
        )
        return "accepted"

    def _room(self, tx: Tx, offer: Offer) -> Refused | None:
        # The heartbeat repeats the lease and the result the operation: both have to fit.
        if max(map(len, (offer.run_id, offer.lease, offer.operation_id))) > MAX_ID:
            return Refused(Reason.ENVELOPE_INVALID, f"an id is longer than {MAX_ID} characters")
        if self._trust.standing.approval != "approved":
            return Refused(Reason.NOT_APPROVED, "this host is not approved")
        if self._database.disk_full:
            return Refused(Reason.DISK_FULL, "the disk under the state directory is full")
        if not self._journal.has_room:
            text = "the journal is full of results that the coordinator has not acknowledged"
            return Refused(Reason.DISK_FULL, text)
        held = step_store.count_unfinished(tx)
        if held >= MAX_OFFERS:
            return Refused(Reason.BUSY, f"{held} steps are waiting")
        return None

    def _judge(
        self, tx: Tx, offer: Offer, *, again: bool = False
    ) -> decisions.Accepted | Refused | None:
        """Return None for a step that only reads, which needs no decision.

        `again` says that the use of its decision was counted when it was accepted.
        """
        wrong = wrong_module(offer)
        capability = CAPABILITIES.get(offer.step)
        if capability is None:
            return wrong
        context = self._context(tx, offer, again=again)
        if isinstance(context, Refused):
            return context
        action = signed_action(offer, self._node_id)
        verdict = decisions.judge(offer.decision, capability, action or b"", context)
        if isinstance(verdict, Refused):
            if action is None and verdict.reason is Reason.ACTION_MISMATCH:
                text = "what is offered is not this host's part of what was signed"
                return Refused(Reason.ACTION_MISMATCH, text)
            return verdict
        if offer.command is not None:  # it came alone: there is no module that could be wrong
            wrong = policy_check.forbidden_command(offer.command, context.policy.rule(capability))
        return wrong or verdict

    def _context(self, tx: Tx, offer: Offer, *, again: bool) -> Context | Refused:
        trusted, pins = self._trust.roster, self._trust.pins
        if trusted is None or pins is None:
            return Refused(Reason.ROSTER_UNKNOWN, "no roster has been verified on this host")
        try:
            policy = policy_file.load(self._policy_path)
        except policy_file.PolicyFileError as error:
            # What cannot be understood forbids: the file is there to forbid something.
            return Refused(Reason.POLICY_DENIED, str(error))
        decision_id = _decision_id(offer)
        return Context(
            node_id=self._node_id,
            scope=self._trust.scope,
            roster=trusted.roster,
            policy=policy,
            coordinator_id=ids.operator_id(pins.coordinator_key),
            coordinator_key=pins.coordinator_key,
            used={} if again else {decision_id: ledger.uses(tx, decision_id)},
            epochs=ledger.epochs(tx),
            now=max(self._clock(), ledger.latest_signed_time(tx)),
            statement=self._trust.statement,
            revoked=frozenset({decision_id}) if ledger.is_revoked(tx, decision_id) else frozenset(),
            node_proof=offer.node_proof,
            standing=offer.standing,
            acted=None if again else ledger.acted(tx, decision_id),
        )


def _decision_id(offer: Offer) -> str:
    decision = None if offer.decision is None else decisions.decode(offer.decision)
    return decision.decision_id if isinstance(decision, decisions.Decision) else ""


def signed_action(offer: Offer, node_id: str) -> bytes | None:
    """Return the action that an offer amounts to on this host; None if to none at all.

    A command comes alone: what would run beside it is in nothing that was signed.
    """
    if offer.step == "command.run" or offer.command is not None:
        return _command_action(offer)
    if offer.rollback_of and offer.modules:
        # What was signed for modules takes nothing back; nor is there a schedule without any.
        return None
    if offer.standing is None:
        return approved_action(offer, node_id)
    versions = {module.name: module.sha256 for module in offer.modules}
    if len(versions) != len(offer.modules):
        # Two under one name: only one of them would stand in what was signed.
        return None
    try:
        return standing.action(versions, offer.removal_limit, offer.standing)
    except DecodeError:
        return None


def _command_action(offer: Offer) -> bytes | None:
    beside = any((offer.modules, offer.approved, offer.secrets, offer.standing, offer.rollback_of))
    if offer.step != "command.run" or offer.command is None or beside:
        return None
    try:
        return commands.action(offer.command)
    except DecodeError:
        return None


def approved_action(offer: Offer, node_id: str) -> bytes | None:
    """Return the action that an offer amounts to on this host, built from its approved items.

    None if the items are not this host's leaf of the plan tree: then no action is approved.
    """
    if offer.proof is None or not 0 < len(offer.approved) <= MAX_APPROVED_ITEMS:
        return None
    try:
        leaves = sorted(ids.check_hex64(item, "an approved item") for item in offer.approved)
    except InvalidName:
        return None
    plan_digest = merkle.root(leaves).hex()
    if not decisions.plan_proof_holds(offer.proof, node_id, plan_digest):
        return None
    try:
        return decisions.apply_action(offer.proof.root, offer.removal_limit)
    except DecodeError:
        return None


def wrong_module(offer: Offer) -> Refused | None:
    """Return the refusal of the first module whose bytes are not those of its version."""
    for module in offer.modules:
        if reports.content_digest(module.content) != module.sha256:
            applies = offer.step == "state.apply"
            reason = Reason.PLAN_CHANGED if applies else Reason.MODULE_INVALID
            return Refused(reason, f"module {module.name[:64]!r} is not the version it claims")
    return None


def _refusal(offer: Offer, refused: Refused) -> RefusedStep:
    return RefusedStep(offer.run_id, offer.fence, refused.reason.value, refused.detail[:MAX_DETAIL])
