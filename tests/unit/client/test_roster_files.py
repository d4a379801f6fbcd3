"""A chain of rosters, verified from a file."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from client.failures import BadUsageError, UntrustedError
from client.roster_files import read_chain, walk
from protocol import dsse
from protocol.roster import RecoveryKey
from tests.fakes.people import first_roster, key, person, sign_roster, trusted

FIRST = trusted(
    msgspec.structs.replace(
        first_roster(person(1), person(2)),
        recovery=(RecoveryKey("safe", key(50).public.hex()),),
        recovery_threshold=1,
    )
)
SECOND = msgspec.structs.replace(FIRST.roster, version=2, previous=FIRST.digest, threshold=2)
CHAIN = (FIRST.envelope, sign_roster(SECOND, 2))


def test_each_version_tells_who_signed_and_what_changed() -> None:
    """A recovery is told apart from what admins signed."""
    one, two = walk(CHAIN, FIRST.digest, None)
    assert (one.version, one.signers, one.recovered) == (1, ("person1",), False)
    assert (two.version, two.signers) == (2, ("person2",))
    assert two.changes == ("~ a change takes 2 admins instead of 1",)
    third = msgspec.structs.replace(SECOND, version=3, previous=two.digest, threshold=1)
    *_, last = walk((*CHAIN, sign_roster(third, 50)), None, two.digest)
    assert (last.signers, last.recovered) == (("safe",), True)


def test_a_chain_that_does_not_hold_is_refused() -> None:
    """A version in between that is missing, one that too few signed, another chain."""
    third = msgspec.structs.replace(
        SECOND, version=3, previous=walk(CHAIN, None, None)[1].digest, threshold=1
    )
    for chain in (CHAIN[1:], (*CHAIN, sign_roster(third, 1))):
        with pytest.raises(UntrustedError):
            walk(chain, None, None)
    with pytest.raises(UntrustedError, match="does not hold"):
        walk(CHAIN, "ab" * 32, None)
    with pytest.raises(UntrustedError, match="does not hold"):
        walk(CHAIN, None, "ab" * 32)


@pytest.mark.parametrize("form", ["list", "shown", "one"])
def test_the_file_may_hold_what_people_have(tmp_path: Path, form: str) -> None:
    """A list of envelopes, what `roster show --json` prints, or one envelope."""
    values: dict[str, object] = {"list": CHAIN, "shown": {"chain": CHAIN, "x": 1}, "one": CHAIN[0]}
    path = tmp_path / "chain.json"
    path.write_bytes(msgspec.json.encode(values[form]))
    expected: tuple[dsse.Envelope, ...] = CHAIN[:1] if form == "one" else CHAIN
    assert read_chain(str(path)) == expected


def test_a_file_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chain.json"
    path.write_text("{}")
    for name in (path, tmp_path / "nowhere"):
        with pytest.raises(BadUsageError):
            read_chain(str(name))
