"""The link's messages: every kind crosses, old samples still decode, garbage is refused."""

from __future__ import annotations

import base64
import json
import operator
from pathlib import Path

import msgspec
import pytest

from protocol import journal, messages
from protocol.errors import DecodeError
from protocol.limits import MAX_FRAME
from protocol.messages import BODY_TYPES, Ack, Close, Facts, Heartbeat
from tests.fakes.link_messages import TO_AGENT, TO_COORDINATOR
from tests.fakes.people import key

SAMPLES = json.loads((Path(__file__).parent / "samples" / "link-v1.json").read_text("utf-8"))


@pytest.mark.parametrize("message", list(TO_COORDINATOR.values()), ids=lambda m: type(m).__name__)
def test_every_message_up_crosses(message: messages.Up) -> None:
    """Encoded and decoded it is the same."""
    assert messages.decode_up(messages.encode(message)) == message


@pytest.mark.parametrize("message", list(TO_AGENT.values()), ids=lambda m: type(m).__name__)
def test_every_message_down_crosses(message: messages.Down) -> None:
    """Encoded and decoded it is the same."""
    assert messages.decode_down(messages.encode(message)) == message


@pytest.mark.parametrize("sample", SAMPLES, ids=operator.itemgetter("name"))
def test_a_stored_sample_still_decodes_to_what_it_meant(sample: dict[str, object]) -> None:
    """Hosts with older programs are understood: every field that was written is still read."""
    frame = base64.b64decode(str(sample["frame"]))
    match sample["direction"]:
        case "up":
            found: object = messages.decode_up(frame)
        case "down":
            found = messages.decode_down(frame)
        case kind:
            entry = journal.seal(1, journal.GENESIS, 1.0, str(kind), frame, key(1))  # type: ignore[arg-type]  # a kind
            found = messages.decode_body(entry)
    now = json.loads(msgspec.json.encode(found))
    stored = sample["value"]
    assert isinstance(stored, dict)
    assert {field: now[field] for field in stored} == stored


def test_there_is_a_sample_of_every_message_and_every_body() -> None:
    """A new kind brings its sample."""
    kinds = {sample["name"] for sample in SAMPLES}
    messages_ = {type(m).__name__ for m in (*TO_AGENT.values(), *TO_COORDINATOR.values())}
    assert kinds == messages_ | {f"body {kind}" for kind in BODY_TYPES}


def test_unknown_fields_are_ignored_and_unknown_types_are_not() -> None:
    """A newer peer may say more, but not something else."""
    more = msgspec.msgpack.encode({"type": "ack", "seq": 3, "later": {"x": [1]}})
    assert messages.decode_down(more) == Ack(3)
    other = msgspec.msgpack.encode({"type": "acknowledge", "seq": 3})
    with pytest.raises(DecodeError, match="coordinator"):
        messages.decode_down(other)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x80",
        msgspec.msgpack.encode({"type": "ack", "seq": "3"}),
        msgspec.msgpack.encode({"type": "heartbeat", "at": None}),
        msgspec.msgpack.encode({"type": "close"}),
        b"\x82\xa4type\xa5close\xa4code\xa1\xff",
        b"\x82\xa4type\xa5close\xa4\xff\xff\xff\xff\xa1x",
        b"\x82\xa4type\xa5close\xa1x" + b"\x91" * 100_000,
        b"\x00" * (MAX_FRAME + 1),
    ],
    ids=lambda data: repr(data[:16]),
)
def test_garbage_is_a_decode_error_and_nothing_else(data: bytes) -> None:
    """Bad UTF-8, wrong types, endless nesting: one error, on both sides."""
    for decode in (messages.decode_up, messages.decode_down):
        with pytest.raises(DecodeError):
            decode(data)
    for kind in BODY_TYPES:
        entry = journal.seal(1, journal.GENESIS, 1.0, kind, data, key(1))
        with pytest.raises(DecodeError):
            messages.decode_body(entry)


def test_a_side_does_not_take_the_other_sides_messages() -> None:
    """What an agent says is not understood from a coordinator."""
    with pytest.raises(DecodeError):
        messages.decode_down(messages.encode(Heartbeat(1.0)))
    with pytest.raises(DecodeError):
        messages.decode_up(messages.encode(Ack(1)))


def test_a_message_over_the_limit_is_not_made() -> None:
    """The limit holds for us first."""
    with pytest.raises(DecodeError):
        messages.encode(Facts({"x": "y" * MAX_FRAME}))
    assert messages.decode_up(messages.encode(Close("x"))) == Close("x")
