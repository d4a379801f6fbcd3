"""The agent's parts put together, without tasks: what the services share and who rings whom.

Starting and stopping is `main`; each long-lived task is one file in `services`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from agent import enrolling, facts, ledger, policy_facts
from agent.admission import Admission
from agent.audit_heads import AuditHeads
from agent.bells import Bell
from agent.clock import Clock
from agent.config import AgentConfig
from agent.database import Database, StorageError
from agent.engine_thread import EngineThread
from agent.identity import Identity
from agent.journal import Journal
from agent.ledger import Ledger
from agent.logs import Log
from agent.memory import Memory
from agent.problems import Problems
from agent.secrets import Secrets
from agent.steps import Steps
from agent.trust import Trust
from protocol import dsse, revocations
from protocol.errors import StandfastError
from protocol.messages import (
    Audit,
    Cancel,
    Desired,
    Facts,
    Heartbeat,
    Offer,
    RevocationUpdate,
    RosterUpdate,
    StatementUpdate,
)
from protocol.reasons import Reason, Refused
from protocol.revocations import Revocation

# Distinct things to tell the operators, remembered so that a repeated lie fills no journal.
MAX_TOLD = 256
MAX_TOLD_TEXT = 1_024
# A look at a file system that hangs holds up all other work; nothing can end it, so it is said.
BUSY_SECONDS = 900.0


class Core:
    """Everything that one agent holds; owned by `main`, used by the services."""

    def __init__(
        self,
        config: AgentConfig,
        identity: Identity,
        database: Database,
        *,
        clock: Clock,
        log: Log,
        inline: bool = False,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.config = config
        self.identity = identity
        self.database = database
        self.clock = clock
        self.entropy = entropy
        self.log = log
        self.problems = Problems()
        self.journal = Journal(database, identity.key, clock, config.journal_limit)
        self.ledger = Ledger(database)
        self.trust = Trust(database)
        self.audit_heads = AuditHeads(database, self.journal, Path(config.state_dir), clock)
        self.thread = EngineThread(inline=inline)
        self.hostname = config.hostname or facts.own_hostname()
        self.facts = facts.collect(self.hostname)
        # The journal has grown · there may be work · pins were made · facts are others.
        self.journal_bell, self.work_bell = Bell(), Bell()
        self.pins_bell, self.facts_bell = Bell(), Bell()
        self.drift: str | None = None
        # Something that the coordinator said found no room on the disk: it has to say it again.
        self.missed = False
        self._told: set[tuple[str, str]] = set()
        state_dir = Path(config.state_dir)
        memory = Memory(database, self.journal, self.ledger, self.trust)
        self.admission = Admission(
            memory, node_id=identity.node_id, clock=clock, policy_path=Path(config.policy_file)
        )
        self.secrets = Secrets(
            database,
            self.trust,
            node_id=identity.node_id,
            key=identity.sealing,
            fingerprint_key=_fingerprint_key(identity),
            clock=clock,
        )
        self.steps = Steps(
            memory,
            node_id=identity.node_id,
            hostname=self.hostname,
            state_dir=state_dir,
            fingerprint_key=_fingerprint_key(identity),
            clock=clock,
            thread=self.thread,
            changed=self.journal_bell,
            still=self.admission.still,
            rule=self.admission.rule,
            secrets=self.secrets,
        )
        self.steps.set_attributes(self.facts.attributes)

    def attach(self) -> None:
        """Remember the event loop for rings from the worker thread."""
        self.journal_bell.attach()

    def enrol_from_config(self) -> bool:
        """Take the enrolment key that the configuration or the state directory holds; True if any.

        A host that is registered needs none: the key in the configuration was used then and may be
        gone now. Then what is wrong with a key is told, and the host stays where it is.

        Raises:
            StandfastError: this host has no coordinator yet, and what was found is no key.
        """
        held = self.trust.pins
        registered = held is not None and held.secret is None and bool(self.trust.standing.scope)
        state_dir = Path(self.config.state_dir)
        try:
            pins = (
                enrolling.left(state_dir) if registered else enrolling.find(self.config, state_dir)
            )
            if pins is not None:
                self.trust.enrol(pins)
        except StandfastError as error:
            if held is None:
                raise
            # A host that has a coordinator does not stay down for a key that it does not need.
            self.problems.put("enrolment", str(error)[:200])
            self.log.failure("enrolment key not taken", error=str(error))
            return False
        return pins is not None

    def heartbeat(self, now: float) -> Heartbeat:
        """Return the sign of life of this moment; `now` is the session's clock and not shown."""
        self.database.recover()
        if self.database.disk_full:
            self.problems.put("disk_full", "no room left under the state directory")
        else:
            self.problems.clear("disk_full")
            if self.missed:
                # A coordinator says everything anew at the start of a link, and only there.
                self.missed = False
                self.steps.meeting.renew.ring()
        if self.journal.dropped:
            text = f"{self.journal.dropped} notes found no room until the coordinator acknowledges"
            self.problems.put("journal_full", text)
        elif self.journal.has_room_for_notes:
            self.problems.clear("journal_full")
        if self.thread.busy_for(now) > BUSY_SECONDS:
            minutes = round(BUSY_SECONDS / 60)
            self.problems.put("engine_busy", f"one step or look takes more than {minutes} minutes")
        else:
            self.problems.clear("engine_busy")
        return Heartbeat(
            at=self.clock(),
            leases=self.steps.leases(),
            generation=self.ledger.desired().generation,
            drift=self.drift,
            problems=self.problems.listed(),
        )

    def on_offer(self, offer: Offer) -> None:
        """Accept or refuse a step."""
        verdict = self.admission.consider(offer)
        if isinstance(verdict, Refused):
            self.log.warning("step refused", run=offer.run_id[:128], reason=verdict.reason.value)
        elif verdict == "accepted":
            self.log.info("step accepted", run=offer.run_id, step=offer.step)
        self.journal_bell.ring()
        self.work_bell.ring()

    def on_audit_head(self, head: dsse.Envelope, coordinator_key: bytes) -> None:
        """Remember what the coordinator signs about its event log; a contradiction is told of."""
        try:
            refused = self.audit_heads.take(head, coordinator_key)
        except StorageError as error:
            self.not_stored("audit head", error)
            return
        if refused is not None:
            self.tell("audit.contradicted", refused.detail, refused.reason)
        self.journal_bell.ring()

    def facts_now(self) -> Facts:
        """Return the facts of the host, what its policy asks, and the heads that it remembers."""
        own = policy_facts.told(Path(self.config.policy_file))
        details = {**self.facts.details, **own, **self.audit_heads.facts()}
        return msgspec.structs.replace(self.facts, details=details)

    def not_stored(self, what: str, error: StorageError) -> None:
        """Note that something of the coordinator's was lost here; it is asked for again."""
        self.missed = True
        self.log.failure(f"{what} not stored", error=str(error))

    def on_cancel(self, message: Cancel) -> None:
        """Stop a step."""
        self.steps.cancel(message)
        self.work_bell.ring()

    def on_desired(self, message: Desired) -> None:
        """Store a desired document; one that may not replace the one held is told of."""
        try:
            taken = self.ledger.take_desired(message.generation, message.document)
        except StorageError as error:
            self.not_stored("desired state", error)
            return
        if isinstance(taken, Refused):
            self.tell("desired.refused", taken.detail, taken.reason)

    def on_signed(self, message: RosterUpdate | StatementUpdate | RevocationUpdate) -> None:
        """Take in what operators signed, which the coordinator only carries."""
        match message:
            case RosterUpdate():
                self.on_roster(message)
            case StatementUpdate():
                self.on_statement(message)
            case RevocationUpdate():
                self.on_revocations(message)

    def on_roster(self, message: RosterUpdate) -> None:
        """Verify and store a newer roster; one that does not continue ours is told of."""
        try:
            taken = self.trust.take_roster(message.chain, self.clock())
        except StorageError as error:
            self.not_stored("roster", error)
            return
        if isinstance(taken, Refused):
            self.tell("roster.refused", taken.detail, taken.reason)
        elif taken is not None and taken.recovered:
            text = f"roster {taken.roster.version} was signed by recovery keys, not by the admins"
            self.tell("roster.recovered", text, severity="critical")

    def on_statement(self, message: StatementUpdate) -> None:
        """Verify and store what the operators signed about this host."""
        own = self.identity
        try:
            taken = self.trust.take_statement(
                message.envelope, own.node_id, own.key.public, self.clock()
            )
        except StorageError as error:
            self.not_stored("statement", error)
            return
        if isinstance(taken, Refused):
            self.tell("statement.refused", taken.detail, taken.reason)

    def on_revocations(self, message: RevocationUpdate) -> None:
        """Verify and store which decisions were taken back, and stop what is done under them."""
        trusted = self.trust.roster
        if trusted is None:
            return
        for envelope in message.envelopes:
            found = revocations.verify(envelope, trusted.roster)
            if isinstance(found, Refused):
                self.tell("revocation.refused", found.detail, found.reason)
                continue
            try:
                taken = self._revoke(found)
            except StorageError as error:
                self.not_stored("revocation", error)
                return
            if isinstance(taken, Refused):
                self.tell("revocation.refused", taken.detail, taken.reason)
            elif taken:
                self.log.info("decision taken back", decision=found.decision_id)
                self.steps.revoke(found.decision_id)
        self.work_bell.ring()

    def _revoke(self, found: Revocation) -> bool | Refused:
        return self.database.write(lambda tx: ledger.revoke(tx, found, self.clock()))

    def tell(
        self,
        event: str,
        text: str,
        reason: Reason | None = None,
        severity: Literal["warning", "critical"] = "warning",
    ) -> None:
        """Log something and put it in the journal, each distinct text once per start.

        What has a reason is a refusal, and critical.
        """
        # Cut before it is remembered: the words may be a peer's, and a frame is 1 MiB.
        text = text[:MAX_TOLD_TEXT]
        self.log.warning(event, detail=text, reason=None if reason is None else reason.value)
        if (event, text) in self._told or len(self._told) >= MAX_TOLD:
            return
        self._told.add((event, text))
        audit = Audit(event, text, severity=severity)
        if reason is not None:
            audit = Audit(event, text, reason.value, "critical")
        try:
            self.journal.note(audit)
        except StorageError as error:
            self.log.failure("audit line not stored", error=str(error))
        self.journal_bell.ring()


def _fingerprint_key(identity: Identity) -> bytes:
    # Derived, so that there is one secret to keep; it never leaves the host either.
    seed = identity.key.seed()
    return hmac.new(seed, b"standfast/fingerprint/v1\x00", hashlib.sha256).digest()
