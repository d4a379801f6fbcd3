"""The ratchet of a host's key: a host alone is never suspected, two that share a key always are."""

from __future__ import annotations

import hashlib

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from protocol import ratchet
from protocol.ratchet import Claim, Held, Line, Peer


class Host(msgspec.Struct):
    name: str
    held: Held | None = None

    def take(self, judged: ratchet.Judged) -> None:
        if judged.offer is not None:
            self.held = judged.offer


class Coordinator:
    """The real rules, with values that never repeat."""

    def __init__(self) -> None:
        self.line = Line()
        self._count = 0

    def link(self, host: Host) -> ratchet.Judged:
        self._count += 1
        transcript = hashlib.sha256(b"t%d" % self._count).digest()
        seq, proof = ratchet.prove(host.held, transcript)
        fresh = hashlib.sha256(b"f%d" % self._count).digest()
        peer = Peer(host.name, "192.0.2.1", float(self._count))
        claim = Claim(seq, proof, transcript)
        judged = ratchet.judge(self.line, claim, peer, fresh, f"holder-{self._count}")
        self.line = judged.line
        return judged


@given(st.lists(st.booleans(), max_size=40))
def test_one_host_is_never_suspected(stored: list[bool]) -> None:
    """Whatever links break before the host has stored the new value."""
    coordinator, host = Coordinator(), Host("web-1")
    first = coordinator.link(host)
    host.take(first)
    for kept in stored:
        judged = coordinator.link(host)
        assert judged.verdict == "known"
        if kept:
            host.take(judged)
    assert not coordinator.line.diverged


@given(
    st.integers(min_value=0, max_value=3),
    st.lists(st.booleans(), max_size=20),
    st.booleans(),
)
def test_a_host_whose_first_welcome_was_lost_is_never_suspected(
    lost: int, stored: list[bool], forgotten: bool
) -> None:
    """Nor one that comes back with an old value after the coordinator's database was put back."""
    coordinator, host = Coordinator(), Host("web-1")
    if forgotten:
        for _ in range(3):
            host.take(coordinator.link(host))
        coordinator.line = Line()
    for _ in range(lost + 1):
        coordinator.link(host)
    for kept in stored:
        judged = coordinator.link(host)
        if kept:
            host.take(judged)
    assert not coordinator.line.diverged


@given(st.booleans(), st.booleans())
def test_two_copies_that_both_come_for_the_first_time_are_found(
    forgotten: bool, again: bool
) -> None:
    """Whoever is taken for the host at first: with the other's next link both are known."""
    coordinator, real = Coordinator(), Host("real")
    if forgotten:
        real.take(coordinator.link(real))
        coordinator.line = Line()
    copy = Host("copy", real.held)
    turns = (real, copy, real, copy) if again else (real, real, copy, copy, real)
    for host in turns:
        host.take(coordinator.link(host))
    assert coordinator.line.diverged
    assert len(coordinator.line.holders) == 2


@given(
    st.integers(min_value=0, max_value=5),
    st.lists(st.tuples(st.booleans(), st.booleans()), max_size=ratchet.MAX_OVERTAKEN),
)
def test_two_hosts_with_one_key_are_found_once_each_has_come_back(
    before: int, turns: list[tuple[bool, bool]]
) -> None:
    """The next link of the one that was overtaken tells; and they are never taken for three."""
    coordinator, real = Coordinator(), Host("web-1")
    for _ in range(before + 1):
        real.take(coordinator.link(real))
    copy = Host("web-1-copy", real.held)
    for is_copy, kept in turns:
        host = copy if is_copy else real
        judged = coordinator.link(host)
        if kept:
            host.take(judged)
    for host in (real, copy, real, copy):
        host.take(coordinator.link(host))
    assert coordinator.line.diverged
    assert len(coordinator.line.holders) == 2


@given(st.booleans())
def test_after_the_choice_one_goes_on_and_the_other_is_sent_away(keep_copy: bool) -> None:
    """And no third party can take its place by saying nothing."""
    coordinator, real = Coordinator(), Host("real")
    real.take(coordinator.link(real))
    copy = Host("copy", real.held)
    for host in (real, copy, real, copy):
        host.take(coordinator.link(host))
    assert coordinator.line.diverged
    kept, other = (copy, real) if keep_copy else (real, copy)
    holder = next(each for each in coordinator.line.holders if each.hostname == kept.name)
    chosen = ratchet.choose(coordinator.line, holder.holder_id)
    assert chosen is not None
    coordinator.line = chosen
    for _ in range(3):
        judged = coordinator.link(kept)
        assert judged.verdict == "known"
        kept.take(judged)
        sent_away = coordinator.link(other)
        assert (sent_away.verdict, sent_away.offer) == ("refused", None)
    assert coordinator.link(Host("stranger")).verdict == "cloned"
    assert coordinator.line.diverged


@given(st.integers(min_value=0, max_value=4), st.binary(max_size=40))
def test_a_proof_cannot_be_made_up(seq: int, proof: bytes) -> None:
    """Neither a guess nor the proof of another link matches anybody."""
    coordinator, host = Coordinator(), Host("real")
    for _ in range(3):
        host.take(coordinator.link(host))
    peer = Peer("x", "192.0.2.9", 9.0)
    claim = Claim(seq, proof, b"t" * 32)
    judged = ratchet.judge(coordinator.line, claim, peer, b"f" * 32, "new")
    assert judged.verdict == "cloned"
    number, old = ratchet.prove(host.held, b"another link".ljust(32))
    again = ratchet.judge(coordinator.line, Claim(number, old, b"t" * 32), peer, b"f" * 32, "new")
    assert again.verdict == "cloned"


def test_a_flood_of_copies_is_bounded() -> None:
    """Beyond the limit nobody new is written down, and those who are there still count."""
    coordinator, real = Coordinator(), Host("real")
    for _ in range(2):
        real.take(coordinator.link(real))
    for number in range(20):
        coordinator.link(Host(f"copy-{number}"))
    assert len(coordinator.line.holders) == ratchet.MAX_STRANGERS
    assert coordinator.link(real).verdict == "known"
    assert coordinator.link(Host("late")).verdict == "refused"


def test_a_flood_of_copies_leaves_room_for_the_host_itself() -> None:
    """Overtaken by a copy, it still proves an older value: it is listed, to be chosen."""
    coordinator, real = Coordinator(), Host("real")
    for _ in range(2):
        real.take(coordinator.link(real))
    thief = Host("thief", real.held)
    for _ in range(2):
        thief.take(coordinator.link(thief))
    for number in range(20):
        coordinator.link(Host(f"copy-{number}"))
    real.take(coordinator.link(real))
    holder = coordinator.line.holders[-1]
    assert (holder.hostname, coordinator.link(real).verdict) == ("real", "known")
    chosen = ratchet.choose(coordinator.line, holder.holder_id)
    assert chosen is not None
    coordinator.line = chosen
    assert coordinator.link(real).verdict == "known"
    assert not coordinator.line.diverged


@given(st.integers(min_value=0, max_value=3 * ratchet.MAX_OVERTAKEN))
def test_no_flood_hides_that_a_host_was_there_first(number: int) -> None:
    """Whoever holds a value that was offered once is told from those who came after."""
    coordinator, real, thief = Coordinator(), Host("real"), Host("thief")
    real.take(coordinator.link(real))
    for _ in range(number):
        coordinator.link(thief)
    thief.take(coordinator.link(thief))
    for host in (real, thief, real, thief):
        host.take(coordinator.link(host))
    assert coordinator.line.diverged
    assert len(coordinator.line.holders) == 2


def test_nobody_is_chosen_who_is_not_there() -> None:
    assert ratchet.choose(Line(), "holder") is None
