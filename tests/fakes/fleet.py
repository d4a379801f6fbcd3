"""A coordinator's store with a roster, an operator and hosts that keep honest journals."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from coordinator.domain import (
    agents,
    journal_intake,
    modules,
    node_statements,
    offers,
    roster,
    runs,
)
from coordinator.domain.actor import Actor
from coordinator.domain.host_reports import Host
from coordinator.domain.journal_intake import Intake
from coordinator.domain.refusals import Refusal
from coordinator.store.database import Store, Tx
from protocol import (
    api,
    decisions,
    dsse,
    handshake,
    ids,
    journal,
    messages,
    node_statement,
    reports,
)
from protocol.journal import Entry
from protocol.keys import SigningKey
from protocol.limits import ARTIFACT_CHUNK
from protocol.messages import (
    Accepted,
    ArtifactChunk,
    Body,
    Finished,
    Hello,
    Offer,
    Started,
    StepOutcome,
)
from protocol.ratchet import Held
from protocol.reports import PlanResult, PlanSummary, ResourceDiff
from tests.fakes import people
from tests.fakes.stores import FrozenClock, memory_store

MODULE = b"""name: site
supports:
  - platform: linux
resources:
  - resource:
      file-unix:
        path: /srv/page
        content: hello
"""
OPERATOR = Actor(people.keyid(1), "person1", "admin")


class FakeHost:
    """One host: its key, and its journal as it would keep it."""

    def __init__(self, number: int) -> None:
        self.key = people.key(number)
        self.node_id = ids.node_id(self.key.public)
        self.host = Host(self.node_id, ids.DEFAULT_SCOPE, f"host{number}")
        self.entries: list[Entry] = []
        # What it holds of the ratchet, from link to link.
        self.held: Held | None = None

    def hello(self, journal_head: int = 0) -> Hello:
        """What the host opens a link with."""
        sealing = bytes(32)
        return Hello(
            versions=messages.VERSIONS,
            public_key=self.key.public,
            sealing_key=sealing,
            sealing_sig=handshake.sign_sealing_key(self.key, sealing),
            nonce=bytes(32),
            agent_version="1",
            hostname=f"host-{self.node_id[:8]}",
            roster_version=0,
            generation=0,
            journal_head=journal_head,
        )

    def say(self, *bodies: Body, at: float = 1_800_000_000.0) -> list[Entry]:
        """Journal bodies and return their entries."""
        kinds: dict[type[Body], journal.EntryKind] = {
            kind: name for name, kind in messages.BODY_TYPES.items()
        }
        made: list[Entry] = []
        for body in bodies:
            prev = journal.hash_of(self.entries[-1]) if self.entries else journal.GENESIS
            data = messages.encode_body(body)
            seq = len(self.entries) + 1
            entry = journal.seal(seq, prev, at, kinds[type(body)], data, self.key)
            self.entries.append(entry)
            made.append(entry)
        return made

    def plan(self, *addresses: str) -> PlanResult:
        """A plan of this host that creates something at each address."""
        items: list[ResourceDiff] = []
        for address in addresses:
            bare = ResourceDiff("site", "file-unix", address, "create", desired="d" * 64)
            items.append(msgspec.structs.replace(bare, digest=reports.item_digest(bare)))
        resources = tuple(items)
        summary = PlanSummary(create=len(items))
        digest = reports.plan_digest(resources)
        return PlanResult(self.node_id, ("site",), resources, summary, digest)

    def result(
        self,
        offer: Offer,
        document: msgspec.Struct | None,
        outcome: StepOutcome = "succeeded",
        digest: str = "",
    ) -> list[Entry]:
        """Journal a step from acceptance to its end."""
        bodies: list[Body] = [
            Accepted(offer.run_id, offer.fence),
            Started(offer.run_id, offer.fence),
        ]
        name = None
        if document is not None:
            data = msgspec.json.encode(document)
            name = hashlib.sha256(data).hexdigest()
            bodies += chunks(data, "plan")
        bodies.append(Finished(offer.run_id, offer.fence, outcome, name, digest))
        return self.say(*bodies)


def chunks(data: bytes, kind: str, size: int = ARTIFACT_CHUNK) -> list[ArtifactChunk]:
    """The pieces in which a host sends an artifact."""
    name = hashlib.sha256(data).hexdigest()
    return [
        ArtifactChunk(name, kind, at, len(data), data[at : at + size])
        for at in range(0, len(data), size)
    ]


class Fleet:
    """A store in memory with everything that a run needs; the clock stands still."""

    def __init__(self, store: Store | None = None, clock: FrozenClock | None = None) -> None:
        self.clock = clock or FrozenClock()
        self.told: list[frozenset[str]] = []
        self.store = store or memory_store(self.clock, self.told.append)
        envelope = people.sign_roster(people.first_roster(), 1)
        self.store.write_now(lambda tx: self._begin(tx, envelope))

    def _begin(self, tx: Tx, envelope: dsse.Envelope) -> None:
        started = roster.start_with(tx, (envelope,))
        assert not isinstance(started, Refusal), started
        request = api.UploadModuleRequest("site", MODULE.decode())
        examined = modules.examine(tx, request)
        assert isinstance(examined, modules.Examined), examined
        modules.store(tx, OPERATOR, examined)

    def following(self, *numbers: int, **changes: object) -> dsse.Envelope:
        """The next version of the roster with some fields changed, signed by these people."""
        held = self.store.read_now(roster.current)
        assert held is not None
        follows: dict[str, object] = {
            "version": held.roster.version + 1,
            "previous": held.digest,
        }
        made = msgspec.structs.replace(held.roster, **(follows | changes))
        return people.sign_roster(made, *(numbers or (1,)))

    def adopt(self, *numbers: int, **changes: object) -> None:
        """Put the next version of the roster in force."""
        envelope = self.following(*numbers, **changes)
        taken = self.store.write_now(lambda tx: roster.accept(tx, OPERATOR, envelope))
        assert not isinstance(taken, Refusal), taken

    def add(self, number: int, *, approve: bool = True) -> FakeHost:
        """Register a host, and approve it."""
        host = FakeHost(number)

        def job(tx: Tx) -> None:
            agents.register(
                tx,
                hello=host.hello(),
                node_id=host.node_id,
                public_key=host.key.public,
                secret=None,
                peer="192.0.2.1",
                identity_public=bytes(32),
            )
            if approve:
                request = api.StatusChangeRequest("approved", f"host{number}")
                decided = agents.decide(tx, OPERATOR, host.node_id, request, None)
                assert isinstance(decided, api.Agent), decided

        self.store.write_now(job)
        return host

    def statement(
        self, host: FakeHost, tags: dict[str, str], number: int = 1, **changes: object
    ) -> dsse.Envelope:
        """What an operator signs about a host."""
        honest = node_statement.NodeStatement(
            v=1,
            version=1,
            node_id=host.node_id,
            public_key=host.key.public.hex(),
            name="web",
            scope=ids.DEFAULT_SCOPE,
            tags=tags,
            issued_at=int(self.clock.now),
        )
        made = msgspec.structs.replace(honest, **changes)
        return people.sign(dsse.NODE, node_statement.encode(made), number)

    def vouch(self, host: FakeHost, tags: dict[str, str]) -> None:
        """Put a statement about a host in force."""
        envelope = self.statement(host, tags)
        taken = self.store.write_now(
            lambda tx: node_statements.put(tx, OPERATOR, host.node_id, envelope)
        )
        assert not isinstance(taken, Refusal), taken

    def start(self, request: api.RunRequest) -> api.Run:
        """Start a run that is not refused."""
        made = self.store.write_now(lambda tx: runs.create_run(tx, OPERATOR, request))
        assert isinstance(made, api.Run), made
        return made

    def run(self, run_id: str) -> api.Run:
        """Show a run."""
        found = self.store.read_now(lambda tx: runs.get_run(tx, run_id))
        assert isinstance(found, api.Run), found
        return found

    def take(self, host: FakeHost, resend: Iterable[str] | None = None) -> offers.Work:
        """What the host's link would send now."""
        leases = None if resend is None else frozenset(resend)
        return self.store.write_now(lambda tx: offers.take(tx, host.node_id, resend=leases))

    def one_offer(self, host: FakeHost) -> Offer:
        """The one offer that is due to a host."""
        (offer,) = self.take(host).offers
        return offer

    def deliver(self, host: FakeHost, entries: Sequence[Entry]) -> Intake:
        """Take in a batch of a host's journal."""
        return self.store.write_now(
            lambda tx: journal_intake.take_in(tx, host.host, host.key.public, entries)
        )

    def planned(self, *hosts: FakeHost, items: int = 2) -> api.Run:
        """A plan run on hosts, done by each of them."""
        nodes = tuple(host.node_id for host in hosts)
        run = self.start(api.RunRequest("state.plan", nodes, modules=("site",)))
        for host in hosts:
            plan = host.plan(*(f"/srv/{number}" for number in range(items)))
            entries = host.result(self.one_offer(host), plan, digest=plan.digest)
            assert self.deliver(host, entries).fault is None
        return self.run(run.run_id)

    def apply_of(self, plan_run: api.Run) -> api.Run:
        """An apply of a plan run, which waits for a signature."""
        return self.start(api.RunRequest("state.apply", plan_run_id=plan_run.run_id))

    def decision(
        self,
        run: api.Run,
        *,
        verdict: decisions.Verdict = "approve",
        number: int = 1,
        decision_id: str = people.ULID,
        **changes: object,
    ) -> dsse.Envelope:
        """A decision on a run as an operator's client makes it, with changes for attacks."""
        now = int(self.clock.now)
        honest = decisions.Decision(
            v=1,
            decision_id=decision_id,
            verdict=verdict,
            capability="state.apply",
            action_hash=run.action_hash or "",
            nodes=tuple(step.node_id for step in run.steps),
            scope=run.scope,
            epoch=0,
            not_before=now,
            expires_at=now + 3_600,
            uses=1,
            requested_by=people.keyid(number),
        )
        decision = msgspec.structs.replace(honest, **changes)
        return people.sign(dsse.DECISION, decisions.encode(decision), number)


def stranger() -> SigningKey:
    """A key that nobody knows."""
    return people.key(200)
