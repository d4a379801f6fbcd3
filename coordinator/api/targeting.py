"""Which hosts a command is for: the published targeting, refused where it is not understood.

A filter that nobody knows is an error: without it a command would reach more hosts than meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter

from coordinator.api.paging import Field, Grammar, keep
from coordinator.domain.commands import CLUSTER, Target
from coordinator.domain.refusals import Refusal, RefusalKind, invalid
from coordinator.domain.run_views import rfc3339
from protocol import selectors
from protocol.api_commands import Targeting
from protocol.canonical import Json
from protocol.errors import DecodeError

_INVALID: RefusalKind = "validation_failed"
TYPES = ("all", "nodes", "clusters", "selector")
# There is one cluster until networks come; it has no ranges and no limit.
_Cluster = tuple[str, int]


def _when(at: float) -> str | None:
    return rfc3339(at) if at else None


def _time(name: str) -> Field[Target]:
    def read(target: Target) -> str | None:
        if name == "inserted_at":
            return _when(target.inserted_at)
        seconds: int = getattr(target.agent, name)
        return _when(seconds)

    return Field(name, "time", read, exact=False, ranges=True)


NODES: Grammar[Target] = Grammar(
    fields=(
        Field("status", "text", lambda t: "healthy" if t.agent.connected else "unreachable",
              many=True),
        Field("cluster_name", "text", lambda _: CLUSTER, wild=True, many=True),
        Field("version", "text", lambda t: t.agent.agent_version, wild=True),
        Field("self_update_enabled", "flag", lambda _: False),
        _time("last_seen_at"),
        _time("inserted_at"),
        _time("updated_at"),
    ),
    identity=lambda t: t.agent.node_id,
)  # fmt: skip
CLUSTERS: Grammar[_Cluster] = Grammar(
    fields=(
        Field("name", "text", itemgetter(0), wild=True, many=True),
        Field("ipv4_range", "text", lambda _: None, wild=True),
        Field("ipv6_range", "text", lambda _: None, wild=True),
        Field("node_count", "number", itemgetter(1), ranges=True),
        Field("has_node_limit", "flag", lambda _: False),
        Field("inserted_at", "time", lambda _: None, exact=False, ranges=True),
        Field("updated_at", "time", lambda _: None, exact=False, ranges=True),
    ),
    identity=itemgetter(0),
)


def choose(targeting: Targeting, hosts: tuple[Target, ...]) -> tuple[Target, ...] | Refusal:
    """Return the hosts that a targeting means now, in the order in which they came."""
    named = _named(targeting, hosts)
    if isinstance(named, Refusal):
        return named
    query = _query("node_filters", targeting.node_filters, NODES)
    if isinstance(query, Refusal):
        return query
    kept = keep(NODES, query, named)
    if isinstance(kept, Refusal):
        return _as_field("node_filters", kept)
    clusters = _query("cluster_filters", targeting.cluster_filters, CLUSTERS)
    if isinstance(clusters, Refusal):
        return clusters
    cluster = keep(CLUSTERS, clusters, [(CLUSTER, len(hosts))])
    if isinstance(cluster, Refusal):
        return _as_field("cluster_filters", cluster)
    # As published: for hosts that are named one by one, filters of clusters have no effect.
    return tuple(kept) if cluster or targeting.type == "nodes" else ()


def _named(targeting: Targeting, hosts: tuple[Target, ...]) -> list[Target] | Refusal:
    match targeting.type:
        case "all":
            return list(hosts)
        case "nodes" if targeting.node_ids:
            wanted = set(targeting.node_ids)
            return [host for host in hosts if host.agent.node_id in wanted]
        case "clusters" if targeting.cluster_names:
            return list(hosts) if CLUSTER in targeting.cluster_names else []
        case "selector" if targeting.selector is not None:
            try:
                selector = selectors.parse(targeting.selector)
            except DecodeError as error:
                return invalid("targeting.selector", str(error), _INVALID)
            return [host for host in hosts if selector.matches(host.agent.tags)]
        case "nodes":
            return invalid("targeting.node_ids", "node_ids is needed for type nodes", _INVALID)
        case "clusters":
            text = "cluster_names is needed for type clusters"
            return invalid("targeting.cluster_names", text, _INVALID)
        case "selector":
            return invalid("targeting.selector", "selector is needed for this type", _INVALID)
        case _:
            return invalid("targeting.type", f"type is one of {', '.join(TYPES)}", _INVALID)


def _query(
    field: str, filters: Mapping[str, Json], grammar: Grammar[Target] | Grammar[_Cluster]
) -> dict[str, str] | Refusal:
    known = {name for one in grammar.fields for name in one.parameters()}
    query: dict[str, str] = {}
    for name, value in filters.items():
        if name not in known:
            text = f"unknown filter {name[:64]!r}; known: {', '.join(sorted(known))}"
            return invalid(f"targeting.{field}", text, _INVALID)
        written = _text(value)
        if written is None:
            return invalid(f"targeting.{field}", f"{name} is text, a number or a list", _INVALID)
        query[name] = written
    return query


def _text(value: Json) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | str):
        return str(value)
    if isinstance(value, list):
        return ",".join(str(part) for part in value)
    return None


def _as_field(field: str, refused: Refusal) -> Refusal:
    return invalid(f"targeting.{field}", refused.message, _INVALID)
