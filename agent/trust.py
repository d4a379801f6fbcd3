"""Whom this host trusts: the pinned coordinator, the roster of operators, its own standing.

All of it is on disk. The roster changes only along its own signatures; pins change only by
enrolment, by first use where that is allowed, or by a rotation that the old key signed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from agent import ledger
from agent.database import Database, Tx, get_bytes, put
from protocol import dsse, node_statement, reports, roster
from protocol.errors import StandfastError
from protocol.messages import Approval, Welcome
from protocol.node_statement import NodeStatement
from protocol.reasons import Reason, Refused
from protocol.roster import TrustedRoster


class AlreadyEnrolledError(StandfastError):
    """This host belongs to another coordinator; the text says how to move it."""


class Pins(msgspec.Struct, frozen=True):
    """Where the coordinator is and how it is known.

    `tls_fingerprint` is SHA-256 hex of its certificate, "" where a public authority signs it.
    `roster` is the digest of the roster to begin with, None where first use was trusted.
    `secret` is the enrolment secret, until it was used. `node_id` is the id of a host that was
    installed anew and keeps it, "" where the id follows from the key.
    """

    urls: tuple[str, ...]
    coordinator_key: bytes
    tls_fingerprint: str
    roster: str | None
    secret: bytes | None = None
    node_id: str = ""

    def __repr__(self) -> str:
        return f"Pins(urls={self.urls!r}, coordinator_key={self.coordinator_key.hex()})"


class Standing(msgspec.Struct, frozen=True):
    """What the coordinator says of this host; it allows nothing by itself."""

    approval: Approval = "pending"
    scope: str = ""
    name: str | None = None


_encode = msgspec.msgpack.encode
_OF_ONE_COORDINATOR = (
    "pins",
    "roster",
    "standing",
    "statement",
    "desired_generation",
    "desired_document",
)
S = TypeVar("S")


class Trust:
    """The host's trust in its database, kept in memory too because every offer asks for it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pins = _stored(database, "pins", Pins)
        self._standing = _stored(database, "standing", Standing) or Standing()
        self._roster = self._load_roster()
        self._statement = self._load_statement()

    def _load_statement(self) -> NodeStatement | None:
        data = self._database.read(lambda tx: get_bytes(tx, "statement"))
        if data is None:
            return None
        held = node_statement.decode(dsse.decode(data))
        if isinstance(held, Refused):
            raise StandfastError(f"the statement in the state directory is damaged: {held.detail}")
        return held

    def _load_roster(self) -> TrustedRoster | None:
        data = self._database.read(lambda tx: get_bytes(tx, "roster"))
        if data is None:
            return None
        envelope = dsse.decode(data)
        held = roster.decode(envelope)
        if isinstance(held, Refused):
            raise StandfastError(f"the roster in the state directory is damaged: {held.detail}")
        return TrustedRoster(held, reports.content_digest(envelope.content()), envelope)

    @property
    def pins(self) -> Pins | None:
        """The pinned coordinator, or None before enrolment."""
        return self._pins

    @property
    def standing(self) -> Standing:
        """What the coordinator said last."""
        return self._standing

    @property
    def roster(self) -> TrustedRoster | None:
        """The newest roster that was verified."""
        return self._roster

    @property
    def statement(self) -> NodeStatement | None:
        """What the operators signed about this host last, None if nothing yet."""
        return self._statement

    @property
    def tags(self) -> dict[str, str] | None:
        """The tags that operators have signed for this host, None if they have said nothing yet."""
        return None if self._statement is None else self._statement.tags

    @property
    def scope(self) -> str:
        """The scope that this host belongs to: as the operators signed it, else as welcomed."""
        return self._standing.scope if self._statement is None else self._statement.scope

    def enrol(self, pins: Pins) -> None:
        """Pin a coordinator.

        Raises:
            AlreadyEnrolledError: another one is pinned.
        """
        held = self._pins
        if held is not None and held.coordinator_key != pins.coordinator_key:
            raise AlreadyEnrolledError(
                f"this host belongs to the coordinator {held.coordinator_key.hex()[:16]}…; to move"
                " it, stop the agent and run: standfast-agent enrol --replace KEY"
            )
        self._save_pins(pins)

    def forget(self, also: Callable[[Tx], S]) -> S:
        """Drop pins, roster and standing, so that the host can be enrolled elsewhere.

        `also` runs in the same transaction; its answer is returned.
        """

        def job(tx: Tx) -> S:
            for key in _OF_ONE_COORDINATOR:
                put(tx, key, None)
            return also(tx)

        answer = self._database.write(job)
        self._pins, self._roster, self._standing = None, None, Standing()
        self._statement = None
        return answer

    def rotate(self, key: bytes) -> None:
        """Pin the successor that the pinned coordinator key has named."""
        if self._pins is not None:
            self._save_pins(msgspec.structs.replace(self._pins, coordinator_key=key))

    def _save_pins(self, pins: Pins) -> None:
        self._database.write(lambda tx: put(tx, "pins", _encode(pins)))
        self._pins = pins

    def welcome(self, message: Welcome) -> str | None:
        """Take in what a coordinator says of this host; return what it may not change, if it tried.

        The scope stays what it was first: epochs are counted in it, so moving a host to another
        would undo the line that operators drew.
        """
        held = self._standing
        scope = held.scope or message.scope
        standing = Standing(message.approval, scope, message.name)
        if standing != held:
            self._database.write(lambda tx: put(tx, "standing", _encode(standing)))
            self._standing = standing
        pins = self._pins
        if pins is not None and pins.secret is not None:
            # Registration was counted; a second use would be refused, so the secret has no value.
            self._save_pins(msgspec.structs.replace(pins, secret=None))
        if message.scope != self.scope:
            return f"scope {message.scope!r} offered, {self.scope!r} held"
        return None

    def take_roster(
        self, chain: tuple[dsse.Envelope, ...], now: float
    ) -> TrustedRoster | Refused | None:
        """Verify a chain of rosters and store its end; None if it was no news.

        `now` is this host's wall clock: a roster from its future moves the signed time a little.

        Raises:
            StorageError: the disk is full or broken; the old roster stands.
        """
        pin = self._pins.roster if self._pins is not None else None
        found = roster.verify_chain(self._roster, pin, chain)
        if isinstance(found, Refused):
            return found
        if self._roster is not None and found.digest == self._roster.digest:
            return None

        def job(tx: Tx) -> None:
            put(tx, "roster", dsse.encode(found.envelope))
            ledger.raise_signed_time(tx, found.roster.issued_at, now)
            for scope, epoch in found.roster.epochs.items():
                ledger.raise_epoch(tx, scope, epoch)

        self._database.write(job)
        self._roster = found
        return found

    def take_statement(
        self, envelope: dsse.Envelope, node_id: str, public_key: bytes, now: float
    ) -> bool | Refused:
        """Verify what operators say about this host and store it; True if it was news.

        Raises:
            StorageError: the disk is full or broken; the old statement stands.
        """
        if self._roster is None:
            return Refused(Reason.ROSTER_UNKNOWN, "no roster has been verified on this host")
        found = node_statement.verify(envelope, self._roster.roster, self._statement)
        if isinstance(found, Refused):
            return found
        if found == self._statement:
            return False
        if found.node_id != node_id or not node_statement.vouches_for(found, public_key):
            return Refused(Reason.STATEMENT_INVALID, "it speaks of another host or another key")

        def job(tx: Tx) -> None:
            put(tx, "statement", dsse.encode(envelope))
            ledger.raise_signed_time(tx, found.issued_at, now)

        self._database.write(job)
        self._statement = found
        return True


def _stored(database: Database, key: str, kind: type[S]) -> S | None:
    data = database.read(lambda tx: get_bytes(tx, key))
    return None if data is None else msgspec.msgpack.decode(data, type=kind)
