from __future__ import annotations

import msgspec
import pytest

from protocol import api_approvals, dsse

ENVELOPE = dsse.Envelope("t", "cGF5bG9hZA==", (dsse.Signature("k", "c2ln"),))


@pytest.mark.parametrize(
    "request_",
    [
        api_approvals.RevokeRequest(ENVELOPE),
        api_approvals.ProposeRequest(ENVELOPE),
        api_approvals.SignProposalRequest(ENVELOPE.signatures),
        api_approvals.StatementRequest(ENVELOPE),
    ],
)
def test_a_request_comes_back_as_it_was_and_takes_no_unknown_field(
    request_: msgspec.Struct,
) -> None:
    data = msgspec.json.encode(request_)
    assert msgspec.json.decode(data, type=type(request_)) == request_
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(data[:-1] + b',"more":1}', type=type(request_))


def test_an_answer_of_a_newer_coordinator_is_read() -> None:
    """What this version does not know is passed over."""
    found = msgspec.json.decode(
        b'{"decision_id":"d","run_id":"r","phase":"cancelled","more":1}', type=api_approvals.Revoked
    )
    assert found.phase == "cancelled"
