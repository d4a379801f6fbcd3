"""Variants: which alternative a node takes, and whether some node could find two or none.

Of the matching variants those of the highest priority count, and of them the most specific wins:
the one with the most keys, whatever the order. With `else: skip` none is right too. The static
questions are asked in a smallest world: the terms that must hold, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import msgspec

from protocol.canonical import Json
from state_engine.language import clauses
from state_engine.language.problems import Findings, pointer
from state_engine.model import Clause, Module, NodeFacts, Resource

# Clauses that are compared for one module. Thirty resources with six variants each that may all
# meet, under ten clauses of `supports`, need 30 * 15 pairs * 10 cases * 6 = 27 000; a hostile file
# is stopped after about a second.
MAX_COMPARISONS = 500_000


@dataclass
class Budget:
    """How many clauses may still be compared; spent means that the answer is not known."""

    left: int = MAX_COMPARISONS

    def spend(self, clauses_compared: int) -> bool:
        """Take some away; say whether there was enough."""
        self.left -= clauses_compared
        return self.left >= 0


class Alternative(msgspec.Struct, frozen=True):
    """One kind with its spec that a resource may become; `path` points to the spec in the file."""

    kind: str
    spec: dict[str, Json]
    when: Clause
    path: str
    priority: int = 0

    @property
    def strength(self) -> tuple[int, int]:
        """What decides between alternatives that fit: priority first, then specificity."""
        return self.priority, len(self.when.terms)


class Skipped(msgspec.Struct, frozen=True):
    """No alternative fits, and the resource says that it is not wanted then."""


def base(resource: Resource, index: int) -> str:
    """Return the JSON pointer of the resource at an index of its module."""
    return pointer("resources", index if resource.origin is None else resource.origin)


def alternatives(resource: Resource, index: int) -> tuple[Alternative, ...]:
    """Return what the resource at an index of its module may become; a broken one has none."""
    here = base(resource, index)
    if resource.kind is not None:
        path = here + pointer("resource", resource.kind)
        return (Alternative(resource.kind, resource.spec, Clause(()), path),)
    return tuple(
        Alternative(
            variant.kind,
            variant.spec,
            variant.when,
            here + pointer("variants", number, "resource", variant.kind),
            variant.priority,
        )
        for number, variant in enumerate(resource.variants)
    )


def winners(choices: Sequence[Alternative], fits: Callable[[Clause], bool]) -> list[int]:
    """Return the strongest choices whose clause fits: one is right, more are a tie."""
    fitting = [index for index, choice in enumerate(choices) if fits(choice.when)]
    most = max((choices[index].strength for index in fitting), default=(0, 0))
    return [index for index in fitting if choices[index].strength == most]


def choose(
    choices: Sequence[Alternative], facts: NodeFacts, *, or_skip: bool = False
) -> Alternative | Skipped | str:
    """Return the alternative that a node takes, or the reason why there is not exactly one."""
    found = winners(choices, lambda clause: clauses.matches(clause, facts))
    if len(found) == 1:
        return choices[found[0]]
    if not found:
        return Skipped() if or_skip else "no variant matches this node"
    tied = " and ".join(clauses.show(choices[index].when) for index in found)
    return f"variants {tied} match this node and are equally specific"


def wins(choices: Sequence[Alternative], index: int, case: Mapping[str, str]) -> bool:
    """Say whether a choice is (one of) the strongest where only the case's terms hold.

    If it loses there, it loses to a stronger one that fits, and so in every larger case too.
    """
    return index in _candidates(choices, case)


def _candidates(choices: Sequence[Alternative], case: Mapping[str, str]) -> list[int]:
    return winners(choices, lambda clause: clauses.holds(clause, case))


def all_cases(module: Module) -> list[dict[str, str]]:
    """Return the cases of all clauses of `supports`."""
    return [case for clause in module.supports for case in clauses.cases(clause)]


def analyse(module: Module, findings: Findings) -> None:
    """Report clauses that fit no node, and variants that may tie, leave a gap or never be used."""
    for index, clause in enumerate(module.supports):
        if not clauses.cases(clause):
            findings.add(
                pointer("supports", index),
                "impossible-clause",
                f"no node can match {clauses.show(clause)}",
                severity="warning",
            )
    budget = Budget()
    cases = all_cases(module)
    asked: set[str] = set()
    for index, resource in enumerate(module.resources):
        path = base(resource, index) + pointer("variants")
        if not resource.variants or path in asked:
            continue
        asked.add(path)  # what a `for_each` makes of one resource asks the same
        choices = alternatives(resource, index)
        if budget.spend(2 * len(cases) * len(choices)):
            if not resource.or_skip:
                _gaps(module, choices, path, findings)
            _unused(cases, choices, path, findings, budget)
            _ties(cases, choices, path, findings, budget)
        if budget.left < 0:
            message = "too many variants and `supports` clauses to tell whether one always matches"
            findings.add(path, "too-many-variants", message, hint="split the module")
            return


def _gaps(module: Module, choices: Sequence[Alternative], path: str, findings: Findings) -> None:
    for clause in module.supports:
        for case in clauses.cases(clause):
            if not _candidates(choices, case):
                findings.add(
                    path,
                    "variant-gap",
                    f"a node that `supports` {clauses.show(clause)} may find no variant",
                    hint="add a variant without the keys that `supports` leaves open, or "
                    "`else: skip`",
                )
                break


def _ties(
    cases: Sequence[Mapping[str, str]],
    choices: Sequence[Alternative],
    path: str,
    findings: Findings,
    budget: Budget,
) -> None:
    for one, two in combinations(range(len(choices)), 2):
        first, second = choices[one].when, choices[two].when
        if not budget.spend(1):
            return
        if choices[one].strength != choices[two].strength:
            continue
        if clauses.joined(first.terms, second.terms) is None:
            continue
        for case in cases:
            both = clauses.joined(case.items(), first.terms, second.terms)
            if not budget.spend(1 if both is None else len(choices)):
                return
            if both is not None and wins(choices, one, both):
                findings.add(
                    f"{path}/{two}",
                    "variant-tie",
                    f"variants {clauses.show(first)} and {clauses.show(second)} are equally "
                    f"specific and may both match",
                    hint=f"add a variant for {clauses.show(_union(first, second))}, or give one "
                    "of them a higher `priority`",
                )
                break


def _union(first: Clause, second: Clause) -> dict[str, str]:
    return dict(first.terms) | dict(second.terms)


def _unused(
    cases: Sequence[Mapping[str, str]],
    choices: Sequence[Alternative],
    path: str,
    findings: Findings,
    budget: Budget,
) -> None:
    for index, choice in enumerate(choices):
        worlds = [clauses.joined(case.items(), choice.when.terms) for case in cases]
        possible = [world for world in worlds if world is not None]
        if not budget.spend(len(possible) * len(choices)):
            return
        if not any(wins(choices, index, world) for world in possible):
            why = "is never taken: a stronger one always matches too"
            findings.add(
                f"{path}/{index}",
                "variant-unused",
                f"variant {clauses.show(choice.when)} "
                + (why if possible else "fits no node that `supports` allows"),
                severity="warning",
            )
