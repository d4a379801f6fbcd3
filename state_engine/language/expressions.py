"""Expressions `${{ namespace.name }}` in values, and the escape `$${{` for the literal text.

One pass: what an expression yields is never read as an expression again. There are no operators.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec

from protocol.canonical import Json
from state_engine.language.problems import nearest, one_of, quote
from state_engine.model import Each, NodeFacts
from state_engine.references import SecretValue, Unavailable

NAMESPACES = ("attributes", "each", "node", "params", "secrets", "tags")
# Their values stand in the module or were given with it, so they are known before a node is.
OWN = ("each", "params")
NODE_NAMES = ("id", "name")
# A resolved text is part of one message to a host, which holds at most 1 MiB.
MAX_TEXT = 1_048_576

_PART = re.compile(r"\$\$\{\{|\$\{\{(?:([^\n{}]{0,256})\}\})?")
_BODY = re.compile(r"\s*([A-Za-z_]+)\.([^\s{}]+)\s*")


class Expression(msgspec.Struct, frozen=True):
    """A name to look up."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """Return it as it is written between the braces."""
        return f"{self.namespace}.{self.name}"


class Fault(msgspec.Struct, frozen=True):
    """Why a text cannot be resolved."""

    message: str
    hint: str | None = None


Part = str | Expression | Fault


class Names(msgspec.Struct, frozen=True):
    """What a module's own expressions may name: its parameters, and an item of a `for_each`."""

    params: Mapping[str, Json] = {}
    each: Each | None = None


class Scope(msgspec.Struct, frozen=True):
    """What expressions may name: one node's facts, its secrets, and the module's own names."""

    facts: NodeFacts
    secrets: Mapping[str, SecretValue | Unavailable]
    names: Names = Names()


class Outcome(msgspec.Struct, frozen=True):
    """A value with its expressions resolved, the expressions used, and what could not be."""

    value: Json
    used: frozenset[Expression] = frozenset()
    faults: tuple[Fault, ...] = ()


def split(text: str) -> list[Part]:
    """Return the literal pieces, expressions and faults of a text, in order."""
    if "${{" not in text:
        return [text]
    parts: list[Part] = []
    position = 0
    for match in _PART.finditer(text):
        parts.append(text[position : match.start()])
        position = match.end()
        if match.group() == "$${{":
            parts.append("${{")
        else:
            parts.append(_read(match.group(1)))
    parts.append(text[position:])
    return [part for part in parts if part]


def _read(body: str | None) -> Expression | Fault:
    literal = "write `$${{` for the literal text"
    if body is None:
        return Fault("`${{` has no `}}` after it on its line", literal)
    match = _BODY.fullmatch(body)
    if match is None:
        shown = quote(body.strip())
        return Fault(f"expression {shown} is not `namespace.name`", literal)
    namespace, name = match.group(1), match.group(2)
    if namespace not in NAMESPACES:
        near = nearest(namespace, NAMESPACES)
        hint = f"did you mean `{near}`?" if near else f"there are {one_of(NAMESPACES)}; {literal}"
        return Fault(f"expression namespace {quote(namespace)} does not exist", hint)
    if namespace == "node" and name not in NODE_NAMES:
        return Fault(f"`node` has no {quote(name)}", f"it has {one_of(NODE_NAMES)}")
    if namespace == "each" and name != "key" and name.partition(".")[0] != "value":
        return Fault(f"`each` has no {quote(name)}", "it has key, value, value.NAME")
    return Expression(namespace, name)


def is_expression(value: Json) -> bool:
    """Say whether a value is a text whose final form is known only on a node."""
    return isinstance(value, str) and any(not isinstance(part, str) for part in split(value))


def scan(value: Json) -> tuple[frozenset[Expression], tuple[Fault, ...]]:
    """Return the expressions in a value and its nested values, and the faults among them."""
    if isinstance(value, dict):
        return _merge([scan(item) for item in value.values()])
    if isinstance(value, list):
        return _merge([scan(item) for item in value])
    if not isinstance(value, str):
        return frozenset(), ()
    parts = split(value)
    return (
        frozenset(part for part in parts if isinstance(part, Expression)),
        tuple(part for part in parts if isinstance(part, Fault)),
    )


def _merge(
    found: list[tuple[frozenset[Expression], tuple[Fault, ...]]],
) -> tuple[frozenset[Expression], tuple[Fault, ...]]:
    used = frozenset(expression for expressions, _ in found for expression in expressions)
    return used, tuple(fault for _, faults in found for fault in faults)


def resolve(value: Json, scope: Scope) -> Outcome:
    """Return a value with every expression in it and in its nested values replaced."""
    if isinstance(value, str):
        return _resolve_text(value, scope)
    if isinstance(value, list):
        items = [resolve(item, scope) for item in value]
        return _gather([item.value for item in items], items)
    if isinstance(value, dict):
        entries = {key: resolve(item, scope) for key, item in value.items()}
        table: Json = {key: item.value for key, item in entries.items()}
        return _gather(table, list(entries.values()))
    return Outcome(value)


def _gather(value: Json, parts: list[Outcome]) -> Outcome:
    used = frozenset(expression for part in parts for expression in part.used)
    return Outcome(value, used, tuple(fault for part in parts for fault in part.faults))


def _resolve_text(text: str, scope: Scope) -> Outcome:
    return join(split(text), lambda expression: _look_up(expression, scope))


def join(parts: list[Part], look_up: Callable[[Expression], Json | Fault]) -> Outcome:
    """Return the value that parts stand for: one expression alone keeps its type, else text."""
    if len(parts) == 1 and isinstance(alone := parts[0], Expression):
        found = look_up(alone)
        if isinstance(found, Fault):
            return Outcome("", frozenset({alone}), (found,))
        return Outcome(found, frozenset({alone}))
    pieces: list[str] = []
    faults: list[Fault] = []
    used: set[Expression] = set()
    length = 0
    for part in parts:
        piece = part
        if isinstance(part, Expression):
            used.add(part)
            piece = _as_text(part, look_up(part))
        if isinstance(piece, str):
            pieces.append(piece)
            length += len(piece)
        elif isinstance(piece, Fault):
            faults.append(piece)
        if length > MAX_TEXT:
            fault = Fault(f"the resolved text is longer than {MAX_TEXT} characters")
            return Outcome("", frozenset(used), (fault,))
    return Outcome("".join(pieces), frozenset(used), tuple(faults))


def as_text(value: Json) -> str | None:
    """Return a single value as it stands in a text; None for a list, a mapping and nothing."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else None


def _as_text(expression: Expression, found: Json | Fault) -> str | Fault:
    if isinstance(found, Fault):
        return found
    text = as_text(found)
    if text is not None:
        return text
    what = "a mapping" if isinstance(found, dict) else "a list"
    what = "nothing" if found is None else what
    return Fault(f"`{expression}` is {what}, which cannot be a part of a text")


def escape(text: str) -> str:
    """Return how a text is written that holds no expression, whatever it looks like."""
    return text.replace("${{", "$${{")


def size(value: Json) -> int:
    """Return the characters and values in a value, which bounds what it costs to keep."""
    if isinstance(value, str):
        return 1 + len(value)
    if isinstance(value, list):
        return 1 + sum(size(item) for item in value)
    if isinstance(value, dict):
        return 1 + sum(len(key) + size(item) for key, item in value.items())
    return 1


def name_of(expression: Expression, names: Names) -> Json | Fault:
    """Return the value of one of the module's own names; NAME.KEY reaches into a mapping."""
    if expression.namespace == "each":
        if names.each is None:
            return Fault("`each` exists only in a resource with `for_each`")
        found: Json = {"key": names.each.key, "value": names.each.value}
    else:
        found = dict(names.params)
    steps = expression.name.split(".")
    for number, step in enumerate(steps):
        within = ".".join([expression.namespace, *steps[:number]])
        if not isinstance(found, dict):
            return Fault(f"`{within}` is no mapping, so it has no {quote(step)}")
        if step not in found:
            near = nearest(step, sorted(found))
            hint = f"did you mean `{near}`?" if near else None
            return Fault(f"`{within}` has no {quote(step)}", hint)
        found = found[step]
    return found


def _secret(name: str, found: SecretValue | Unavailable | None) -> str | Fault:
    """Return the reference that stands for a secret: its value is put in when it is needed."""
    if isinstance(found, SecretValue):
        return str(found.reference)
    if found is None:
        hint = f"standfast secrets show {name}, to see whether it is there and sealed to this node"
        return Fault(f"secret {quote(name)} is not known on this node", hint)
    return Fault(f"secret {quote(name)} {found.message}", found.hint)


def _look_up(expression: Expression, scope: Scope) -> Json | Fault:
    name = expression.name
    if expression.namespace in OWN:
        return name_of(expression, scope.names)
    if expression.namespace == "node":
        return scope.facts.name if name == "name" else scope.facts.node_id
    if expression.namespace == "secrets":
        return _secret(name, scope.secrets.get(name))
    known = scope.facts.tags if expression.namespace == "tags" else scope.facts.attributes
    if name in known:
        return known[name]
    near = nearest(name, sorted(known))
    what = "tag" if expression.namespace == "tags" else "attribute"
    hint = f"did you mean `{near}`?" if near else None
    return Fault(f"this node has no {what} {quote(name)}", hint)
