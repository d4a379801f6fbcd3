"""Two resources that claim one thing on a host, inside a module and across modules.

Only claims that one node can meet together count: `supports`, `when` and the choice of the most
specific variant are taken into account. Identities with expressions are compared on the node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from state_engine.language import clauses
from state_engine.language.expressions import is_expression
from state_engine.language.problems import Findings, quote
from state_engine.language.variants import Alternative, Budget, all_cases, alternatives, wins
from state_engine.model import Module, Problem
from state_engine.resources.contract import Kind
from state_engine.resources.registry import KINDS

# A path is one thing, whichever kind manages it.
_NAMESPACES = {"directory-unix": "path", "file-unix": "path", "symlink-unix": "path"}


class Claim(msgspec.Struct, frozen=True):
    """One alternative of one resource, and the identity that it would manage."""

    module: Module
    resource: int
    kind: str
    identity: str
    choice: int
    choices: tuple[Alternative, ...]
    cases: list[dict[str, str]]

    @property
    def path(self) -> str:
        """The JSON pointer of the claim in its file."""
        return self.choices[self.choice].path


def namespace(kind: str) -> str:
    """Return what the identities of a kind are compared in; kinds that share it exclude others."""
    return _NAMESPACES.get(kind, kind)


def claims(module: Module, kinds: Mapping[str, Kind] = KINDS) -> list[Claim]:
    """Return the identities that a module claims and that are known before a node is."""
    found: list[Claim] = []
    cases = all_cases(module)
    for index, resource in enumerate(module.resources):
        choices = alternatives(resource, index)
        for number, choice in enumerate(choices):
            kind = kinds.get(choice.kind)
            identity = None if kind is None else kind.identity(choice.spec, resource.id)
            if identity and not is_expression(identity):
                claim = Claim(module, index, choice.kind, identity, number, choices, cases)
                found.append(claim)
    return found


def _can_meet(one: Claim, two: Claim, budget: Budget) -> bool:
    """Say whether some node takes both claims; with the budget spent, yes: none is passed over."""
    terms = (one.choices[one.choice].when.terms, two.choices[two.choice].when.terms)
    if clauses.joined(*terms) is None:
        return not budget.spend(1)
    for case in one.cases:
        for other in two.cases:
            both = clauses.joined(case.items(), other.items(), *terms)
            work = 1 if both is None else len(one.choices) + len(two.choices)
            if not budget.spend(work):
                return True
            if both is None:
                continue
            if wins(one.choices, one.choice, both) and wins(two.choices, two.choice, both):
                return True
    return False


def check(module: Module, kinds: Mapping[str, Kind], findings: Findings) -> None:
    """Report identities that two resources of one module claim together."""
    for earlier, later in _meetings(claims(module, kinds)):
        one, two = module.resources[earlier.resource], module.resources[later.resource]
        first = module.places.get(earlier.path, (one.line, 1))
        hint = "keep one resource for it"
        if one.each is not None and one.origin == two.origin:
            hint = "let the items of `for_each` name different things: `${{ each.key }}`"
        findings.add(
            later.path,
            "duplicate-identity",
            f"{later.kind} {quote(later.identity)} is managed twice; first on line {first[0]}",
            hint=hint,
        )


def find_conflicts(
    modules: Sequence[Module], kinds: Mapping[str, Kind] = KINDS
) -> list[Problem]:  # fmt: skip
    """Return what several modules claim together, and names that two of them share.

    Conflicts inside one module belong to its validation and are not repeated here.
    """
    findings = {id(module): Findings(module.file, module.places) for module in modules}
    names: dict[str, Module] = {}
    for module in modules:
        first = names.setdefault(module.name, module)
        if first is not module:
            message = f"module name {quote(module.name)} is also used by {first.file}"
            findings[id(module)].add("/name", "duplicate-module", message)
    every = [claim for module in modules for claim in claims(module, kinds)]
    for earlier, later in _meetings(every, across=True):
        line = earlier.module.places.get(earlier.path, (1, 1))[0]
        findings[id(later.module)].add(
            later.path,
            "conflict",
            f"{later.kind} {quote(later.identity)} is also managed by module "
            f"{quote(earlier.module.name)} ({earlier.module.file}:{line})",
            hint="keep it in one module",
        )
    return [problem for found in findings.values() for problem in found.sorted()]


def _meetings(found: list[Claim], *, across: bool = False) -> list[tuple[Claim, Claim]]:
    """Return pairs of claims that some node meets together: each later one with the first."""
    by_identity: dict[tuple[str, str], list[Claim]] = {}
    budget = Budget()
    pairs: list[tuple[Claim, Claim]] = []
    for claim in found:
        group = by_identity.setdefault((namespace(claim.kind), claim.identity), [])
        for earlier in group:
            same = earlier.module is claim.module
            if same if across else earlier.resource == claim.resource:
                continue
            if _can_meet(earlier, claim, budget):
                pairs.append((earlier, claim))
                break
        else:
            group.append(claim)
    return pairs
