"""Bodies of the API on clones."""

from __future__ import annotations

import msgspec
import pytest

from protocol.api_clones import Clones, KeepRequest


def test_a_choice_names_one_holder_and_nothing_else() -> None:
    assert msgspec.json.decode(b'{"holder_id":"h"}', type=KeepRequest) == KeepRequest("h")
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"holder_id":"h","all":true}', type=KeepRequest)


def test_an_answer_of_a_newer_coordinator_is_read() -> None:
    """What this version does not know is passed over."""
    data = b'{"node_id":"n","name":null,"diverged":false,"holders":[],"more":1}'
    assert msgspec.json.decode(data, type=Clones) == Clones("n", None, False, ())
