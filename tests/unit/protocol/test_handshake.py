"""What is signed in the handshake: no byte can move from one part to another."""

from __future__ import annotations

import msgspec

from protocol import handshake
from protocol.handshake import (
    agent_transcript,
    coordinator_transcript,
    follow_rotations,
    rotation,
    sealing_key_holds,
    sign_sealing_key,
)
from tests.fakes.people import key


def test_transcripts_differ_by_role_and_by_where_a_part_ends() -> None:
    """The same bytes, cut elsewhere or said by the other side, are another statement."""
    nonce, public = b"\1" * 32, b"\2" * 32
    base = coordinator_transcript(b"hello", nonce, public, 1)
    assert base != coordinator_transcript(b"hell", b"o" + nonce[1:], public, 1)
    assert base != coordinator_transcript(b"hello", public, nonce, 1)
    assert base != coordinator_transcript(b"hello", nonce, public, 2)
    assert agent_transcript(b"ab", b"c") != agent_transcript(b"a", b"bc")
    assert agent_transcript(b"a", b"b") != agent_transcript(b"b", b"a")


def test_transcripts_are_fixed_for_ever() -> None:
    """Version 1 of the link signs exactly these bytes."""
    found = coordinator_transcript(b"hello", b"\1" * 32, b"\2" * 32, 1).hex()
    assert found == "c32323a30ab2d677e7cfad4619c8535363aeaf850cd2d67fdae3317f5180a33f"
    assert (
        agent_transcript(b"hello", b"challenge").hex()
        == "e3e481e00097654488ac0f3e804bb34418846b82cc2ddf7079ec86340f7327fe"
    )


def test_a_sealing_key_is_signed_in_its_own_context() -> None:
    """A signature over the bare key is not enough."""
    sealing = b"\5" * 32
    assert sealing_key_holds(key(1).public, sealing, sign_sealing_key(key(1), sealing))
    assert not sealing_key_holds(key(1).public, sealing, key(1).sign(sealing))
    assert not sealing_key_holds(key(2).public, sealing, sign_sealing_key(key(1), sealing))
    short = sealing[:31]
    assert not sealing_key_holds(key(1).public, short, sign_sealing_key(key(1), short))


def test_rotations_lead_from_any_key_of_the_chain_to_its_end() -> None:
    """A host that was off for a while catches up; a newer one stays where it is."""
    chain = tuple(rotation(key(n), key(n + 1).public, n) for n in (1, 2, 3))
    for n in (1, 2, 3, 4):
        assert follow_rotations(key(n).public, chain) == key(4).public
    assert follow_rotations(key(9).public, chain) == key(9).public
    assert follow_rotations(key(1).public, ()) == key(1).public


def test_a_malformed_statement_ends_the_chain() -> None:
    """What stands after a broken link of the chain is not looked at."""
    good = rotation(key(2), key(3).public, 2)
    broken = msgspec.structs.replace(rotation(key(1), key(2).public, 1), payload="e30=")
    assert follow_rotations(key(2).public, (broken, good)) == key(2).public
    assert len(handshake.rotation(key(1), key(2).public, 1).signatures) == 1
