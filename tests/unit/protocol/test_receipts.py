"""Receipts: only the host itself can make one, and only for the run and bytes that it names."""

from __future__ import annotations

import msgspec
import pytest

from protocol import ids, journal, receipts
from protocol.errors import DecodeError
from protocol.keys import SigningKey
from protocol.messages import Finished, Started, encode_body

HOST = SigningKey(b"h" * 32)
NODE = ids.node_id(HOST.public)
SAID = Finished("run-1", 1, "succeeded", artifact="a" * 64, digest="d" * 64)


def entry(key: SigningKey = HOST) -> journal.Entry:
    """Return the host's signed word."""
    return journal.seal(7, journal.GENESIS, 1_700_000_000.25, "finished", encode_body(SAID), key)


def test_a_receipt_survives_json_and_says_what_the_host_said() -> None:
    sent = msgspec.json.encode(receipts.make(entry(), HOST.public))
    assert receipts.check(msgspec.json.decode(sent, type=receipts.Receipt), NODE, "run-1") == SAID


@pytest.mark.hostile
@pytest.mark.parametrize(
    "change",
    [
        {"seq": 8},
        {"prev": "11" * 32},
        {"at": 1_700_000_001.0},
        {"at": float("nan")},
        {"body": "AAAA"},
        {"body": "not base64"},
        {"sig": "AAAA"},
        {"public_key": "00" * 32},
        {"public_key": SigningKey(b"x" * 32).public.hex()},
    ],
)
def test_a_changed_receipt_is_refused(change: dict[str, object]) -> None:
    made = msgspec.structs.replace(receipts.make(entry(), HOST.public), **change)
    with pytest.raises(DecodeError):
        receipts.check(made, NODE, "run-1")


@pytest.mark.hostile
def test_another_host_another_run_and_another_kind_are_refused() -> None:
    other = SigningKey(b"o" * 32)
    made = receipts.make(entry(), HOST.public)
    with pytest.raises(DecodeError, match="key of node"):
        receipts.check(receipts.make(entry(other), other.public), NODE, "run-1")
    with pytest.raises(DecodeError, match="another run"):
        receipts.check(made, NODE, "run-2")
    started = journal.seal(
        7, journal.GENESIS, 1.0, "started", encode_body(Started("run-1", 1)), HOST
    )
    with pytest.raises(DecodeError):
        receipts.check(receipts.make(started, HOST.public), NODE, "run-1")
