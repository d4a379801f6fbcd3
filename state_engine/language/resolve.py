"""Modules and one node's facts to resources with every choice made, in apply order.

A problem is returned, never raised; nothing may be applied while one of them is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from protocol.canonical import Json
from state_engine.language import clauses, order, parameters, requires, templates
from state_engine.language.bind import MAX_SIZE, bind
from state_engine.language.conflicts import namespace
from state_engine.language.expressions import OWN, Expression, Names, Outcome, Scope, size
from state_engine.language.expressions import resolve as resolve_value
from state_engine.language.fields import check_fields, coerce, fields_of
from state_engine.language.problems import Findings, has_errors, pointer, quote
from state_engine.language.validate import (
    exposing,
    no_identity,
    undeletable,
    unknown_kind,
    unsigned_in_code,
)
from state_engine.language.variants import Alternative, Skipped, alternatives, base, choose
from state_engine.model import (
    Module,
    NodeFacts,
    Problem,
    ResolvedResource,
    ResolvedTrigger,
    Resource,
    ResourceKey,
)
from state_engine.references import Reference, SecretValue, Unavailable, replaced
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
    secrets: Mapping[str, SecretValue | Unavailable] | None = None,
    kinds: Mapping[str, Kind] = KINDS,
) -> Resolved:
    """Return what the modules mean on one node, and what keeps them from it.

    A module comes after those that it requires, else they go by name. `trusted` holds the SHA-256
    of the module versions whose signature holds. `secrets` are those that this node may have; the
    resources hold references to them, never their values.
    """
    scope = Scope(facts, secrets or {})
    resources: list[ResolvedResource] = []
    problems: list[Problem] = requires.check(modules)
    owners: dict[tuple[str, str], ResolvedResource] = {}
    names: set[str] = set()
    for declared in requires.in_order(modules):
        findings = Findings(declared.file, declared.places)
        if declared.name in names:
            message = f"module {quote(declared.name)} is given twice"
            findings.add("/name", "duplicate-module", message)
        elif _supported(declared, facts, findings) and (
            module := _bound(declared, kinds, findings)
        ):
            work = _Resolution(module, scope, kinds, findings, trusted=module.sha256 in trusted)
            for resource, path in work.run():
                owner = owners.setdefault((namespace(resource.kind), resource.identity), resource)
                if owner is not resource:
                    _claimed_twice(resource, owner, path, findings)
                resources.append(resource)
        names.add(declared.name)
        problems += findings.sorted()
    return Resolved(tuple(resources), tuple(problems))


def _bound(declared: Module, kinds: Mapping[str, Kind], findings: Findings) -> Module | None:
    """Return a module written out, or None if that cannot be done."""
    module = bind(declared, {}, findings, kinds)
    for name in parameters.missing(module):
        message = f"parameter {quote(name)} has no default, and no value was given"
        findings.add(pointer("parameters", name), "parameter-needed", message)
    return None if findings.failed else module


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
        self._size = 0
        self._edges = 0

    def run(self) -> list[tuple[ResolvedResource, str]]:
        """Return the resources in order, each with the pointer of the alternative it came from."""
        done: list[tuple[ResolvedResource, str]] = []
        found = order.sort(order.dependency_graph(self._module, self._kinds))
        for cycle in found.cycles:
            path = base(self._module.resources[cycle[0]], cycle[0])
            self._findings.add(path, "cycle", "resources wait for each other")
        for index in found.indexes:
            resource = self._module.resources[index]
            choices = alternatives(resource, index)
            choice = choose(choices, self._scope.facts, or_skip=resource.or_skip)
            if isinstance(choice, Skipped):
                continue
            if isinstance(choice, str):
                self._findings.add(base(resource, index), "no-variant", choice)
                continue
            if self._size > MAX_SIZE:
                message = (
                    f"the texts of this module, resolved, hold more than {MAX_SIZE} characters"
                )
                self._findings.add("/resources", "too-large", message, hint="split the module")
                break
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
        names = Names(self._module.values or {}, resource.each)
        spec, used = self._spec(kind, choice, names)
        if len(self._findings) > before:
            return None
        sensitive = tuple(field for field, names in used.items() if _secret(names))
        full = self._revealed(spec, sensitive) if sensitive else spec
        if not self._acceptable(kind, full, used, choice):
            return None
        if sensitive and not _converts(kind, spec):
            message = "a secret can stand only in a field that takes any text"
            self._findings.add(choice.path, "field-type", message)
            return None
        if (unremovable := undeletable(resource, choice)) is not None:
            self._findings.add(base(resource, index) + "/on_remove", "on-remove", unremovable)
            return None
        identity = kind.identity(full, resource.id)
        if identity is None:
            no_identity(kind, choice, self._findings)
            return None
        public = {field: value for field, value in spec.items() if field not in sensitive}
        if kind.identity(public, resource.id) != identity:
            message = "a secret cannot be part of what names a resource"
            self._findings.add(choice.path, "secret-identity", message)
            return None
        if sensitive and (exposed := exposing(kind, spec)) is not None:
            self._findings.add(choice.path, "secret-mode", exposed, hint="mode: '0600'")
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
            on_remove=resource.on_remove,
            timeout=resource.timeout,
            on_drift=resource.on_drift,
        )

    def _spec(
        self, kind: Kind, choice: Alternative, names: Names
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
                outcome = self._resolved(written, names)
                for fault in outcome.faults:
                    self._findings.add(path, "expression", fault.message, hint=fault.hint)
                value = outcome.value
                if outcome.used and field in fields and not _secret(outcome.used):
                    value = coerce(value, fields[field].type)
                used[field] = outcome.used
            if value is not None:  # null means "not managed", as an absent field does
                spec[field] = value
        return spec, used

    def _revealed(self, spec: dict[str, Json], sensitive: tuple[str, ...]) -> dict[str, Json]:
        """Return the spec with its secrets in place, to be checked; it goes nowhere from here."""
        put_in = {field: replaced(spec[field], self._value) for field in sensitive if field in spec}
        return {**spec, **put_in}

    def _value(self, reference: Reference) -> str:
        found = self._scope.secrets.get(reference.name)
        return found.value if isinstance(found, SecretValue) else ""

    def _resolved(self, written: Json, names: Names) -> Outcome:
        scope = msgspec.structs.replace(self._scope, names=names)
        if not isinstance(written, str):
            return self._charged(resolve_value(written, scope))
        known = self._texts.get(written)
        if known is None:
            known = self._charged(resolve_value(written, scope))
            if not any(expression.namespace == "each" for expression in known.used):
                self._texts[written] = known
        return known

    def _charged(self, outcome: Outcome) -> Outcome:
        """Count what the module's own names have multiplied; the rest is as large as the file."""
        if any(expression.namespace in OWN for expression in outcome.used):
            self._size += size(outcome.value)
        return outcome

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
        path = base(resource, index) + pointer("depends_on")
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
                triggers.append(ResolvedTrigger(trigger, tuple(dict.fromkeys(keys))))
        return tuple(triggers)

    def _look_up(self, names: Sequence[str], path: str) -> list[ResourceKey]:
        """Return the keys of ids; of a resource with a problem, or one not wanted here, none."""
        keys: list[ResourceKey] = []
        for number, name in enumerate(names):
            indexes = self._known.find(name)
            if indexes is None:
                message = f"no resource of this module has the id {quote(name)}"
                self._findings.add(f"{path}/{number}", "unknown-id", message)
            else:
                self._edges += len(indexes)
                if self._edges > order.MAX_EDGES:
                    message = f"the resources of this module have more than {order.MAX_EDGES} edges"
                    self._findings.add("/resources", "too-many-edges", message)
                    return []
                keys += [self._keys[index] for index in indexes if index in self._keys]
        return keys


def _converts(kind: Kind, spec: dict[str, Json]) -> bool:
    """Say whether references can stand where they do: what is kept must be a spec of its kind."""
    try:
        msgspec.convert(spec, kind.spec_type)
    except msgspec.ValidationError:
        return False
    return True


def _secret(used: frozenset[Expression]) -> bool:
    return any(expression.namespace == "secrets" for expression in used)
