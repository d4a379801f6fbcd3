"""The node's policy file: what it may say, and that silence means an operator must sign."""

from __future__ import annotations

import pytest

from protocol.errors import DecodeError
from protocol.policy import CapabilityRule, Policy, parse


def test_silence_means_one_operator() -> None:
    """The default of every capability."""
    assert parse({}) == Policy()
    assert Policy().rule("state.apply") == CapabilityRule("operator", 1)


def test_a_rule_holds_for_its_capability_only() -> None:
    """The rest keeps the default."""
    policy = parse({"capabilities": {"command.run": {"signature": "deny"}}})
    assert policy.rule("command.run").signature == "deny"
    assert policy.rule("state.apply").signature == "operator"


@pytest.mark.parametrize(
    "data",
    [
        {"capability": {}},
        {"capabilities": {"state.aply": {}}},
        {"capabilities": {"state.apply": {"signature": "none"}}},
        {"capabilities": {"state.apply": {"quorum": 0}}},
        {"capabilities": {"state.apply": {"quorum": 17}}},
        {"capabilities": {"state.apply": {"quorum": "2"}}},
        {"capabilities": {"state.apply": {"quorum": True}}},
        {"capabilities": {"state.apply": {"sig": "operator"}}},
        {"capabilities": []},
    ],
    ids=str,
)
def test_a_policy_with_a_mistake_is_refused_whole(data: dict[str, object]) -> None:
    """A typing mistake must not leave a host more open than its owner thinks."""
    with pytest.raises(DecodeError, match="policy"):
        parse(data)
