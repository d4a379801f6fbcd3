"""Writes a module out: parameters get their values, and each `for_each` becomes its resources.

A text whose expressions are all known here is settled here, so that every static rule sees it; one
that names the node as well is left as written, for `resolve` to read once and whole.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from protocol.canonical import Json
from state_engine.language import for_each, parameters
from state_engine.language.expressions import (
    OWN,
    Expression,
    Fault,
    Names,
    escape,
    join,
    name_of,
    size,
    split,
)
from state_engine.language.fields import coerce, fields_of
from state_engine.language.problems import Findings, pointer
from state_engine.model import Each, Module, Resource, Variant
from state_engine.resources.contract import Kind
from state_engine.resources.registry import KINDS

# Resources that all the `for_each` of a module make together; a host's plan holds no more.
MAX_RESOURCES = 10_000
# Characters and values in the resources of a module, written out: what a host keeps in memory.
MAX_SIZE = 16 * 1_048_576


def bind(
    module: Module,
    given: Mapping[str, str],
    findings: Findings,
    kinds: Mapping[str, Kind] = KINDS,
) -> Module:
    """Return a module whose `values` are set and whose resources are written out.

    `given` holds texts for parameters; the others have their defaults. A resource that cannot be
    written out (because a parameter has no value, or a problem was found) stays as declared.
    """
    if module.values is not None:
        return module
    values = parameters.values(module, given, findings)
    work = _Binding(module, values, frozenset(given), kinds, findings)
    return work.run()


class _Binding:
    """The writing out of one module."""

    def __init__(
        self,
        module: Module,
        values: dict[str, Json],
        given: frozenset[str],
        kinds: Mapping[str, Kind],
        findings: Findings,
    ) -> None:
        self._module = module
        self._values = values
        self._given = given
        self._kinds = kinds
        self._findings = findings
        self._size = 0
        self._made = 0

    def run(self) -> Module:
        """Return the module written out; one that would be too large stays as declared."""
        declared = tuple(
            msgspec.structs.replace(resource, origin=index)
            for index, resource in enumerate(self._module.resources)
        )
        resources: list[Resource] = []
        groups: list[tuple[str, int]] = []
        for index, resource in enumerate(declared):
            if resource.for_each is None:
                # Nothing to settle: the resource stays the same object, and costs nothing.
                plain = not self._module.parameters
                resources.append(resource if plain else self._settled(resource, None))
            else:
                if resource.id:
                    groups.append((resource.id, index))
                resources += self._instances(resource, index)
            if self._is_too_large(index):
                resources = [*declared]
                break
        return msgspec.structs.replace(
            self._module, resources=tuple(resources), values=self._values, groups=tuple(groups)
        )

    def _instances(self, declared: Resource, index: int) -> list[Resource]:
        items = self._items(declared, index)
        if items is None:
            return [declared]
        self._made += len(items)
        made: list[Resource] = []
        for each in items:
            if self._made > MAX_RESOURCES or self._size > MAX_SIZE:
                break
            made.append(self._instance(declared, each))
        return made

    def _is_too_large(self, index: int) -> bool:
        if self._made > MAX_RESOURCES:
            what = f"the `for_each` of this module make more than {MAX_RESOURCES} resources"
            path = pointer("resources", index, "for_each")
        elif self._size > MAX_SIZE:
            what = f"this module's resources, written out, hold more than {MAX_SIZE} characters"
            path = pointer("resources", index)
        else:
            return False
        self._findings.add(path, "too-large", what, hint="split the module")
        return True

    def _items(self, resource: Resource, index: int) -> list[Each] | None:
        path = pointer("resources", index, "for_each")
        value = resource.for_each
        named = for_each.parameter_of(value) if isinstance(value, str) else None
        if named is not None:
            steps = named.name.split(".")
            if steps[0] not in self._values:
                return None  # no value was given, or none is declared: reported elsewhere
            found = name_of(named, Names(self._values))
            if isinstance(found, Fault):
                self._findings.add(path, "expression", found.message, hint=found.hint)
                return None
            value = found
            if steps[0] not in self._given and isinstance(value, list | dict):
                path = pointer("parameters", steps[0], "default", *steps[1:])
        return for_each.items(value, resource.id, path, self._findings)

    def _instance(self, declared: Resource, each: Each) -> Resource:
        made = msgspec.structs.replace(
            declared,
            id=for_each.instance_id(declared.id, each.key) if declared.id else None,
            group=declared.id,
            each=each,
            for_each=None,
        )
        return self._settled(made, each)

    def _settled(self, resource: Resource, each: Each | None) -> Resource:
        names = Names(self._values, each)
        path = pointer("resources", resource.origin or 0)
        spec = resource.spec
        if resource.kind is not None:
            here = path + pointer("resource", resource.kind)
            spec = self._spec(resource.kind, spec, names, here)
        variants: list[Variant] = []
        for number, variant in enumerate(resource.variants):
            here = path + pointer("variants", number, "resource", variant.kind)
            settled = self._spec(variant.kind, variant.spec, names, here)
            variants.append(msgspec.structs.replace(variant, spec=settled))
        return msgspec.structs.replace(resource, spec=spec, variants=tuple(variants))

    def _spec(
        self, name: str, spec: dict[str, Json], names: Names, path: str
    ) -> dict[str, Json]:  # fmt: skip
        kind = self._kinds.get(name)
        if kind is None:
            return spec
        fields = fields_of(kind.spec_type)
        settled: dict[str, Json] = {}
        for field, value in spec.items():
            made = value
            if field not in kind.trigger_fields:
                made = self._value(value, names, path + pointer(field))
                if field in fields and made != value:
                    made = coerce(made, fields[field].type)
            settled[field] = made
        return settled

    def _value(self, value: Json, names: Names, path: str) -> Json:
        if isinstance(value, list):
            return [self._value(item, names, path) for item in value]
        if isinstance(value, dict):
            return {key: self._value(item, names, path) for key, item in value.items()}
        made: Json = value
        if isinstance(value, str) and self._size <= MAX_SIZE:
            made = self._text(value, names, path)
        self._size += size(made)
        return made

    def _text(self, text: str, names: Names, path: str) -> Json:
        parts = split(text)
        used = [part for part in parts if isinstance(part, Expression)]
        own = [part for part in used if part.namespace in OWN]
        if not own or any(_is_open(part, names) for part in own):
            return text
        if len(own) < len(used) or any(isinstance(part, Fault) for part in parts):
            # Left for the node; but the module's own names are right or wrong already.
            faults = [found for part in own if isinstance(found := name_of(part, names), Fault)]
            made: Json = text
        else:
            outcome = join(parts, lambda part: name_of(part, names))
            faults = list(outcome.faults)
            made = text if faults else _escape(outcome.value)
        for fault in faults:
            self._findings.add(path, "expression", fault.message, hint=fault.hint)
        return made


def _is_open(expression: Expression, names: Names) -> bool:
    """Say whether a name stands for nothing yet; where it never will, `validate` says so."""
    if expression.namespace == "each":
        return names.each is None
    return expression.name.partition(".")[0] not in names.params


def _escape(value: Json) -> Json:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, list):
        return [_escape(item) for item in value]
    if isinstance(value, dict):
        return {key: _escape(item) for key, item in value.items()}
    return value
