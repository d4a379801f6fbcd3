"""Who is meant: every type, and filters that narrow it down."""

from __future__ import annotations

import pytest

from coordinator.api import targeting
from coordinator.domain.commands import Target
from coordinator.domain.refusals import Refusal
from protocol.api import Agent
from protocol.api_commands import Targeting
from protocol.canonical import Json


def host(name: str, *, connected: bool, seen: int) -> Target:
    agent = Agent(
        name, name, name, "", "0.1.0", "approved", connected, seen, seen, {"role": name}, {},
        last_seen_at=seen,
    )  # fmt: skip
    return Target(agent, float(seen))


HOSTS = (
    host("a", connected=True, seen=1_700_000_000),
    host("b", connected=False, seen=1_600_000_000),
)


def names(wanted: Targeting) -> str:
    found = targeting.choose(wanted, HOSTS)
    assert not isinstance(found, Refusal), found
    return "".join(one.agent.node_id for one in found)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Targeting("all"), "ab"),
        (Targeting("nodes", ("b", "nobody")), "b"),
        (Targeting("clusters", cluster_names=("default",)), "ab"),
        (Targeting("clusters", cluster_names=("other",)), ""),
        (Targeting("selector", selector="role=a"), "a"),
        (Targeting("all", cluster_filters={"name": "def*"}), "ab"),
        (Targeting("all", cluster_filters={"name__in": ["other"]}), ""),
        (Targeting("all", cluster_filters={"node_count__gte": 3}), ""),
        (Targeting("nodes", ("b",), cluster_filters={"name": "other"}), "b"),
    ],
)
def test_each_type_means_its_hosts(wanted: Targeting, found: str) -> None:
    """What nobody has matches nothing."""
    assert names(wanted) == found


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"status__in": ["healthy"]}, "a"),
        ({"status__in": "unreachable"}, "b"),
        ({"version": "0.*"}, "ab"),
        ({"version": "9.*"}, ""),
        ({"self_update_enabled": True}, ""),
        ({"cluster_name": "default"}, "ab"),
        ({"last_seen_at__gte": "2023-01-01"}, "a"),
        ({"inserted_at__lte": "2023-01-01"}, "b"),
        ({"updated_at__gte": "2023-01-01", "status__in": ["unreachable"]}, ""),
    ],
)
def test_filters_narrow_it_down(filters: dict[str, Json], found: str) -> None:
    """All of them together."""
    assert names(Targeting("all", node_filters=filters)) == found


@pytest.mark.parametrize(
    "filters", [{"colour": "red"}, {"status__in": {"a": 1}}, {"self_update_enabled": "maybe"}]
)
def test_a_filter_that_is_not_understood_is_refused(filters: dict[str, Json]) -> None:
    """Fail closed."""
    refused = targeting.choose(Targeting("all", node_filters=filters), HOSTS)
    assert isinstance(refused, Refusal)
    assert (refused.kind, list(refused.details or {})) == (
        "validation_failed",
        ["targeting.node_filters"],
    )
