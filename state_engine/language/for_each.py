"""`for_each`: the items that one declared resource stands for. Writing them out is `bind`."""

from __future__ import annotations

from protocol.canonical import Json
from state_engine.language.expressions import Expression, as_text, split
from state_engine.language.parameters import literal
from state_engine.language.problems import Findings, pointer, quote
from state_engine.language.shape import MAX_NAME, bad_name, describe_value, is_nothing
from state_engine.language.yaml_tree import YamlEntry, YamlScalar, plain
from state_engine.model import Each

# Each item is a resource of its own in plans, results and snapshots; a module has far fewer.
MAX_ITEMS = 1_000

_FORM = "write a list, a mapping, or `${{ params.NAME }}` of such a parameter"


def read(entry: YamlEntry | None, findings: Findings) -> Json:
    """Return what `for_each` holds as written: a list, a mapping, an expression; None if absent."""
    if entry is None or is_nothing(entry):
        return None
    if isinstance(entry.node, YamlScalar):
        if isinstance(entry.node.value, str) and parameter_of(entry.node.value) is not None:
            return entry.node.value
        message = "`for_each` must be a list, a mapping or one parameter of these types"
        findings.add(entry.value_place, "for-each", message, hint=_FORM)
        return None
    value, fault = literal(plain(entry.node, findings))
    if fault is not None:
        findings.add(entry.value_place, "expression", fault.message, hint=_FORM)
    return value


def parameter_of(text: str) -> Expression | None:
    """Return the parameter that a text names by an expression that is the whole of it."""
    parts = split(text)
    first = parts[0]
    if len(parts) == 1 and isinstance(first, Expression) and first.namespace == "params":
        return first
    return None


def items(value: Json, resource_id: str | None, path: str, findings: Findings) -> list[Each] | None:
    """Return the items of a list or mapping, or None if they were refused (and reported).

    `path` points to the value; a list's items are texts, numbers and truth values, and each is its
    own key.
    """
    if not isinstance(value, list | dict):
        message = f"`for_each` needs a list or a mapping, not {describe_value(value)}"
        findings.add(path, "for-each", message, hint=_FORM)
        return None
    if len(value) > MAX_ITEMS:
        message = f"`for_each` has {len(value)} items; at most {MAX_ITEMS} are written out"
        findings.add(path, "for-each", message, hint="split the resource")
        return None
    found: dict[str, Each] = {}
    pairs = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for place, item in pairs:
        here = path + pointer(place)
        key = place if isinstance(place, str) else as_text(item)
        if key is None:
            what = describe_value(item)
            message = f"an item of a list in `for_each` must be text, not {what}"
            hint = "write a mapping: its keys name the items"
            findings.add(here, "for-each", message, hint=hint)
        elif (wrong := _bad_key(key, resource_id)) is not None:
            findings.add(here, "for-each", wrong)
        elif key in found:
            findings.add(here, "for-each", f"item {quote(key)} of `for_each` stands twice")
        else:
            found[key] = Each(key, item)
    return list(found.values()) if len(found) == len(value) else None


def _bad_key(key: str, resource_id: str | None) -> str | None:
    if "${{" in key:
        return f"a key in `for_each` cannot hold `${{{{`: {quote(key)}"
    if (why := bad_name(key)) is not None:
        return f"a key in `for_each` {why}"
    if len(instance_id(resource_id or "", key)) > MAX_NAME:
        return f"the id with the key {quote(key)} is longer than {MAX_NAME} characters"
    return None


def instance_id(resource_id: str, key: str) -> str:
    """Return the id of the resource that stands for one item."""
    return f"{resource_id}[{key}]"
