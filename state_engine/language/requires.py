"""`requires`: which modules must be in the same set, and the order of modules that follows.

Modules are otherwise done by name. Nothing here looks at resources: `order` does, inside a module.
"""

from __future__ import annotations

from collections.abc import Sequence

from state_engine.language import order
from state_engine.language.problems import Findings, one_of, pointer, quote
from state_engine.model import Module, Problem


def check_one(module: Module, findings: Findings) -> None:
    """Report what a module's own list shows: itself, and names that stand twice."""
    for number, name in enumerate(module.requires):
        path = pointer("requires", number)
        if name == module.name:
            findings.add(path, "requires", f"module {quote(name)} requires itself")
        elif name in module.requires[:number]:
            findings.add(path, "requires", f"module {quote(name)} stands twice in `requires`")


def in_order(modules: Sequence[Module]) -> list[Module]:
    """Return modules with those that each requires before it, ties by name; a cycle is cut."""
    ordered, _ = _sorted(modules)
    return ordered


def check(modules: Sequence[Module]) -> list[Problem]:
    """Return what a set of modules lacks, and which of them wait for each other."""
    findings = {id(module): Findings(module.file, module.places) for module in modules}
    names = sorted({module.name for module in modules})
    for module in modules:
        for number, name in enumerate(module.requires):
            if name not in names:
                others = [other for other in names if other != module.name]
                findings[id(module)].add(
                    pointer("requires", number),
                    "requires",
                    f"module {quote(module.name)} requires {quote(name)}, which is not in this set",
                    hint=f"the set has {one_of(others[:10])}" if others else "apply both together",
                    suggest=(name, others),
                )
    ordered, cycles = _sorted(modules)
    for cycle in cycles:
        members = [quote(module.name) for module in (*cycle, cycle[0])]
        shown = " → ".join(members[:12]) + (" → …" if len(members) > 12 else "")
        findings[id(cycle[0])].add(
            "/requires",
            "cycle",
            f"modules wait for each other: {shown}",
            hint="take one of them out of a `requires`",
        )
    return [problem for module in ordered for problem in findings[id(module)].sorted()]


def _sorted(modules: Sequence[Module]) -> tuple[list[Module], list[list[Module]]]:
    """Return modules in order, and the cycles that had to be cut."""
    by_name = sorted(modules, key=lambda module: (module.name, module.sha256))
    places: dict[str, int] = {}
    for index, module in enumerate(by_name):
        places.setdefault(module.name, index)
    graph = tuple(
        tuple(sorted({places[name] for name in module.requires if name in places}))
        for module in by_name
    )
    found = order.sort(graph)
    cycles = [[by_name[index] for index in cycle] for cycle in found.cycles]
    return [by_name[index] for index in found.indexes], cycles
