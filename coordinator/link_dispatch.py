"""What goes down a link: approval, roster, desired state, offers and cancels, as they come up.

One task per live link. It takes no input but the stored state: it looks, sends what is missing, and
sleeps until the hub says that something changed or time makes something due.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import anyio
import msgspec

from coordinator.context import App
from coordinator.domain import agents, offers, revocations, roster
from coordinator.store import audit, node_statements, presence, records
from coordinator.store.database import Tx
from coordinator.store.revocations import StoredRevocation
from protocol import desired, dsse
from protocol.artifacts import ArtifactPart
from protocol.limits import MAX_FRAME
from protocol.messages import (
    Ack,
    Approval,
    Cancel,
    Desired,
    Hello,
    Offer,
    Rejected,
    RevocationUpdate,
    RosterUpdate,
    StatementUpdate,
    Welcome,
)

# Without a wake-up a link looks again after this time, in case one was ever missed.
LOOK_SECONDS = 60.0
# A host that was rejected asks again this often whether somebody has thought better of it.
REJECTED_SECONDS = 300.0
# Roster versions in one message: together well under a frame.
ROSTER_BYTES = MAX_FRAME // 2

Down = (
    Welcome
    | Rejected
    | RosterUpdate
    | StatementUpdate
    | RevocationUpdate
    | Desired
    | Offer
    | Cancel
    | ArtifactPart
    | Ack
)


class Look(msgspec.Struct, frozen=True):
    """What is stored for one host, as far as its link is concerned."""

    known: agents.Registered | None
    generation: int
    document: bytes
    chain: tuple[dsse.Envelope, ...]
    standing: offers.Standing
    statement: node_statements.StoredStatement | None = None
    revoked: tuple[StoredRevocation, ...] = ()
    head: dsse.Envelope | None = None


class Dispatch:
    """The dispatcher of one link; `send` puts a message on it, False means that it has ended."""

    def __init__(
        self,
        app: App,
        hello: Hello,
        *,
        node_id: str,
        approval: Approval,
        cloned: bool = False,
        acked: int,
        send: Callable[[Down], Awaitable[bool]],
    ) -> None:
        self.offered: set[str] = set()
        self._app = app
        self._node_id = node_id
        self._send = send
        self._approval = approval
        self._roster_version = hello.roster_version
        self._generation = hello.generation
        self._journal_head = hello.journal_head
        self._acked = acked
        self._cancelled: set[tuple[str, int]] = set()
        # Each link tells them once: what the host keeps of an earlier one is its own affair.
        self._statement_version = 0
        self._revoked: frozenset[str] = frozenset()
        self._head: dsse.Envelope | None = None
        self._cloned = cloned

    @property
    def approved(self) -> bool:
        """Say whether the host has been told that it is approved."""
        return self._approval == "approved"

    @property
    def cloned(self) -> bool:
        """Say whether several hold the host's key, as far as its link has been told."""
        return self._cloned

    @property
    def caught_up(self) -> bool:
        """Say whether all is stored that the host had journalled when the link began.

        Before that no work is offered: the host's truth wins over the coordinator's guess.
        """
        return self._acked >= self._journal_head

    def acknowledged(self, seq: int) -> None:
        """Note how much of the journal is stored; the moment that all is, work may follow."""
        before = self.caught_up
        self._acked = max(self._acked, seq)
        if self.caught_up and not before:
            self._app.hub.wake([self._topic])

    @property
    def _topic(self) -> str:
        return f"node:{self._node_id}"

    async def run(self) -> None:
        """Look and send until the link ends, the host is sent away, or the process stops."""
        while not self._app.hub.closed:
            since = self._app.hub.version()
            look = await self._app.store.read(
                partial(
                    look_at,
                    node_id=self._node_id,
                    roster_version=self._roster_version,
                    offered=frozenset(self.offered),
                )
            )
            # What is over needs no memory.
            self.offered &= look.standing.leases
            self._cancelled = {one for one in self._cancelled if one[0] in look.standing.runs}
            if not await self._tell(look):
                return
            pause = LOOK_SECONDS
            if look.standing.again_at is not None:
                pause = max(0.1, min(pause, look.standing.again_at - self._app.clock()))
            with anyio.move_on_after(pause):
                await self._app.hub.wait(self._topic, "roster", since=since)

    async def _tell(self, look: Look) -> bool:
        known = look.known
        if known is None:
            return await self._send_away("deleted", "the host's record was deleted")
        if known.approval == "rejected":
            return await self._send_away("rejected", "an operator rejected this host")
        if self._cloned and not known.cloned:
            # Somebody chose: whoever this is has to come back and prove that it was meant.
            await self._send(Rejected("prove_again", "an operator chose who this host is", 1.0))
            return False
        self._cloned = known.cloned
        return (
            await self._tell_roster(look)
            and await self._tell_signed(look)
            and await self._tell_approval(known)
            and await self._tell_head(look)
            and await self._tell_work(look)
        )

    async def _send_away(self, code: str, message: str) -> bool:
        await self._send(Rejected(code, message, REJECTED_SECONDS))
        return False

    async def _tell_roster(self, look: Look) -> bool:
        for part in split(look.chain):
            if not await self._send(RosterUpdate(part)):
                return False
            self._roster_version += len(part)
        if look.chain:
            version = self._roster_version
            keep = partial(presence.set_roster_version, node_id=self._node_id, version=version)
            await self._app.store.write(keep)
        return True

    async def _tell_signed(self, look: Look) -> bool:
        # Before the approval, so that the host knows what it is when its first work comes.
        statement = look.statement
        if statement is not None and statement.version > self._statement_version:
            self._statement_version = statement.version
            if not await self._send(StatementUpdate(statement.envelope)):
                return False
        revoked = frozenset(one.decision_id for one in look.revoked)
        fresh = tuple(one.envelope for one in look.revoked if one.decision_id not in self._revoked)
        self._revoked = revoked
        return not fresh or await self._send(RevocationUpdate(fresh))

    async def _tell_head(self, look: Look) -> bool:
        # At the latest with the next look: a host needs not each head, but none may be lost to it.
        if not self.approved or look.head is None or look.head == self._head:
            return True
        self._head = look.head
        return await self._send(Ack(self._acked, look.head))

    async def _tell_approval(self, known: agents.Registered) -> bool:
        if known.approval == self._approval:
            return True
        self._approval = known.approval
        return await self._send(
            Welcome(
                node_id=self._node_id,
                approval=known.approval,
                acked=self._acked,
                roster_version=self._roster_version,
                time=self._app.clock(),
                scope=known.scope,
                name=known.name,
            )
        )

    async def _tell_work(self, look: Look) -> bool:
        if not self.approved:
            return True
        if look.generation != self._generation:
            self._generation = look.generation
            if not await self._send(Desired(look.generation, look.document)):
                return False
        if not (look.standing.due and self.caught_up):
            return True
        take = partial(offers.take, node_id=self._node_id, resend=frozenset(self.offered))
        work = await self._app.store.write(take)
        for offer in work.offers:
            self.offered.add(offer.lease)
            if not await self._send(offer):
                return False
        for cancel in work.cancels:
            if (cancel.run_id, cancel.fence) in self._cancelled:
                continue
            self._cancelled.add((cancel.run_id, cancel.fence))
            if not await self._send(cancel):
                return False
        return True


def look_at(tx: Tx, node_id: str, roster_version: int, offered: frozenset[str]) -> Look:
    """Return what is stored for a host; `offered` are the leases offered over its link."""
    record = records.get_by_uid(tx, agents.KIND, node_id)
    document = desired.DesiredDocument()
    if record is not None:
        document = desired.DesiredDocument(record.name, record.labels)
    return Look(
        known=agents.approval_of(tx, node_id),
        # It rises with each change of the record, so also with name and tags.
        generation=record.resource_version if record is not None else 0,
        document=desired.encode(document),
        chain=roster.chain_after(tx, roster_version),
        standing=offers.standing(tx, node_id, resend=offered),
        statement=node_statements.get(tx, node_id),
        revoked=revocations.in_force(tx),
        head=audit.head(tx),
    )


def split(chain: tuple[dsse.Envelope, ...]) -> list[tuple[dsse.Envelope, ...]]:
    """Return a chain in parts that each fit a frame."""
    parts: list[tuple[dsse.Envelope, ...]] = []
    part: list[dsse.Envelope] = []
    size = 0
    for envelope in chain:
        length = len(dsse.encode(envelope))
        if part and size + length > ROSTER_BYTES:
            parts.append(tuple(part))
            part, size = [], 0
        part.append(envelope)
        size += length
    return [*parts, tuple(part)] if part else parts
