"""The bodies of the API: requests refuse what they do not know, answers ignore it."""

from __future__ import annotations

import inspect

import msgspec
import pytest

from protocol import api

STRUCTS = [
    value
    for _, value in inspect.getmembers(api, inspect.isclass)
    if issubclass(value, msgspec.Struct) and value.__module__ == "protocol.api"
]


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_requests_forbid_unknown_fields_and_answers_ignore_them(
    struct: type[msgspec.Struct],
) -> None:
    """A typing mistake in a request is told; a newer coordinator may say more."""
    config = struct.__struct_config__
    assert config.frozen
    assert config.forbid_unknown_fields == struct.__name__.endswith("Request")


def test_absent_and_null_are_told_apart_where_it_matters() -> None:
    """A PATCH without a field keeps it, with null clears it."""
    absent = msgspec.json.decode(b"{}", type=api.UpdateEnrolmentKeyRequest)
    null = msgspec.json.decode(b'{"expires_at":null}', type=api.UpdateEnrolmentKeyRequest)
    assert absent.expires_at is msgspec.UNSET
    assert null.expires_at is None


def test_optional_fields_may_be_left_out_of_requests() -> None:
    """The shortest request that means something."""
    found = msgspec.json.decode(b'{"modules":["web"]}', type=api.StateOperationRequest)
    assert found == api.StateOperationRequest(("web",))
