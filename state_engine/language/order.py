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
from state_engine.language.variants import alternatives, base
from state_engine.model import Module, Resource
from state_engine.resources.contract import Kind
from state_engine.resources.registry import KINDS

# Edges that one module may have once a `for_each` is written out: all items of one resource before
# all items of another are the product of both, and each edge is kept in the snapshot of a host.
MAX_EDGES = 100_000

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
            path = base(resource, index) + pointer("depends_on", number)
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


class Ids(msgspec.Struct, frozen=True):
    """The resources that each id names: one, or all that a `for_each` made of it.

    `whole` are the ids whose `for_each` is not written out, so that its items are not known.
    """

    known: dict[str, tuple[int, ...]]
    whole: dict[str, int] = {}

    def find(self, target: str) -> tuple[int, ...] | None:
        """Return the indexes that an id names, or None if nothing has it."""
        found = self.known.get(target)
        stem = target.partition("[")[0]
        if found is None and target.endswith("]") and stem in self.whole:
            return (self.whole[stem],)
        return found


def ids(module: Module) -> Ids:
    """Return what the ids of a module name; of equal ids the first."""
    known: dict[str, tuple[int, ...]] = {}
    members: dict[str, list[int]] = {name: [] for name, _ in module.groups}
    whole: dict[str, int] = {}
    for index, resource in enumerate(module.resources):
        if resource.id:
            known.setdefault(resource.id, (index,))
        if resource.group is not None:
            members.setdefault(resource.group, []).append(index)
        elif resource.id and resource.for_each is not None:
            whole[resource.id] = index
    for name, indexes in members.items():
        known.setdefault(name, tuple(indexes))
    return Ids(known, whole)


def dependency_graph(module: Module, kinds: Mapping[str, Kind] = KINDS) -> Graph:
    """Return for each resource the indexes that come before it; unknown ids are left out."""
    known = ids(module)
    edges: list[set[int]] = [set() for _ in module.resources]
    count = 0
    for reference in references(module, kinds):
        targets = known.find(reference.target) or ()
        count += len(targets)
        if count > MAX_EDGES:
            break  # the module is refused by `check`
        edges[reference.source].update(targets)
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
    """Report ids that stand twice, ids that do not exist, too many edges, and cycles by name."""
    _check_ids(module, findings)
    known = ids(module)
    edges = 0
    for reference in references(module, kinds):
        targets = known.find(reference.target)
        if targets is None:
            findings.add(
                reference.path,
                "unknown-id",
                f"no resource of this module has the id {quote(reference.target)}",
                suggest=(reference.target, known.known),
            )
            continue
        edges += len(targets)
        if edges > MAX_EDGES:
            message = f"the resources of this module have more than {MAX_EDGES} edges"
            hint = "let a single resource stand between the two `for_each`"
            findings.add(reference.path, "too-many-edges", message, hint=hint)
            return
    for cycle in sort(dependency_graph(module, kinds)).cycles:
        names = [module.resources[index].id or "?" for index in (*cycle, cycle[0])]
        shown = " → ".join(quote(name) for name in names[:12]) + (" → …" if len(names) > 12 else "")
        findings.add(
            base(module.resources[cycle[0]], cycle[0]),
            "cycle",
            f"resources wait for each other: {shown}",
            hint="take away one `depends_on` or trigger",
        )


def _check_ids(module: Module, findings: Findings) -> None:
    """Report an id of the file that a second resource of the file has, written out or not."""
    groups = [(name, pointer("resources", index)) for name, index in module.groups]
    named = [
        (name, base(resource, index))
        for index, resource in enumerate(module.resources)
        for name in (resource.group, resource.id)
        if name
    ]
    first: dict[str, str] = {}
    for name, path in sorted(groups + named, key=lambda pair: findings.locate(pair[1])):
        earlier = first.setdefault(name, path)
        if earlier != path:
            line = findings.locate(earlier)[0]
            message = f"resource id {quote(name)} stands twice; first on line {line}"
            findings.add(path + "/id", "duplicate-id", message)
