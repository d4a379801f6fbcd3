"""What a host is told of itself survives the way, and nonsense is refused."""

from __future__ import annotations

import pytest

from protocol import desired
from protocol.errors import DecodeError
from protocol.limits import MAX_OFFER_MODULES


def test_a_document_survives_and_equal_documents_are_equal_bytes() -> None:
    """The ledger compares bytes, so the order in which tags were set must not show."""
    one = desired.DesiredDocument("web1", {"a": "1", "b": "2"})
    two = desired.DesiredDocument("web1", {"b": "2", "a": "1"})
    assert desired.encode(one) == desired.encode(two)
    assert desired.decode(desired.encode(one)) == one


@pytest.mark.parametrize("data", [b"", b"[]", b'{"tags": 1}', b"x" * (MAX_OFFER_MODULES + 1)])
def test_nonsense_is_refused(data: bytes) -> None:
    """A document that cannot be read is an error, never an empty one."""
    with pytest.raises(DecodeError):
        desired.decode(data)
