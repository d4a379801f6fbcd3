"""A coordinator that lies: it repeats, moves and forges, with every key that it really holds.

It speaks on links that the honest one has opened, as the same process would.
"""

from __future__ import annotations

import hashlib
from collections import deque
from random import Random

import msgspec

from protocol import audit_heads, decisions, dsse, ids, messages
from protocol import roster as rosters
from protocol.audit_heads import Head
from protocol.decisions import Decision
from protocol.errors import DecodeError
from protocol.keys import SigningKey
from protocol.messages import Ack, Cancel, Desired, Message, ModuleVersion, Offer, RosterUpdate
from protocol.roster import Roster, RosterOperator
from tests.simulation.chance import Chance
from tests.simulation.network import Connection, tag_of
from tests.simulation.trace import Trace

# What it remembers of what it has seen: enough to repeat, and bounded.
MEMORY = 64
LIES = (
    "again", "another run", "another host", "signed here", "unsigned", "other modules",
    "more removals", "more items", "roster", "desired", "ack", "cancel", "head", "plan",
)  # fmt: skip
REPLAYS = LIES[:8]


class Hostile:
    """Sees each frame that goes down, and can put frames of its own on a link."""

    def __init__(self, chance: Chance, trace: Trace, key: SigningKey) -> None:
        self._trace, self._key = trace, key
        self.luck: Random = chance.stream("hostile")
        self._offers: deque[tuple[str, Offer]] = deque(maxlen=MEMORY)
        self._rosters: deque[RosterUpdate] = deque(maxlen=MEMORY)
        self._heads: dict[str, Head] = {}
        self.on = False
        # The heads that it signed although the log never had them, by frame.
        self.forged: dict[bytes, Head] = {}

    def saw(self, connection: Connection, frame: bytes) -> None:
        """Remember what can be used again."""
        kind = tag_of(frame)
        connection.welcomed = connection.welcomed or kind == "welcome"
        if kind not in {"offer", "roster", "ack"}:
            return
        message = messages.decode_down(frame)
        if isinstance(message, Offer):
            self._offers.append((connection.host, message))
        elif isinstance(message, RosterUpdate):
            self._rosters.append(message)
        elif isinstance(message, Ack) and message.head is not None:
            self._heads[connection.host] = audit_heads.decode(message.head)

    def lie(self, connection: Connection) -> None:
        """Say something untrue on a link, if it is up."""
        if not (self.on and connection.welcomed):
            return
        kind = self.luck.choice(LIES if self.luck.random() < 0.3 else REPLAYS)
        message = self._message(kind, connection.host)
        if message is None:
            return
        try:
            frame = messages.encode(message)
        except DecodeError:
            return
        self._trace.note("lie", connection.host, kind)
        if isinstance(message, Ack) and message.head is not None:
            self.forged[frame] = audit_heads.decode(message.head)
        connection.down.add(frame)

    def _message(self, kind: str, host: str) -> Message | None:
        match kind:
            case "roster":
                return self._roster()
            case "desired":
                return Desired(self.luck.randint(0, 3), b"\x80")
            case "ack":
                return Ack(self.luck.randint(10_000, 20_000))
            case "cancel":
                return Cancel(self._name(), self.luck.randint(0, 3))
            case "head":
                return self._head(host)
            case _:
                return self._offer(kind, host)

    def _name(self) -> str:
        return ids.ulid(1_800_000_000.0, self.luck.randbytes(10))

    def _head(self, host: str) -> Message | None:
        known = self._heads.get(host)
        if known is None:
            return None
        other = hashlib.sha256(self.luck.randbytes(8)).hexdigest()
        forged = msgspec.structs.replace(known, hash=other)
        return Ack(0, audit_heads.sign(forged, self._key))

    def _roster(self) -> Message | None:
        if not self._rosters:
            return None
        update = self.luck.choice(self._rosters)
        held = rosters.decode(update.chain[-1])
        if not isinstance(held, Roster) or self.luck.random() < 0.3:
            return update
        public = self._key.public
        own = RosterOperator(ids.operator_id(public), "mallory", public.hex(), "admin")
        forged = msgspec.structs.replace(
            held,
            version=held.version + 1,
            previous=hashlib.sha256(update.chain[-1].content()).hexdigest(),
            operators=(*held.operators, own),
        )
        return RosterUpdate((self._sign(dsse.ROSTER, rosters.encode(forged)),))

    def _sign(self, kind: str, payload: bytes) -> dsse.Envelope:
        return dsse.sign(kind, payload, self._key, ids.operator_id(self._key.public))

    def _offer(self, kind: str, host: str) -> Message | None:
        own = [offer for where, offer in self._offers if where == host]
        others = [offer for where, offer in self._offers if where != host]
        seen = others if kind == "another host" else own
        applies = [offer for offer in seen if offer.step == "state.apply"]
        wanted = seen if kind in {"again", "plan"} else applies
        if not wanted:
            return None
        offer = self.luck.choice(wanted)
        fresh = msgspec.structs.replace(
            offer, run_id=self._name(), lease=self._name(), operation_id=self._name()
        )
        match kind:
            case "again":
                return msgspec.structs.replace(offer, fence=offer.fence + self.luck.randint(0, 2))
            case "signed here":
                return self._signed_here(fresh)
            case "unsigned":
                return msgspec.structs.replace(fresh, decision=None)
            case "other modules":
                return self._other_modules(offer if self.luck.random() < 0.5 else fresh)
            case "more removals":
                return msgspec.structs.replace(fresh, removal_limit=fresh.removal_limit + 1)
            case "more items":
                more = (*fresh.approved, hashlib.sha256(self.luck.randbytes(8)).hexdigest())
                return msgspec.structs.replace(fresh, approved=more)
            case "plan":
                return msgspec.structs.replace(fresh, step="state.plan", decision=None)
            case _:
                return fresh

    def _signed_here(self, offer: Offer) -> Offer:
        decision = None if offer.decision is None else decisions.decode(offer.decision)
        if not isinstance(decision, Decision):
            return offer
        forged = msgspec.structs.replace(decision, decision_id=self._name())
        envelope = self._sign(dsse.DECISION, decisions.encode(forged))
        if offer.decision is not None and self.luck.random() < 0.5:
            # With the signatures of the true one beside its own.
            signatures = (*envelope.signatures, *offer.decision.signatures)
            envelope = msgspec.structs.replace(envelope, signatures=signatures)
        return msgspec.structs.replace(offer, decision=envelope)

    def _other_modules(self, offer: Offer) -> Offer:
        text = b"name: site\nsupports:\n  - platform: linux\nresources:\n  - resource:\n"
        text += b"      file-unix:\n        path: /srv/evil\n        content: evil\n"
        envelope = self._sign(dsse.MODULE, text)
        version = ModuleVersion("site", hashlib.sha256(text).hexdigest(), text, envelope)
        return msgspec.structs.replace(offer, modules=(version,))
