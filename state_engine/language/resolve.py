"""Modules and one node's facts to resources with every choice made, in apply order.

A problem is returned, never raised; nothing may be applied while one of them is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from protocol.canonical import Json
from state_engine.language import clauses, order, templates
from state_engine.language.conflicts import namespace
from state_engine.language.expressions import Expression, Outcome, Scope
from state_engine.language.expressions import resolve as resolve_value
from state_engine.language.fields import check_fields, coerce, fields_of
from state_engine.language.problems import Findings, has_errors, pointer, quote
from state_engine.language.validate import no_identity, unknown_kind, unsigned_in_code
from state_engine.language.variants import Alternative, alternatives, choose
from state_engine.model import (
    Module,
    NodeFacts,
    Problem,
    ResolvedResource,
    ResolvedTrigger,
    Resource,
    ResourceKey,
)
from state_engine.resources.contract import Kind
from state_engine.resources.registry import KINDS


class Resolved(msgspec.Struct, frozen=True):
    """Resources in apply order; complete only if `ok`, else they must not be applied."""

    resources: tuple[ResolvedResource, ...]
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error among the problems."""
        return not has_errors(self.problems)


def resolve(
    modules: Sequence[Module],
    facts: NodeFacts,
    *,
    trusted: frozenset[str],
    secrets: Mapping[str, str] | None = None,
    kinds: Mapping[str, Kind] = KINDS,
) -> Resolved:
    """Return what the modules mean on one node, modules by name, and what keeps them from it.

    `trusted` holds the SHA-256 of the module versions whose signature holds.
    """
    scope = Scope(facts, secrets or {})
    resources: list[ResolvedResource] = []
    problems: list[Problem] = []
    owners: dict[tuple[str, str], ResolvedResource] = {}
    names: set[str] = set()
    for module in sorted(modules, key=lambda module: (module.name, module.sha256)):
        findings = Findings(module.file, module.places)
        if module.name in names:
            message = f"module {quote(module.name)} is given twice"
            findings.add("/name", "duplicate-module", message)
        elif _supported(module, facts, findings):
            work = _Resolution(module, scope, kinds, findings, trusted=module.sha256 in trusted)
            for resource, path in work.run():
                owner = owners.setdefault((namespace(resource.kind), resource.identity), resource)
                if owner is not resource:
                    _claimed_twice(resource, owner, path, findings)
                resources.append(resource)
        names.add(module.name)
        problems += findings.sorted()
    return Resolved(tuple(resources), tuple(problems))


def _supported(module: Module, facts: NodeFacts, findings: Findings) -> bool:
    if any(clauses.matches(clause, facts) for clause in module.supports):
        return True
    wanted = " or ".join(clauses.show(clause) for clause in module.supports[:5]) or "nothing"
    message = f"module {quote(module.name)} does not support node {quote(facts.name)}"
    findings.add("/supports", "not-supported", message, hint=f"it supports {wanted}")
    return False


def _claimed_twice(
    resource: ResolvedResource, owner: ResolvedResource, path: str, findings: Findings
) -> None:
    where = "this module" if owner.module == resource.module else f"module {quote(owner.module)}"
    message = f"{resource.kind} {quote(resource.identity)} is also managed by {where}"
    code = "duplicate-identity" if owner.module == resource.module else "conflict"
    findings.add(path, code, message, hint="keep one of the two")


class _Resolution:
    """The resolution of one module on one node."""

    def __init__(
        self,
        module: Module,
        scope: Scope,
        kinds: Mapping[str, Kind],
        findings: Findings,
        *,
        trusted: bool,
    ) -> None:
        self._module = module
        self._scope = scope
        self._kinds = kinds
        self._findings = findings
        self._trusted = trusted
        self._templates = templates.by_id(module)
        self._known = order.ids(module)
        self._keys: dict[int, ResourceKey] = {}
        # A text that many resources share (a template) is resolved once and stays one text.
        self._texts: dict[str, Outcome] = {}

    def run(self) -> list[tuple[ResolvedResource, str]]:
        """Return the resources in order, each with the pointer of the alternative it came from."""
        done: list[tuple[ResolvedResource, str]] = []
        found = order.sort(order.dependency_graph(self._module, self._kinds))
        for cycle in found.cycles:
            path = pointer("resources", cycle[0])
            self._findings.add(path, "cycle", "resources wait for each other")
        for index in found.indexes:
            resource = self._module.resources[index]
            choice = choose(alternatives(resource, index), self._scope.facts)
            if isinstance(choice, str):
                self._findings.add(pointer("resources", index), "no-variant", choice)
                continue
            made = self._make(resource, choice, index)
            if made is not None:
                self._keys[index] = made.key
                done.append((made, choice.path))
        return done

    def _make(
        self, resource: Resource, choice: Alternative, index: int
    ) -> ResolvedResource | None:  # fmt: skip
        kind = self._kinds.get(choice.kind)
        if kind is None:
            unknown_kind(choice, self._kinds, self._findings)
            return None
        before = len(self._findings)
        spec, used = self._spec(kind, choice)
        if len(self._findings) > before or not self._acceptable(kind, spec, used, choice):
            return None
        identity = kind.identity(spec, resource.id)
        if identity is None:
            no_identity(kind, choice, self._findings)
            return None
        sensitive = tuple(field for field, names in used.items() if _secret(names))
        public = {field: value for field, value in spec.items() if field not in sensitive}
        if kind.identity(public, resource.id) != identity:
            message = "a secret cannot be part of what names a resource"
            self._findings.add(choice.path, "secret-identity", message)
            return None
        triggers = self._triggers(kind, spec, choice)
        before_us = [*self._depends(resource, index), *(key for t in triggers for key in t.on)]
        return ResolvedResource(
            module=self._module.name,
            kind=kind.name,
            identity=identity,
            spec=spec,
            id=resource.id,
            name=resource.name,
            depends_on=tuple(dict.fromkeys(before_us)),
            triggers=triggers,
            sensitive=sensitive,
            trusted=self._trusted,
        )

    def _spec(
        self, kind: Kind, choice: Alternative
    ) -> tuple[dict[str, Json], dict[str, frozenset[Expression]]]:
        """Return the spec with plain values only, and the expressions that each field used."""
        spec: dict[str, Json] = {}
        used: dict[str, frozenset[Expression]] = {}
        fields = fields_of(kind.spec_type)
        for field, written in templates.put_in(choice.spec, self._templates).items():
            path = choice.path + pointer(field)
            if field == templates.FIELD and written is not None:
                shown = quote(written) if isinstance(written, str) else "this"
                message = f"there is no template {shown} in this module"
                self._findings.add(path, "unknown-template", message)
            value = written
            if field not in kind.trigger_fields:
                outcome = self._resolved(written)
                for fault in outcome.faults:
                    self._findings.add(path, "expression", fault.message, hint=fault.hint)
                value = outcome.value
                if outcome.used and field in fields:
                    value = coerce(value, fields[field].type)
                used[field] = outcome.used
            if value is not None:  # null means "not managed", as an absent field does
                spec[field] = value
        return spec, used

    def _resolved(self, written: Json) -> Outcome:
        if not isinstance(written, str):
            return resolve_value(written, self._scope)
        known = self._texts.get(written)
        if known is None:
            known = self._texts[written] = resolve_value(written, self._scope)
        return known

    def _acceptable(
        self,
        kind: Kind,
        spec: dict[str, Json],
        used: Mapping[str, frozenset[Expression]],
        choice: Alternative,
    ) -> bool:
        before = len(self._findings)
        if {"content", templates.FIELD} <= choice.spec.keys() and not (
            choice.spec["content"] is None or choice.spec[templates.FIELD] is None
        ):
            message = "`content` and `template` exclude each other"
            self._findings.add(choice.path, "field-value", message)
        hidden = {field for field, names in used.items() if _secret(names)}
        if check_fields(kind, spec, choice.path, self._findings, hidden):
            for problem in kind.validate(spec):
                path = choice.path + pointer(problem.field)
                # The kind's message may quote the value, so a field with a secret gets our own.
                secret = problem.field in hidden
                message = f"`{problem.field}` is not valid" if secret else problem.message
                self._findings.add(path, "field-value", message, hint=problem.hint)
            every = frozenset(name for names in used.values() for name in names)
            if (unsigned := unsigned_in_code(kind, spec, every)) is not None:
                self._findings.add(choice.path, "unsigned-in-code", unsigned)
        return len(self._findings) == before

    def _depends(self, resource: Resource, index: int) -> list[ResourceKey]:
        path = pointer("resources", index, "depends_on")
        return self._look_up(resource.depends_on, path)

    def _triggers(
        self, kind: Kind, spec: dict[str, Json], choice: Alternative
    ) -> tuple[ResolvedTrigger, ...]:
        triggers: list[ResolvedTrigger] = []
        for field, trigger in kind.trigger_fields.items():
            value = spec.get(field)
            names = (
                [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
            )
            keys = self._look_up(names, choice.path + pointer(field))
            if keys:
                triggers.append(ResolvedTrigger(trigger, tuple(keys)))
        return tuple(triggers)

    def _look_up(self, names: Sequence[str], path: str) -> list[ResourceKey]:
        """Return the keys of ids; one whose resource has a problem of its own is left out."""
        for number, name in enumerate(names):
            if name not in self._known:
                message = f"no resource of this module has the id {quote(name)}"
                self._findings.add(f"{path}/{number}", "unknown-id", message)
        indexes = [self._known[name] for name in names if name in self._known]
        return [self._keys[index] for index in indexes if index in self._keys]


def _secret(used: frozenset[Expression]) -> bool:
    return any(expression.namespace == "secrets" for expression in used)
