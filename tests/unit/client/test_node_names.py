"""NODE: an id, a name, the beginning of an id; the rest of its promises are properties."""

from __future__ import annotations

import pytest

from client.failures import BadUsageError, NotFoundError
from client.node_names import find, find_all
from protocol.api import Agent


def agent(node_id: str, name: str | None) -> Agent:
    return Agent(node_id, name, "h", "ip", "v", "approved", True, 0, 0, {}, {})


FLEET = [
    agent("aa000000-0000-8000-8000-000000000001", "web-01"),
    agent("aa000000-0000-8000-8000-000000000002", "aa"),
    agent("ab000000-0000-8000-8000-000000000003", None),
]


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("web-01", 0),
        ("WEB-01", 0),
        ("aa000000-0000-8000-8000-000000000001", 0),
        ("AB", 2),
        ("aa", 1),
    ],
)
def test_a_name_wins_over_the_beginning_of_an_id(text: str, index: int) -> None:
    assert find(FLEET, text) is FLEET[index]


def test_an_ambiguous_beginning_is_a_usage_error() -> None:
    with pytest.raises(BadUsageError, match="means 2 nodes") as caught:
        find(FLEET, "aa0")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["", "nowhere", "zz"])
def test_nothing_found_is_exit_code_4(text: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        find(FLEET, text)
    assert caught.value.exit_code == 4


def test_a_near_name_is_offered() -> None:
    with pytest.raises(NotFoundError, match="did you mean 'web-01'"):
        find(FLEET, "web-1")


def test_a_node_named_twice_is_taken_once() -> None:
    assert find_all(FLEET, ["web-01", "aa000000-0000-8000-8000-000000000001", "ab"]) == [
        FLEET[0],
        FLEET[2],
    ]
