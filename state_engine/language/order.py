"""The order of a module's resources: edges from `depends_on` and triggers, and a stable sort.

Declaration order holds wherever no edge says otherwise. A trigger of any variant is an edge, so
the order is the same on every node.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping

import msgspec

from protocol.reports import TriggerKind
from state_engine.language.problems import Findings, pointer, quote
from state_engine.language.variants import alternatives
from state_engine.model import Module, Resource
from state_engine.resources.contract import Kind
from state_engine.resources.registry import KINDS

Graph = tuple[tuple[int, ...], ...]


class Reference(msgspec.Struct, frozen=True):
    """One mention of another resource's id: by whom, where, and as what trigger (None: order)."""

    source: int
    target: str
    path: str
    trigger: TriggerKind | None = None


class Order(msgspec.Struct, frozen=True):
    """Indexes in apply order, and the cycles that had to be cut to find one (none if valid)."""

    indexes: tuple[int, ...]
    cycles: tuple[tuple[int, ...], ...] = ()


def references(module: Module, kinds: Mapping[str, Kind] = KINDS) -> Iterator[Reference]:
    """Yield every mention of an id by a resource of the module, in the order of the file."""
    for index, resource in enumerate(module.resources):
        for number, target in enumerate(resource.depends_on):
            path = pointer("resources", index, "depends_on", number)
            yield Reference(index, target, path)
        for choice in alternatives(resource, index):
            kind = kinds.get(choice.kind)
            if kind is None:
                continue
            for field, trigger in kind.trigger_fields.items():
                value = choice.spec.get(field)
                for number, item in enumerate(value if isinstance(value, list) else ()):
                    if isinstance(item, str):
                        yield Reference(index, item, choice.path + pointer(field, number), trigger)


def ids(module: Module) -> dict[str, int]:
    """Return the index of each resource that has an id; of equal ids the first."""
    found: dict[str, int] = {}
    for index, resource in enumerate(module.resources):
        if resource.id:
            found.setdefault(resource.id, index)
    return found


def dependency_graph(module: Module, kinds: Mapping[str, Kind] = KINDS) -> Graph:
    """Return for each resource the indexes that come before it; unknown ids are left out."""
    known = ids(module)
    edges: list[set[int]] = [set() for _ in module.resources]
    for reference in references(module, kinds):
        if reference.target in known:
            edges[reference.source].add(known[reference.target])
    return tuple(tuple(sorted(targets)) for targets in edges)


def sort(graph: Graph) -> Order:
    """Return the topological order whose ties go by index; a cycle is cut and reported."""
    waits = [set(targets) for targets in graph]
    needed_by: list[list[int]] = [[] for _ in graph]
    for index, targets in enumerate(graph):
        for target in targets:
            needed_by[target].append(index)
    ready = [index for index, targets in enumerate(graph) if not targets]
    left = set(range(len(graph)))
    order: list[int] = []
    cycles: list[tuple[int, ...]] = []
    lowest = 0
    while left:
        if not ready:
            while lowest not in left:
                lowest += 1
            cycle = _cycle(waits, lowest)
            cycles.append(cycle)
            waits[cycle[0]].clear()
            ready.append(cycle[0])
        index = heapq.heappop(ready)
        left.discard(index)
        order.append(index)
        for waiting in needed_by[index]:
            if index in waits[waiting]:
                waits[waiting].discard(index)
                if not waits[waiting] and waiting in left:
                    heapq.heappush(ready, waiting)
    return Order(tuple(order), tuple(cycles))


def _cycle(waits: list[set[int]], start: int) -> tuple[int, ...]:
    """Return a cycle, its lowest index first; every resource that is left waits for one that is."""
    seen: dict[int, int] = {}
    walk: list[int] = []
    index = start
    while index not in seen:
        seen[index] = len(walk)
        walk.append(index)
        index = min(waits[index])
    cycle = walk[seen[index] :]
    first = cycle.index(min(cycle))
    return tuple(cycle[first:] + cycle[:first])


def apply_order(module: Module, kinds: Mapping[str, Kind] = KINDS) -> tuple[Resource, ...]:
    """Return the resources in the order in which they are applied."""
    order = sort(dependency_graph(module, kinds))
    return tuple(module.resources[index] for index in order.indexes)


def check(module: Module, kinds: Mapping[str, Kind], findings: Findings) -> None:
    """Report ids that stand twice, ids that do not exist, and cycles by name."""
    known = ids(module)
    for index, resource in enumerate(module.resources):
        if resource.id and known[resource.id] != index:
            first = module.resources[known[resource.id]].line
            message = f"resource id {quote(resource.id)} stands twice; first on line {first}"
            findings.add(pointer("resources", index, "id"), "duplicate-id", message)
    for reference in references(module, kinds):
        if reference.target not in known:
            findings.add(
                reference.path,
                "unknown-id",
                f"no resource of this module has the id {quote(reference.target)}",
                suggest=(reference.target, known),
            )
    for cycle in sort(dependency_graph(module, kinds)).cycles:
        names = [module.resources[index].id or "?" for index in (*cycle, cycle[0])]
        shown = " → ".join(quote(name) for name in names[:12]) + (" → …" if len(names) > 12 else "")
        findings.add(
            pointer("resources", cycle[0]),
            "cycle",
            f"resources wait for each other: {shown}",
            hint="take away one `depends_on` or trigger",
        )
