"""The roster held here moves forward only; `tests/hostile` plays the liars over the wire."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from client import roster_cache
from client.failures import ClientError
from protocol import dsse, roster
from protocol.api import RosterResponse
from protocol.errors import InvalidName
from protocol.keys import SigningKey
from protocol.reasons import EXPLAIN, Reason, Refused
from protocol.roster import TrustedRoster

LENA, OMAR = SigningKey(b"\x01" * 32), SigningKey(b"\x02" * 32)
FIRST = roster_cache.first_roster(LENA, "lena", 1.5)


def trusted(envelope: dsse.Envelope = FIRST) -> TrustedRoster:
    found = roster.verify_first(envelope, None)
    assert isinstance(found, TrustedRoster)
    return found


def second() -> TrustedRoster:
    held = trusted()
    following = roster_cache.with_operator(held, OMAR.public, "omar", "operator", 2.0)
    found = roster_cache.sign_next(held, following, LENA)
    assert isinstance(found, TrustedRoster)
    return found


def answer(*chain: TrustedRoster, version: int = 0, digest: str = "") -> RosterResponse:
    last = chain[-1] if chain else None
    return RosterResponse(
        version or (last.roster.version if last else 0),
        digest or (last.digest if last else ""),
        tuple(one.envelope for one in chain),
    )


def test_the_chain_is_followed_from_what_is_held_or_pinned() -> None:
    assert roster_cache.advance(None, trusted().digest, answer(trusted(), second())) == second()
    assert roster_cache.advance(trusted(), None, answer(second())) == second()
    assert roster_cache.advance(None, second().digest, answer(trusted(), second())) == second()
    held = answer(version=2, digest=second().digest)
    assert roster_cache.advance(second(), None, held) == second()


@pytest.mark.parametrize(
    ("held", "given", "reason"),
    [
        (second(), answer(trusted()), Reason.ROSTER_ROLLBACK),
        (second(), answer(), Reason.ROSTER_ROLLBACK),
        (trusted(), answer(version=1, digest="f" * 64), Reason.ROSTER_FORK),
        (trusted(), answer(second(), version=1, digest="f" * 64), Reason.ROSTER_INVALID),
        (
            trusted(),
            answer(trusted(roster_cache.first_roster(OMAR, "lena", 1.0))),
            Reason.ROSTER_FORK,
        ),
    ],
)
def test_what_does_not_follow_is_refused(
    held: TrustedRoster, given: RosterResponse, reason: Reason
) -> None:
    found = roster_cache.advance(held, None, given)
    assert isinstance(found, Refused)
    assert found.reason is reason
    shown = roster_cache.refusal(found, "https://h:1")
    assert EXPLAIN[reason].meaning in str(shown)


def test_who_is_no_admin_signs_no_roster() -> None:
    following = roster_cache.without_operator(
        second(), roster_cache.ids.operator_id(LENA.public), 3
    )
    assert isinstance(roster_cache.sign_next(second(), following, OMAR), Refused)
    with pytest.raises(InvalidName):
        roster_cache.with_operator(trusted(), OMAR.public, "1", "operator", 2.0)


def test_a_roster_comes_back_as_it_was_held_and_damage_is_said(tmp_path: Path) -> None:
    assert roster_cache.load(tmp_path, "lab") is None
    roster_cache.save(tmp_path, "lab", second())
    assert roster_cache.load(tmp_path, "lab") == second()
    path = tmp_path / "rosters" / "lab.json"
    other = msgspec.structs.replace(FIRST, payload_type=dsse.MODULE)
    for data in (b"{", dsse.encode(other)):
        path.write_bytes(data)
        with pytest.raises(ClientError):
            roster_cache.load(tmp_path, "lab")
    roster_cache.forget(tmp_path, "lab")
    assert roster_cache.load(tmp_path, "lab") is None
