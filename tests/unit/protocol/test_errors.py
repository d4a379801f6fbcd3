"""The exceptions: one parent, and one tuple for what decoding may raise."""

from __future__ import annotations

import msgspec
import pytest

from protocol import errors
from protocol.errors import MALFORMED, StandfastError


def test_every_error_has_the_one_parent() -> None:
    """A caller may catch everything of ours by one name."""
    for name in ("LocalProtocolError", "RemoteProtocolError", "DecodeError", "InvalidName"):
        assert issubclass(getattr(errors, name), StandfastError)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\xa1\xff", b"\x91" * 100_000, b"\x01"])
def test_malformed_covers_all_that_decoding_raises(data: bytes) -> None:
    """Bad UTF-8 in a string is no error of msgspec's own family."""
    with pytest.raises(MALFORMED):
        msgspec.msgpack.decode(data, type=str if len(data) < 9 else None)
