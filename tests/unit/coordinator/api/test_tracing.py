"""The ids of a request."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.api import tracing

ENTROPY = bytes(range(18))
ID = b"01a204c4-6a2d-7839-a6c2-a7a0961f5e21"
PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_both_headers_are_honoured() -> None:
    """The trace goes on under its own id, with a span of ours."""
    trace = tracing.begin(ID.upper(), PARENT, 1.0, ENTROPY)
    assert trace.request_id == ID.decode()
    assert trace.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert trace.traceparent == f"00-{trace.trace_id}-{ENTROPY[10:].hex()}-01"


@pytest.mark.parametrize(
    "parent",
    [
        None,
        b"",
        b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        PARENT.upper(),
        PARENT + b"-x",
        b"ff" + PARENT[2:],
    ],
)
def test_a_malformed_traceparent_counts_as_absent(parent: bytes | None) -> None:
    trace = tracing.begin(None, parent, 1.0, ENTROPY)
    assert (trace.trace_id, trace.traceparent) == (None, None)


@given(st.binary(max_size=60), st.binary(max_size=80))
def test_what_comes_back_is_always_well_formed(request_id: bytes, parent: bytes) -> None:
    trace = tracing.begin(request_id, parent, 1_790_000_000.0, ENTROPY)
    assert str(uuid.UUID(trace.request_id)) == trace.request_id
    assert trace.traceparent is None or trace.traceparent.startswith("00-")


def test_an_own_id_sorts_by_time() -> None:
    first = tracing.uuid7(1_790_000_000.001, ENTROPY)
    later = tracing.uuid7(1_790_000_000.002, ENTROPY)
    assert uuid.UUID(first).version == 7
    assert first < later


def test_times_are_rfc_3339_in_utc() -> None:
    assert tracing.rfc3339(0.25) == "1970-01-01T00:00:00.250Z"


def test_a_request_without_ids_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        tracing.of({"state": {}})
