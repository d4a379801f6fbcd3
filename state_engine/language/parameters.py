"""Parameters of a module: their declarations, and the values that they have.

A value is taken as it stands: no expression inside it is ever read. Where values are put in is
`bind`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from protocol.canonical import Json
from state_engine.language.expressions import Expression, Fault, split
from state_engine.language.problems import Findings, one_of, pointer, quote
from state_engine.language.shape import (
    Keys,
    describe_value,
    is_nothing,
    take_choice,
    take_keys,
    take_list,
    take_map,
    take_text,
)
from state_engine.language.yaml_tree import YamlEntry, parse, plain
from state_engine.model import Module, Parameter, ParameterType

TYPES: dict[ParameterType, str] = {
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "list": "a list",
    "map": "a mapping",
}
WORDS: tuple[ParameterType, ...] = ("string", "integer", "boolean", "list", "map")
PARAMETER = Keys("a parameter", ("type", "default", "enum", "description"), ("type",))
# The types whose values a person may choose from a list of words.
WITH_ENUM = ("string", "integer")
NAME_PATTERN = r"[A-Za-z_][A-Za-z0-9_-]{0,63}"

_NAME = re.compile(NAME_PATTERN)


def read(entry: YamlEntry | None, findings: Findings) -> tuple[Parameter, ...]:
    """Return the parameters that a module declares; wrong ones are reported and left out."""
    if entry is None or is_nothing(entry):
        return ()
    table = take_map(entry.node, "`parameters`", entry.value_place, findings)
    if table is None:
        return ()
    made = [_parameter(item, findings) for item in table.entries]
    return tuple(parameter for parameter in made if parameter is not None)


def _parameter(entry: YamlEntry, findings: Findings) -> Parameter | None:
    what = f"parameter {quote(entry.key)}"
    if not _NAME.fullmatch(entry.key):
        message = f"{quote(entry.key)} is no name for a parameter"
        hint = "at most 64 letters, digits, `_` and `-`, a letter or `_` first"
        findings.add(entry.place, "name", message, hint=hint)
    table = take_map(entry.node, what, entry.value_place, findings)
    if table is None:
        return None
    found = take_keys(table, PARAMETER, findings)
    if "type" not in found:
        return None
    kind: ParameterType | None = take_choice(found["type"], WORDS, findings)
    if kind is None:
        return None
    described, default = found.get("description"), found.get("default")
    description = None
    if described is not None and not is_nothing(described):
        place = described.value_place
        description = take_text(described.node, "`description`", place, findings)
    enum = _enum(found.get("enum"), kind, findings)
    value: Json = None
    if default is not None and not is_nothing(default):
        value = _literal(plain(default.node, findings), default, findings)
        if (wrong := mismatch(kind, enum, value)) is not None:
            findings.add(default.value_place, "parameter-value", f"the default of {what} {wrong}")
            return None
    return Parameter(entry.key, kind, value, enum, description)


def _enum(entry: YamlEntry | None, kind: ParameterType, findings: Findings) -> tuple[Json, ...]:
    if entry is None or is_nothing(entry):
        return ()
    if kind not in WITH_ENUM:
        message = f"a parameter of type {kind} has no `enum`"
        findings.add(entry.place, "parameter-enum", message, hint=f"{one_of(WITH_ENUM)} can")
        return ()
    words: list[Json] = []
    nodes = take_list(entry, findings)
    for node in nodes:
        word = _literal(plain(node, findings), entry, findings)
        if (wrong := mismatch(kind, (), word)) is not None:
            findings.add(node.place, "parameter-enum", f"an entry of `enum` {wrong}")
        elif word in words:
            findings.add(node.place, "parameter-enum", f"{describe_value(word)} stands twice")
        else:
            words.append(word)
    if not nodes:
        findings.add(entry.place, "parameter-enum", "`enum` lists no value")
    return tuple(words)


def _literal(value: Json, entry: YamlEntry, findings: Findings) -> Json:
    """Return a value without its escapes; an expression in it is reported."""
    found, fault = literal(value)
    if fault is not None:
        findings.add(entry.value_place, "expression", fault.message, hint=fault.hint)
    return found


def literal(value: Json) -> tuple[Json, Fault | None]:
    """Return a value without the escapes in its texts, and why it cannot be taken as it stands."""
    fault: Fault | None = None
    if isinstance(value, str):
        parts = split(value)
        if any(isinstance(part, Expression | Fault) for part in parts):
            text = "an expression cannot stand here: the value is taken as it is written"
            fault = Fault(text, "write `$${{` for the literal text")
        return "".join(part for part in parts if isinstance(part, str)), fault
    if isinstance(value, list):
        items = [literal(item) for item in value]
        return [item for item, _ in items], next((f for _, f in items if f is not None), None)
    if isinstance(value, dict):
        entries = {key: literal(item) for key, item in value.items()}
        fault = next((f for _, f in entries.values() if f is not None), None)
        return {key: item for key, (item, _) in entries.items()}, fault
    return value, None


def mismatch(kind: ParameterType, enum: tuple[Json, ...], value: Json) -> str | None:
    """Return why a parameter cannot have a value ("must be ..."), or None."""
    fits = {
        "string": isinstance(value, str),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
        "list": isinstance(value, list),
        "map": isinstance(value, dict),
    }
    if not fits[kind]:
        return f"must be {TYPES[kind]}, not {describe_value(value)}"
    if enum and value not in enum:
        return f"must be one of {one_of(str(word) for word in enum)}, not {describe_value(value)}"
    return None


def values(module: Module, given: Mapping[str, str], findings: Findings) -> dict[str, Json]:
    """Return the values of a module's parameters: the text given for each, else the default.

    What has neither is missing from the result, and only warned of.
    """
    known = {parameter.name: parameter for parameter in module.parameters}
    for name in given:
        if name not in known:
            message = f"module {quote(module.name)} has no parameter {quote(name)}"
            hint = f"it has {one_of(known)}" if known else "it has none"
            findings.add(
                "/parameters", "unknown-parameter", message, hint=hint, suggest=(name, known)
            )
    found: dict[str, Json] = {}
    for name, parameter in known.items():
        path = pointer("parameters", name)
        if name in given:
            value, wrong = from_text(parameter, given[name])
            if wrong is not None:
                message = f"the value given for parameter {quote(name)} {wrong}"
                findings.add(path, "parameter-value", message)
            else:
                found[name] = value
        elif parameter.default is not None:
            found[name] = parameter.default
        else:
            findings.add(
                path,
                "parameter-needed",
                f"parameter {quote(name)} has no default, so the module means nothing without "
                "a value",
                severity="warning",
                hint=f"on one host: --param {module.name}.{name}=VALUE; on a fleet give a default",
            )
    return found


def missing(module: Module) -> tuple[str, ...]:
    """Return the parameters of a bound module that have no value."""
    known = module.values or {}
    return tuple(item.name for item in module.parameters if item.name not in known)


def from_text(parameter: Parameter, text: str) -> tuple[Json, str | None]:
    """Return the value that a text on the command line stands for, and what is wrong with it."""
    value: Json = text
    if parameter.type != "string":
        if not text.strip():
            return None, f"must be {TYPES[parameter.type]}: it is empty"
        findings = Findings("value")
        tree = parse(text, findings)
        value = None if tree is None else plain(tree, findings)
        if tree is None or findings.failed:
            return None, f"must be {TYPES[parameter.type]}: {findings.sorted()[0].message}"
    wrong = mismatch(parameter.type, parameter.enum, value)
    return value, wrong


def check(module: Module, used: frozenset[Expression], findings: Findings) -> None:
    """Report parameters that no expression of the module names."""
    names = {expression.name.partition(".")[0] for expression in used}
    for parameter in module.parameters:
        if parameter.name not in names:
            message = f"parameter {quote(parameter.name)} is not used"
            path = pointer("parameters", parameter.name)
            findings.add(path, "unused-parameter", message, severity="warning")
