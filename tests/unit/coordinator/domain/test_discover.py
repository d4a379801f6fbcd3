"""The discovery datagram and where it may go."""

from __future__ import annotations

import pytest

from coordinator.domain import discover
from coordinator.domain.discover import Target
from coordinator.domain.refusals import Refusal
from protocol import discovery
from tests.fakes.api_site import COORDINATOR_KEY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, Target("255.255.255.255", 4747, broadcast=True)),
        ("host:1", Target("host", 1, broadcast=False)),
        ("10.0.0.1:65535", Target("10.0.0.1", 65_535, broadcast=False)),
        ("[::1]:4747", Target("::1", 4747, broadcast=False)),
    ],
)
def test_a_target_is_everybody_or_one_host(text: str | None, expected: Target) -> None:
    assert discover.target(text, 4747) == expected


@pytest.mark.parametrize(
    "text",
    ["", "host", ":1", "host:", "host:0", "host:65536", "host:1:2", "::1:1", "[host]:1", "a b:1",
     "host:٣", "-x:1", "host:1\n", "x" * 300 + ":1"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    outcome = discover.target(text, 4747)
    assert isinstance(outcome, Refusal)
    assert outcome.details is not None
    assert "target" in outcome.details


def test_the_datagram_is_signed_and_names_https_only() -> None:
    urls = ("http://plain", "https://c:4748")
    made = discover.datagram(COORDINATOR_KEY, urls, "ab" * 32, 1_790_000_000.9, b"n" * 16)
    assert isinstance(made, bytes)
    announced = discovery.decode(made)
    assert announced.urls == ("https://c:4748",)
    assert announced.coordinator_key == COORDINATOR_KEY.public


@pytest.mark.parametrize("urls", [("http://plain",), ("https://" + "x" * 600,)])
def test_what_cannot_be_announced_is_a_conflict(urls: tuple[str, ...]) -> None:
    outcome = discover.datagram(COORDINATOR_KEY, urls, "", 1.0, b"n" * 16)
    assert isinstance(outcome, Refusal)
    assert outcome.kind == "conflict"
