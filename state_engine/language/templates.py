"""Templates: texts of a module that resources name by id; the text takes the place of `content`."""

from __future__ import annotations

from collections.abc import Iterable

from protocol.canonical import Json
from state_engine.language.expressions import scan
from state_engine.language.problems import Findings, pointer, quote
from state_engine.language.variants import Alternative, alternatives
from state_engine.model import Module, Template

FIELD = "template"


def by_id(module: Module) -> dict[str, Template]:
    """Return the templates of a module by id."""
    return {template.id: template for template in module.templates}


def check(module: Module, findings: Findings) -> None:
    """Report template ids that stand twice, that nobody uses, and uses of ids that do not exist."""
    known: dict[str, Template] = {}
    for index, template in enumerate(module.templates):
        first = known.setdefault(template.id, template)
        if first is not template:
            path = pointer("templates", index, "id")
            message = f"template id {quote(template.id)} stands twice; first on line {first.line}"
            findings.add(path, "duplicate-template", message)
    used = {name for choice in _choices(module) if (name := _named(choice)) is not None}
    for choice in _choices(module):
        name = _named(choice)
        if name is not None and name not in known:
            findings.add(
                choice.path + pointer(FIELD),
                "unknown-template",
                f"there is no template {quote(name)} in this module",
                suggest=(name, known),
            )
    _check_each(module, known, findings)
    for index, template in enumerate(module.templates):
        if template.id not in used:
            path = pointer("templates", index, "id")
            message = f"template {quote(template.id)} is not used"
            findings.add(path, "unused-template", message, severity="warning")


def _check_each(module: Module, known: dict[str, Template], findings: Findings) -> None:
    """Report templates that name an item of a `for_each`, used where there is none."""
    asking = {
        name
        for name, template in known.items()
        if any(expression.namespace == "each" for expression in scan(template.content)[0])
    }
    for index, resource in enumerate(module.resources):
        if resource.for_each is not None or resource.each is not None:
            continue
        for choice in alternatives(resource, index):
            if _named(choice) in asking:
                findings.add(
                    choice.path + pointer(FIELD),
                    "expression",
                    f"template {quote(_named(choice) or '')} uses `each`, which exists only in a "
                    "resource with `for_each`",
                )


def _choices(module: Module) -> Iterable[Alternative]:
    for index, resource in enumerate(module.resources):
        yield from alternatives(resource, index)


def _named(choice: Alternative) -> str | None:
    name = choice.spec.get(FIELD)
    return name if isinstance(name, str) else None


def put_in(spec: dict[str, Json], known: dict[str, Template]) -> dict[str, Json]:
    """Return a spec whose `template` has become `content`; an unknown id is left as it stands."""
    name = spec.get(FIELD)
    if not isinstance(name, str) or name not in known:
        return spec
    rest = {key: value for key, value in spec.items() if key != FIELD}
    return rest | {"content": known[name].content}
