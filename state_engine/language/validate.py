"""Every static rule of the language over a module; the one call that uploads and tools use."""

from __future__ import annotations

from collections.abc import Mapping

from protocol.canonical import Json
from state_engine.language import conflicts, expressions, order, templates, variants
from state_engine.language.fields import check_fields
from state_engine.language.load import read
from state_engine.language.problems import Findings, pointer, quote
from state_engine.language.published import KINDS as PUBLISHED
from state_engine.language.variants import Alternative, alternatives
from state_engine.model import Module, Problem, Resource
from state_engine.resources.contract import Kind
from state_engine.resources.registry import KINDS

# Namespaces whose values reach a node without an operator's signature on them.
UNSIGNED = ("node", "tags")


def check_text(data: bytes, file: str = "<memory>") -> tuple[Module | None, list[Problem]]:
    """Return the module that a file's bytes hold, or None if anything is wrong with it.

    The problems hold warnings too; a module with warnings only is returned. Never raises.
    """
    findings = Findings(file)
    module = read(data, findings)
    if module is not None:
        findings.places = module.places
        examine(module, KINDS, findings)
    return (None if findings.failed else module), findings.sorted()


def validate_module(module: Module, kinds: Mapping[str, Kind] = KINDS) -> list[Problem]:
    """Return everything that is wrong with a module of the right shape."""
    findings = Findings(module.file, module.places)
    examine(module, kinds, findings)
    return findings.sorted()


def examine(module: Module, kinds: Mapping[str, Kind], findings: Findings) -> None:
    """Report what is wrong; of a module that was read in part, only what the rest cannot change."""
    whole = not findings.failed
    for index, resource in enumerate(module.resources):
        for choice in alternatives(resource, index):
            _check_choice(resource, choice, kinds, findings)
    for index, template in enumerate(module.templates):
        _check_expressions(template.content, pointer("templates", index, "content"), findings)
    if whole:
        templates.check(module, findings)
        order.check(module, kinds, findings)
        conflicts.check(module, kinds, findings)
        variants.analyse(module, findings)


def _check_choice(
    resource: Resource, choice: Alternative, kinds: Mapping[str, Kind], findings: Findings
) -> None:
    kind = kinds.get(choice.kind)
    if kind is None:
        if choice.kind:  # empty: the shape was wrong, and that is reported
            unknown_kind(choice, kinds, findings)
        return
    for field, value in choice.spec.items():
        _check_expressions(value, choice.path + pointer(field), findings)
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


def unsigned_in_code(
    kind: Kind, spec: dict[str, Json], used: frozenset[expressions.Expression]
) -> str | None:
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


def _check_expressions(value: Json, path: str, findings: Findings) -> None:
    _, faults = expressions.scan(value)
    for fault in faults:
        findings.add(path, "expression", fault.message, hint=fault.hint)


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
