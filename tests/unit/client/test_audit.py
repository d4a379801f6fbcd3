"""What the client remembers of a log, and when it cries."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from client import audit
from client.failures import UntrustedError
from client.profiles import Profile
from protocol import audit_heads, dsse
from protocol.api_audit import AuditHead, KnownLine
from protocol.handshake import rotation
from protocol.keys import SigningKey
from tests.fakes.api_server import FakeCoordinator, problem
from tests.fakes.audit_log import KEY, AuditLog
from tests.fakes.operator import Person

PROFILE = Profile("lab", "https://h:1", coordinator_key=KEY.public.hex())
OWN = KEY.public.hex()


def logs_in(lena: Person) -> int:
    """Log in again and return the exit code."""
    for token in (lena.directory / "tokens").glob("*"):
        token.unlink()
    return lena.types("agents list").code


def test_each_log_in_remembers_the_head(lena: Person, coordinator: FakeCoordinator) -> None:
    log = AuditLog(3)
    log.serve(coordinator)
    assert logs_in(lena) == 0
    log.add("more")
    assert logs_in(lena) == 0
    held = audit.load(lena.directory, PROFILE)
    assert [head.seq for head in held.all()] == [3, 4]
    assert (lena.directory / "audit" / "lab.json").stat().st_mode & 0o777 == 0o600


def test_a_coordinator_without_heads_is_no_contradiction(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """An older version has none; one that had them and has them no longer is mentioned."""
    assert logs_in(lena) == 0
    AuditLog(3).serve(coordinator)
    assert logs_in(lena) == 0
    coordinator.on("GET", "/audit/head", problem(404, "not_found", "there is nothing"))
    for token in (lena.directory / "tokens").glob("*"):
        token.unlink()
    assert "signs its event log no longer" in lena.types("agents list").err


@pytest.mark.parametrize("attack", ["fork", "cut", "restored and grown", "emptied"])
def test_a_log_that_contradicts_what_was_signed_stops_the_client(
    lena: Person, coordinator: FakeCoordinator, attack: str
) -> None:
    """Exit code 3, with the proof on disk: both signatures of the coordinator's own key."""
    log = AuditLog(5)
    log.serve(coordinator)
    assert logs_in(lena) == 0
    other = AuditLog()
    counts = {"fork": 5, "cut": 2, "restored and grown": 9, "emptied": 1}
    for number in range(counts[attack]):
        other.add(f"another {number}")
    other.serve(coordinator)
    for token in (lena.directory / "tokens").glob("*"):
        token.unlink()
    shown = lena.types("agents list")
    assert shown.code == 3
    assert "contradicts itself" in shown.err
    proof = json.loads(audit.proof_path(lena.directory, PROFILE).read_bytes())
    before = msgspec.convert(proof["remembered"][0], dsse.Envelope)
    after = msgspec.convert(proof["shown"]["head"], dsse.Envelope)
    assert audit_heads.read(before, (OWN,)).seq == 5
    assert audit_heads.read(after, (OWN,)).seq == counts[attack]
    assert audit.load(lena.directory, PROFILE).newest() == audit_heads.decode(log.head())


def test_what_was_pruned_is_no_contradiction() -> None:
    log = AuditLog(5)
    held = audit.Memory(OWN).plus(log.head())
    log.prune(5)
    shown = AuditHead(log.head(), tuple(log.tombstones), KnownLine(5, None))
    assert audit.judge(held, shown, (OWN,)) is None
    found = audit.judge(held, AuditHead(log.head(), (), KnownLine(5, None)), (OWN,))
    assert found is not None
    assert found.code == "audit_forked"


def test_an_empty_log_contradicts_one_that_was_not() -> None:
    assert audit.judge(audit.Memory(OWN), AuditHead(None), (OWN,)) is None
    found = audit.judge(audit.Memory(OWN).plus(AuditLog(1).head()), AuditHead(None), (OWN,))
    assert found is not None
    assert found.code == "audit_rolled_back"


def test_a_head_of_another_key_is_not_believed() -> None:
    stranger = AuditLog(3, SigningKey(b"\x09" * 32))
    with pytest.raises(UntrustedError):
        audit.judge(audit.Memory(OWN), AuditHead(stranger.head()), (OWN,))
    log = AuditLog(3)
    stranger.prune(2)
    held = audit.Memory(OWN).plus(log.head())
    log.add("more")
    with pytest.raises(UntrustedError):
        audit.judge(
            held, AuditHead(log.head(), tuple(stranger.tombstones), KnownLine(3, None)), (OWN,)
        )


def test_the_memory_is_bounded_and_keeps_old_and_new(tmp_path: Path) -> None:
    held = audit.Memory(OWN)
    log = AuditLog()
    for number in range(3 * audit.MAX_HEADS):
        log.add(str(number))
        held = held.plus(log.head())
    assert len(held.heads) <= audit.MAX_HEADS
    seqs = [head.seq for head in held.all()]
    assert seqs == sorted(set(seqs))
    assert (seqs[0], seqs[-1]) == (1, 3 * audit.MAX_HEADS)
    assert audit.forget(tmp_path, PROFILE) == 0


def test_a_damaged_memory_is_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "audit" / "lab.json"
    path.parent.mkdir()
    for text in ("{", '{"coordinator_key":"x","heads":[{"payloadType":"x","payload":""}]}'):
        path.write_text(text)
        path.chmod(0o600)
        assert audit.load(tmp_path, PROFILE).heads == ()


def test_what_an_older_key_signed_counts_if_it_named_the_pinned_one() -> None:
    """After a rotation the past is still evidence; a key that nothing leads from is not."""
    old = SigningKey(b"\x08" * 32)
    rotations = (rotation(old, KEY.public, 1),)
    keys = (old.public.hex(), "ab" * 32, "", OWN)
    trusted = audit.leading_to(OWN, keys, rotations)
    assert trusted == {old.public.hex(), OWN}
    assert audit.leading_to(old.public.hex(), keys, rotations) == {OWN}, "its successor counts"
    log = AuditLog(3, old)
    held = audit.Memory(OWN).plus(log.head())
    log.prune(2)
    log.key = KEY
    log.add("more")
    shown = AuditHead(log.head(), tuple(log.tombstones), KnownLine(3, log.lines[0].hash))
    assert audit.judge(held, shown, trusted) is None
    with pytest.raises(UntrustedError):
        audit.judge(held, shown, (OWN,))
