"""Every static rule of the language over a module; the one call that uploads and tools use."""

from __future__ import annotations

from collections.abc import Mapping

from protocol.canonical import Json
from state_engine.language import (
    conflicts,
    expressions,
    order,
    parameters,
    requires,
    templates,
    variants,
)
from state_engine.language.bind import bind
from state_engine.language.expressions import Expression
from state_engine.language.fields import check_fields, fields_of
from state_engine.language.load import read
from state_engine.language.problems import Findings, one_of, pointer, quote
from state_engine.language.published import DELETABLE
from state_engine.language.published import KINDS as PUBLISHED
from state_engine.language.variants import Alternative, alternatives, base
from state_engine.model import Module, Problem, Resource
from state_engine.resources.contract import Kind
from state_engine.resources.registry import KINDS

# Texts for parameters, by module and by name.
Given = Mapping[str, Mapping[str, str]]
# Namespaces whose values reach a node without an operator's signature on them.
UNSIGNED = ("node", "tags")


def check_text(
    data: bytes, file: str = "<memory>", given: Given | None = None
) -> tuple[Module | None, list[Problem]]:
    """Return the module that a file's bytes hold, written out; None if anything is wrong with it.

    `given` holds texts for parameters, by module and name. The problems hold warnings too; a module
    with warnings only is returned. Never raises.
    """
    findings = Findings(file)
    module = read(data, findings)
    if module is not None:
        findings.places = module.places
        module = examine(module, KINDS, findings, (given or {}).get(module.name))
    return (None if findings.failed else module), findings.sorted()


def validate_module(module: Module, kinds: Mapping[str, Kind] = KINDS) -> list[Problem]:
    """Return everything that is wrong with a module of the right shape."""
    findings = Findings(module.file, module.places)
    examine(module, kinds, findings)
    return findings.sorted()


def examine(
    module: Module,
    kinds: Mapping[str, Kind],
    findings: Findings,
    given: Mapping[str, str] | None = None,
) -> Module:
    """Report what is wrong and return the module written out.

    Of a module that was read in part, only what the rest cannot change is reported.
    """
    whole = not findings.failed
    _check_names(module, kinds, findings, whole=whole)
    module = bind(module, given or {}, findings, kinds)
    for index, resource in enumerate(module.resources):
        for choice in alternatives(resource, index):
            _check_choice(resource, choice, kinds, findings)
    if whole:
        requires.check_one(module, findings)
        templates.check(module, findings)
        order.check(module, kinds, findings)
        conflicts.check(module, kinds, findings)
        variants.analyse(module, findings)
    return module


def _check_names(
    module: Module, kinds: Mapping[str, Kind], findings: Findings, *, whole: bool
) -> None:
    """Report expressions of a module that name what is not there; `whole`: all of it was read."""
    used: set[Expression] = set()
    for index, resource in enumerate(module.resources):
        items = resource.for_each is not None or resource.each is not None
        texts: list[tuple[str, Json]] = []
        if isinstance(resource.for_each, str):
            texts.append((base(resource, index) + "/for_each", resource.for_each))
        texts += [
            (choice.path + pointer(field), value)
            for choice in alternatives(resource, index)
            if choice.kind in kinds
            for field, value in choice.spec.items()
        ]
        for here, value in texts:
            found = _check_expressions(value, here, findings)
            used |= found
            if whole:
                _check_own(found, here, module, findings, items=items)
    for index, template in enumerate(module.templates):
        path = pointer("templates", index, "content")
        found = _check_expressions(template.content, path, findings)
        used |= found
        if whole:
            _check_own(found, path, module, findings, items=True)
    if whole and module.values is None:
        parameters.check(module, frozenset(used), findings)


def _check_own(
    used: frozenset[Expression], path: str, module: Module, findings: Findings, *, items: bool
) -> None:
    """Report parameters that are not declared, and `each` where there are no items."""
    known = [parameter.name for parameter in module.parameters]
    for expression in sorted(used, key=str):
        head = expression.name.partition(".")[0]
        if expression.namespace == "params" and head not in known:
            message = f"module {quote(module.name)} has no parameter {quote(head)}"
            hint = f"it has {one_of(known)}" if known else "declare it under `parameters`"
            findings.add(path, "unknown-parameter", message, hint=hint, suggest=(head, known))
        if expression.namespace == "each" and not items:
            message = "`each` exists only in a resource with `for_each`"
            findings.add(path, "expression", message)


def _check_choice(
    resource: Resource, choice: Alternative, kinds: Mapping[str, Kind], findings: Findings
) -> None:
    kind = kinds.get(choice.kind)
    if kind is None:
        if choice.kind:  # empty: the shape was wrong, and that is reported
            unknown_kind(choice, kinds, findings)
        return
    sound = check_fields(kind, choice.spec, choice.path, findings)
    _check_triggers(kind, choice, findings)
    if not sound:
        return
    for problem in kind.validate(choice.spec):
        if not expressions.is_expression(choice.spec.get(problem.field)):
            path = choice.path + pointer(problem.field)
            findings.add(path, "field-value", problem.message, hint=problem.hint)
    if kind.identity(choice.spec, resource.id) is None:
        no_identity(kind, choice, findings)
    used, _ = expressions.scan(choice.spec)
    if (message := unsigned_in_code(kind, choice.spec, used)) is not None:
        findings.add(choice.path, "unsigned-in-code", message, hint="use variants with tag.<name>")
    secret = any(expression.namespace == "secrets" for expression in used)
    if secret and (message := exposing(kind, choice.spec)) is not None:
        findings.add(choice.path, "secret-mode", message, hint="mode: '0600'")
    if (message := undeletable(resource, choice)) is not None:
        path = base(resource, 0) + "/on_remove"
        findings.add(path, "on-remove", message, hint="write undo or keep")


def unknown_kind(choice: Alternative, kinds: Mapping[str, Kind], findings: Findings) -> None:
    """Report a kind that is not in the registry; one of the published format by its own message."""
    if choice.kind in PUBLISHED:
        message = f"kind `{choice.kind}` is not available in this version"
        hint = f"available are {', '.join(sorted(kinds))}"
        findings.add(choice.path, "not-available", message, hint=hint)
        return
    message = f"there is no kind {quote(choice.kind)}"
    words = sorted({*kinds, *PUBLISHED})
    findings.add(choice.path, "unknown-kind", message, suggest=(choice.kind, words))


def no_identity(kind: Kind, choice: Alternative, findings: Findings) -> None:
    """Report a resource that nothing names on its host."""
    message = f"nothing names this `{kind.name}` on its host"
    hint = "give the resource an `id`" + (", or `manages`" if kind.name == "script" else "")
    findings.add(choice.path, "no-identity", message, hint=hint)


def unsigned_in_code(kind: Kind, spec: dict[str, Json], used: frozenset[Expression]) -> str | None:
    """Return why a spec would turn unsigned values into commands that run without approval.

    A signature covers the module, not the tags and the name of a node: whoever holds the
    coordinator can change those, and a command that runs while planning must not depend on them.
    """
    bad = sorted(str(expression) for expression in used if expression.namespace in UNSIGNED)
    if not bad or not kind.runs_code(spec):
        return None
    return (
        f"`{bad[0]}` is not signed, so a `{kind.name}` that runs code while planning cannot use it"
    )


def exposing(kind: Kind, spec: dict[str, Json]) -> str | None:
    """Return why a resource would leave open who may read its secret, or None.

    A file that has no `mode` keeps the one it had, or gets one that everybody may read.
    """
    if "mode" not in fields_of(kind.spec_type) or spec.get("ensure") == "absent":
        return None
    if spec.get("mode") is not None:
        return None
    return f"a `{kind.name}` that holds a secret must state its `mode`"


def undeletable(resource: Resource, choice: Alternative) -> str | None:
    """Return why a resource cannot ask to be deleted when it is removed, or None."""
    if resource.on_remove != "delete" or choice.kind in DELETABLE:
        return None
    return f"`on_remove: delete` is not available for `{choice.kind}`"


def _check_expressions(value: Json, path: str, findings: Findings) -> frozenset[Expression]:
    used, faults = expressions.scan(value)
    for fault in faults:
        findings.add(path, "expression", fault.message, hint=fault.hint)
    return used


def _check_triggers(kind: Kind, choice: Alternative, findings: Findings) -> None:
    """Report ids that one resource lists both for reloading and for restarting."""
    seen: dict[str, str] = {}
    for field in kind.trigger_fields:
        value = choice.spec.get(field)
        names = [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
        for number, name in enumerate(names):
            other = seen.setdefault(name, field)
            if other != field:
                message = f"{quote(name)} stands in `{other}` and in `{field}`"
                path = choice.path + pointer(field, number)
                findings.add(path, "two-triggers", message, hint="keep one of the two")
