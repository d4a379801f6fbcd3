"""Finds two hosts that hold one key: a secret that moves on with every link, in one place only.

With each welcome the coordinator offers a fresh value, and with the next link the host proves that
it holds it. A copy of a host's disk holds the same value at first; as soon as both have used it,
they hold different ones, and the one whose value was overtaken is found out. Which of the two is
the copy nobody can tell from here: both are given no work until an operator chooses.

Pure: `judge` takes what is known and what was proved, and returns what is known afterwards.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Literal

import msgspec

VALUE_SIZE = 32
# Copies of one host that are told apart: an operator looks at a list, and a snapshot that was
# started ten times is seen to be one after three.
MAX_HOLDERS = 8
# Of them those who proved nothing of the line: a flood of them leaves room for the host itself.
MAX_STRANGERS = 6
# Values that a host has left behind or was offered in vain; a copy may still hold one. Two hosts
# that push each other off the link make one of these per turn.
MAX_OVERTAKEN = 16
_CONTEXT = b"standfast/ratchet/v1\x00"


class Held(msgspec.Struct, frozen=True):
    """What a host holds: the value of its last welcome and its number (0: none yet)."""

    seq: int
    value: bytes

    def __repr__(self) -> str:
        return f"Held(seq={self.seq}, value=<hidden>)"


class Claim(msgspec.Struct, frozen=True):
    """What a host proved on one link: that it holds the value with this number, if any."""

    seq: int
    proof: bytes
    transcript: bytes


class Holder(msgspec.Struct, frozen=True):
    """One host that proved a line of values of its own.

    `current` is the value that it proved last, `offered` the one that it was given then: a host
    that was cut off before it stored the new value comes back with the old one. `overtaken` are
    the values before: who proves one of them is another. `hostname` and `address` are what it said
    and whence it came, `seen_at` when.
    """

    holder_id: str
    seq: int
    current: bytes
    offered: bytes
    hostname: str
    address: str
    seen_at: float
    overtaken: tuple[Held, ...] = ()


class Line(msgspec.Struct, frozen=True):
    """All that is known of one host's key: who holds it, and who was sent away.

    With more than one in `holders`, an operator has to choose (`choose`).
    """

    holders: tuple[Holder, ...] = ()
    refused: tuple[Holder, ...] = ()

    @property
    def diverged(self) -> bool:
        """Whether several hold the key and nobody has chosen yet."""
        return len(self.holders) > 1


Verdict = Literal["first", "known", "cloned", "refused"]


class Judged(msgspec.Struct, frozen=True):
    """What a claim amounts to, the line after it, and what is offered to the host (or nothing)."""

    verdict: Verdict
    line: Line
    holder_id: str
    offer: Held | None


class Peer(msgspec.Struct, frozen=True):
    """Who brings a claim: what it calls itself, whence it comes, and when."""

    hostname: str
    address: str
    at: float


def prove(held: Held | None, transcript: bytes) -> tuple[int, bytes]:
    """Return number and proof for this link; (0, empty) for a host that holds nothing yet."""
    if held is None:
        return 0, b""
    return held.seq, _proof(held.value, transcript)


def judge(line: Line, claim: Claim, peer: Peer, fresh: bytes, holder_id: str) -> Judged:
    """Judge a claim of a host whose key has been proved already.

    `fresh` are 32 random bytes to offer, `holder_id` names the holder if it is a new one.
    """
    for holder in line.refused:
        if _matches(holder, claim):
            return Judged("refused", line, holder.holder_id, None)
    for index, holder in enumerate(line.holders):
        if _matches(holder, claim):
            moved = _move_on(holder, claim, peer, fresh)
            holders = (*line.holders[:index], moved, *line.holders[index + 1 :])
            after = msgspec.structs.replace(line, holders=holders)
            return Judged("known", after, holder.holder_id, Held(moved.seq + 1, fresh))
    known = _overtaken(line, claim)
    if len(line.holders) >= (MAX_HOLDERS if known.value else MAX_STRANGERS):
        return Judged("refused", line, "", None)
    if _is_unproven(line) and not known.value:
        return _offer_again(line, peer, fresh)
    new = Holder(holder_id, known.seq, known.value, fresh, peer.hostname, peer.address, peer.at)
    after = msgspec.structs.replace(line, holders=(*line.holders, new))
    verdict: Verdict = "cloned" if line.holders or line.refused else "first"
    return Judged(verdict, after, holder_id, Held(new.seq + 1, fresh))


def choose(line: Line, holder_id: str) -> Line | None:
    """Return the line with one holder kept and the others sent away, or None if it is not there."""
    kept = [holder for holder in line.holders if holder.holder_id == holder_id]
    if not kept:
        return None
    others = (holder for holder in line.holders if holder.holder_id != holder_id)
    # The last ones are the likeliest to come back.
    refused = (*line.refused, *others)[-MAX_HOLDERS:]
    return Line(tuple(kept), refused)


def _matches(holder: Holder, claim: Claim) -> bool:
    if claim.seq == holder.seq + 1:
        value = holder.offered
    elif claim.seq == holder.seq and holder.current:
        value = holder.current
    else:
        return False
    return _proves(value, claim)


def _move_on(holder: Holder, claim: Claim, peer: Peer, fresh: bytes) -> Holder:
    stored = claim.seq == holder.seq + 1
    current, offered = Held(holder.seq, holder.current), Held(holder.seq + 1, holder.offered)
    proved, left = (offered, current) if stored else (current, offered)
    overtaken = (*holder.overtaken, left) if left.value else holder.overtaken
    return Holder(
        holder.holder_id,
        proved.seq,
        proved.value,
        fresh,
        peer.hostname,
        peer.address,
        peer.at,
        overtaken[-MAX_OVERTAKEN:],
    )


def _is_unproven(line: Line) -> bool:
    """Say whether the one host there is has never shown that its first welcome reached it."""
    return len(line.holders) == 1 and not line.refused and not line.holders[0].current


def _offer_again(line: Line, peer: Peer, fresh: bytes) -> Judged:
    """Take a newcomer for the host whose first welcome was lost on its way.

    If it was another, that one holds a value that was offered before, and its next link tells: so
    none of those is ever forgotten here. When there is no room for one more, the last is offered
    again.
    """
    (holder,) = line.holders
    offered, overtaken = holder.offered, holder.overtaken
    if len(overtaken) < MAX_OVERTAKEN:
        offered, overtaken = fresh, (*overtaken, Held(holder.seq + 1, holder.offered))
    again = Holder(
        holder.holder_id,
        holder.seq,
        holder.current,
        offered,
        peer.hostname,
        peer.address,
        peer.at,
        overtaken,
    )
    after = msgspec.structs.replace(line, holders=(again,))
    return Judged("known", after, holder.holder_id, Held(again.seq + 1, offered))


def _overtaken(line: Line, claim: Claim) -> Held:
    """Return the value by which a newcomer can be known again, or nothing."""
    for holder in line.holders:
        for held in holder.overtaken:
            if claim.seq == held.seq and _proves(held.value, claim):
                return held
    return Held(0, b"")


def _proves(value: bytes, claim: Claim) -> bool:
    return hmac.compare_digest(_proof(value, claim.transcript), claim.proof)


def _proof(value: bytes, transcript: bytes) -> bytes:
    return hmac.digest(value, _CONTEXT + transcript, hashlib.sha256)
