"""The node's policy file: what it may say, and that silence means an operator must sign."""

from __future__ import annotations

import msgspec
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
        {"capabilities": {"state.apply": {"requester_excluded": 1}}},
        {"capabilities": {"state.apply": {"windows": ["noon"]}}},
        {"capabilities": {"state.apply": {"paths": ["srv"]}}},
        {"capabilities": {"state.apply": {"paths": ["/srv/../etc"]}}},
        {"capabilities": {"state.apply": {"paths": ["/srv/"]}}},
        {"capabilities": {"state.apply": {"deny_paths": ["//etc"]}}},
        {"capabilities": {"state.apply": {"deny_paths": "/etc"}}},
        {"capabilities": {"state.apply": {"operators": [""]}}},
        {"capabilities": {"state.apply": {"users": [" "]}}},
        {"capabilities": {"state.apply": {"kinds": [""]}}},
    ],
    ids=str,
)
def test_a_policy_with_a_mistake_is_refused_whole(data: dict[str, object]) -> None:
    """A typing mistake must not leave a host more open than its owner thinks."""
    with pytest.raises(DecodeError, match="policy"):
        parse(data)


def test_a_rule_says_all_that_it_may() -> None:
    """Every key at once, each in its own form, up to the most signatures that there are."""
    rule = {
        "signature": "coordinator",
        "quorum": 16,
        "requester_excluded": True,
        "operators": ["ada"],
        "windows": ["mon-fri 22:00-05:00"],
        "users": ["app"],
        "kinds": ["file-unix"],
        "paths": ["/", "/srv"],
        "deny_paths": ["/srv/secret"],
        "repair": False,
    }
    found = parse({"capabilities": {"state.apply": rule}}).rule("state.apply")
    assert msgspec.to_builtins(found) == {
        key: tuple(value) if isinstance(value, list) else value for key, value in rule.items()
    }
    assert parse({"capabilities": {"state.apply": {"quorum": 1}}}).rule("state.apply").quorum == 1
