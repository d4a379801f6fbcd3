"""The bodies of the secrets family."""

from __future__ import annotations

import msgspec
import pytest

from protocol.api_secrets import CreateSecretRequest, UpdateSecretRequest


def test_expiry_absent_null_and_text_are_three_things() -> None:
    """Absent keeps, null clears, a text sets."""
    absent, null, text = (
        msgspec.json.decode(data, type=UpdateSecretRequest).expires_at
        for data in (b"{}", b'{"expires_at":null}', b'{"expires_at":"2027-01-01T00:00:00Z"}')
    )
    assert absent is msgspec.UNSET
    assert null is None
    assert text == "2027-01-01T00:00:00Z"


def test_a_request_never_shows_its_value() -> None:
    """What is logged or raised with a request in it holds no value."""
    assert "hunter22" not in repr(CreateSecretRequest("db", value="hunter22"))
    assert "hunter22" not in repr(UpdateSecretRequest(value="hunter22"))


def test_an_unknown_field_is_refused() -> None:
    """A misspelt restriction must not become none."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"name":"a","restrictions":{}}', type=CreateSecretRequest)
