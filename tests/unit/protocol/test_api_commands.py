from __future__ import annotations

import msgspec
import pytest

from protocol.api_commands import CreateCommandRequest, Targeting
from protocol.commands import Command


def test_a_request_is_the_document_that_is_signed() -> None:
    """Nothing of it is lost on the way, and nothing is added."""
    body = b'{"targeting":{"type":"all"},"command_text":"id","timeout":5,"stdin":"eA==","user":"u"}'
    asked = msgspec.json.decode(body, type=CreateCommandRequest)
    assert asked.command() == Command(script="id", timeout_ms=5, stdin=b"x", user="u")
    argv = CreateCommandRequest(Targeting("all"), argv=("id",))
    assert argv.command() == Command(argv=("id",))


def test_what_is_not_known_is_refused() -> None:
    """A field that is misspelt must not be passed over."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"targeting":{"type":"all"},"usr":"u"}', type=CreateCommandRequest)
