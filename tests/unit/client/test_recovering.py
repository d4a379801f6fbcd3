"""A roster for when the admins are lost: who may sign it, and what it holds."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from client import recovering
from client.failures import AuthError, BadUsageError, UntrustedError
from protocol import dsse, ids, roster
from protocol.keys import SigningKey
from protocol.limits import MAX_ROSTER_CHAIN
from protocol.roster import RecoveryKey, Roster, RosterOperator, TrustedRoster

ADA, BOB, SAFE, BANK, NEW = (SigningKey(bytes([number]) * 32) for number in range(1, 6))


def person(key: SigningKey, name: str, role: roster.Role) -> RosterOperator:
    return RosterOperator(ids.operator_id(key.public), name, key.public.hex(), role)


FIRST = Roster(
    1, 1, (person(ADA, "ada", "admin"), person(BOB, "bob", "operator")), 1, "", 1_000,
    recovery=(
        RecoveryKey("safe", SAFE.public.hex()), RecoveryKey("bank", BANK.public.hex())
    ),
    recovery_threshold=2,
)  # fmt: skip
CHAIN = (dsse.sign(dsse.ROSTER, roster.encode(FIRST), ADA, ids.operator_id(ADA.public)),)
HELD = recovering.newest(CHAIN)
MADE = recovering.with_new_admin(HELD, "new", NEW.public, 2_000.0)


def test_two_holders_make_a_roster_that_hosts_take() -> None:
    """After one of them it is not enough; signing twice is signing once."""
    one = recovering.sign(HELD, None, MADE, SAFE)
    assert recovering.missing(HELD, one) == 1
    again = recovering.sign(HELD, one, MADE, SAFE)
    assert again == one
    both = recovering.sign(HELD, one, MADE, BANK)
    assert recovering.missing(HELD, both) == 0
    taken = roster.verify_next(HELD, both)
    assert isinstance(taken, TrustedRoster)
    assert taken.recovered
    assert {(o.username, o.role) for o in taken.roster.operators} == {
        ("new", "admin"),
        ("bob", "operator"),
    }


@pytest.mark.parametrize("key", [ADA, BOB, NEW])
def test_no_other_key_signs(key: SigningKey) -> None:
    with pytest.raises(AuthError, match="no recovery key"):
        recovering.sign(HELD, None, MADE, key)


def test_what_hosts_would_refuse_is_not_signed() -> None:
    """A version that does not follow, whoever has begun it."""
    skipped = msgspec.structs.replace(MADE, version=9)
    with pytest.raises(AuthError, match="hosts would refuse"):
        recovering.sign(HELD, None, skipped, SAFE)


def test_a_name_of_one_who_is_left_is_taken_over() -> None:
    """The new admin may be somebody who was there as an operator, with a new key."""
    made = recovering.with_new_admin(HELD, "Bob", NEW.public, 2_000.0)
    assert [(o.username, o.role) for o in made.operators] == [("Bob", "admin")]


def test_a_chain_that_does_not_hold_is_refused() -> None:
    other = dsse.sign(dsse.ROSTER, roster.encode(MADE), BOB, ids.operator_id(BOB.public))
    with pytest.raises(UntrustedError, match="does not hold"):
        recovering.newest((*CHAIN, other))


def test_a_chain_may_be_longer_than_one_look_verifies() -> None:
    """And one of no version at all is no chain."""
    chain, held = list(CHAIN), HELD
    while len(chain) <= MAX_ROSTER_CHAIN:
        following = msgspec.structs.replace(
            held.roster, version=held.roster.version + 1, previous=held.digest
        )
        own = ids.operator_id(ADA.public)
        chain.append(dsse.sign(dsse.ROSTER, roster.encode(following), ADA, own))
        step = roster.verify_next(held, chain[-1])
        assert isinstance(step, TrustedRoster)
        held = step
    assert recovering.newest(chain) == held
    with pytest.raises(UntrustedError):
        recovering.newest([])


@pytest.mark.parametrize("text", ["", "new", "new=12", "1new=" + "ab" * 32])
def test_an_admin_is_named_with_a_key(text: str) -> None:
    with pytest.raises(BadUsageError, match="NAME=PUBLIC_KEY"):
        recovering.parse_admin(text)


def test_the_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "next.json"
    recovering.write(path, CHAIN[0])
    assert path.stat().st_mode & 0o777 == 0o600
    assert dsse.decode(path.read_bytes()) == CHAIN[0]
