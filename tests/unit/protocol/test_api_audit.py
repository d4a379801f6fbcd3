from __future__ import annotations

import msgspec
import pytest

from protocol.api_audit import Retention, RetentionRequest


def test_a_misspelt_field_is_refused_and_an_answer_may_grow() -> None:
    """A retention that was not understood would delete evidence."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"retention_day": 3}', type=RetentionRequest)
    grown = msgspec.json.decode(b'{"retention_days": 3, "more": 1}', type=Retention)
    assert grown == Retention(3)
