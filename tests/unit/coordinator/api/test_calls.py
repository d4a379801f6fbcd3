"""What handlers share."""

from __future__ import annotations

import pytest
from litestar import Request

from coordinator.api import calls, problems
from coordinator.api.calls import Call
from coordinator.domain.refusals import Refusal
from tests.fakes.api_site import Site


def call(api: Site, **headers: str) -> Call:
    """Return a call with these headers."""
    raw = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    return Call(Request({"type": "http", "headers": raw, "state": {}}), api.context)  # type: ignore[arg-type,typeddict-item]  # what is read


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, None), ("*", None), ('"12"', 12), (' "12" ', 12), ('W/"12"', 12)],
)
async def test_if_match_names_a_version_or_any(
    api: Site, header: str | None, expected: int | None
) -> None:
    headers = {} if header is None else {"if_match": header}
    assert call(api, **headers).expected_version() == expected


@pytest.mark.parametrize("header", ["12", '"x"', '""', '"1", "2"', '"' + "9" * 40 + '"'])
async def test_any_other_if_match_is_refused(api: Site, header: str) -> None:
    with pytest.raises(problems.ProblemError, match="If-Match"):
        call(api, if_match=header).expected_version()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, calls.DEFAULT_WAIT),
        ("respond-async", 0.0),
        ("Respond-Async, wait=5", 0.0),
        ("wait=5", 5.0),
        ("return=minimal, wait = 7", 7.0),
        ("wait=9999", calls.MAX_WAIT),
        ("wait=-1", calls.DEFAULT_WAIT),
        ("await=3", calls.DEFAULT_WAIT),
        ("wait=" + "9" * 20, calls.DEFAULT_WAIT),
    ],
)
async def test_prefer_says_how_long_to_wait(api: Site, header: str | None, expected: float) -> None:
    headers = {} if header is None else {"prefer": header}
    assert call(api, **headers).patience() == expected


def test_a_refusal_leaves_as_an_error_and_a_value_as_it_is() -> None:
    assert calls.accept(3) == 3
    with pytest.raises(problems.ProblemError, match="no"):
        calls.accept(Refusal("conflict", "no"))
    assert calls.refuse("not_found", "gone").kind == "not_found"
