"""The JSON Schema (draft 2020-12) of the module language, made from the registry of kinds.

It serves editors; `validate` decides. Every object is closed, and every field is described.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from protocol.canonical import Json
from state_engine.language.clauses import CLOSED, KNOWN_DISTROS
from state_engine.language.for_each import MAX_ITEMS
from state_engine.language.load import MAX_PRIORITY, MAX_TIMEOUT, ON_DRIFT, ON_REMOVE
from state_engine.language.parameters import NAME_PATTERN, TYPES
from state_engine.language.shape import MAX_NAME
from state_engine.resources.contract import Kind
from state_engine.resources.registry import KINDS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_EXPRESSION: dict[str, Json] = {
    "type": "string",
    "pattern": r"\$\{\{",
    "description": "An expression ${{ namespace.name }}, resolved on the node.",
}


def module_schema(kinds: Mapping[str, Kind] = KINDS) -> dict[str, Json]:
    """Return the schema of a module file."""
    definitions: dict[str, Json] = {
        "clause": _clause(),
        "parameter": _parameter(),
        "template": _template(),
        "resource": _resource(),
        "variant": _variant(),
        "kind": _kind(kinds),
    }
    for name in sorted(kinds):
        definitions.update(_fields(kinds[name]))
    properties: dict[str, Json] = {
        "name": _name("The module's name: unique, stable, without `/`.", pattern="^[^/]+$"),
        "supports": _list(
            "Nodes that the module is for: at least one clause must match.", "clause", 1
        ),
        "requires": _list_of_names("Modules that must be in the same set, and come first."),
        "parameters": _parameters(),
        "templates": _list("Texts that resources share by id.", "template"),
        "resources": _list("Resources, applied in this order unless an edge differs.", "resource"),
    }
    return {
        "$schema": DIALECT,
        "$id": "urn:standfast:module:v1",
        "title": "Standfast module",
        **_closed("Desired state of nodes.", properties, ["name", "supports"]),
        "$defs": definitions,
    }


def _closed(
    description: str, properties: dict[str, Json], required: list[str]
) -> dict[str, Json]:  # fmt: skip
    needed: list[Json] = [*required]
    return {
        "description": description,
        "type": "object",
        "properties": properties,
        "required": needed,
        "additionalProperties": False,
    }


def _list(description: str, item: str, least: int = 0) -> dict[str, Json]:
    types: list[Json] = ["array", "null"]
    return {
        "description": description,
        "type": "array" if least else types,
        "items": {"$ref": f"#/$defs/{item}"},
        "minItems": least,
    }


def _text(description: str, **more: Json) -> dict[str, Json]:
    return {"description": description, "type": "string", **more}


def _name(description: str, **more: Json) -> dict[str, Json]:
    return _text(description, minLength=1, maxLength=MAX_NAME, **more)


def _clause() -> dict[str, Json]:
    described = {
        "platform": "The operating system family.",
        "arch": "The processor architecture.",
        "init_system": "What starts services.",
    }
    properties: dict[str, Json] = {
        key: {"description": text, "enum": [*CLOSED[key]]} for key, text in described.items()
    }
    distros: list[Json] = [*KNOWN_DISTROS]
    properties["distro"] = _text("The distribution; others than these warn.", examples=distros)
    properties["version"] = _text("The version of the distribution, as text.", examples=["13"])
    clause = _closed("Conditions that must all hold; an absent key means any.", properties, [])
    tag = _text("The value that the node's tag must have.")
    clause["patternProperties"] = {r"^tag\.\S+$": tag}
    return clause


def _list_of_names(description: str) -> dict[str, Json]:
    types: list[Json] = ["array", "null"]
    return {"description": description, "type": types, "items": _name("A name.")}


def _parameters() -> dict[str, Json]:
    types: list[Json] = ["object", "null"]
    return {
        "description": "Values that whoever uses the module may choose: ${{ params.NAME }}.",
        "type": types,
        "propertyNames": {"pattern": f"^{NAME_PATTERN}$"},
        "additionalProperties": {"$ref": "#/$defs/parameter"},
    }


def _parameter() -> dict[str, Json]:
    words: list[Json] = [*TYPES]
    properties: dict[str, Json] = {
        "type": {"description": "The type of its values.", "enum": words},
        "default": {"description": "The value if none is given; without one it is needed."},
        "enum": {
            "description": "The only values allowed (of a string or an integer).",
            "type": ["array", "null"],
            "minItems": 1,
        },
        "description": {"description": "What it is for.", "type": ["string", "null"]},
    }
    return _closed("One parameter.", properties, ["type"])


def _for_each() -> dict[str, Json]:
    forms: list[Json] = [
        {"type": "array", "maxItems": MAX_ITEMS},
        {"type": "object", "maxProperties": MAX_ITEMS, "additionalProperties": True},
        {"type": "string", "pattern": r"^\$\{\{\s*params\.[^\s{}]+\s*\}\}$"},
        {"type": "null"},
    ]
    return {
        "description": "Items; the resource is made once for each: ${{ each.key }}, "
        "${{ each.value }}.",
        "anyOf": forms,
    }


def _template() -> dict[str, Json]:
    properties: dict[str, Json] = {
        "id": _name("What resources name the template by; unique in the module."),
        "content": _text("The text; it may hold expressions."),
    }
    return _closed("A text that takes the place of `content`.", properties, ["id", "content"])


def _resource() -> dict[str, Json]:
    optional: list[Json] = ["string", "null"]
    name = _name("What other resources name this one by; unique in the module.")
    label = _name("A label for people.")
    forms: list[Json] = [{"required": ["resource"]}, {"required": ["variants"]}]
    depends = _list_of_names("Ids of resources of this module that come first.")
    removals: list[Json] = [*ON_REMOVE, None]
    drifts: list[Json] = [*ON_DRIFT, None]
    skips: list[Json] = ["skip", None]
    properties: dict[str, Json] = {
        "id": {**name, "type": optional},
        "name": {**label, "type": optional},
        "depends_on": depends,
        "for_each": _for_each(),
        "resource": {"$ref": "#/$defs/kind"},
        "variants": _list("Alternatives: the most specific that matches is taken.", "variant", 1),
        "else": {
            "description": "What it means that no variant matches: the resource is not wanted.",
            "enum": skips,
        },
        "on_remove": {
            "description": "What to do once it is no longer desired; undo is the kind's default.",
            "enum": removals,
        },
        "timeout": {
            "description": "Seconds that looking at it and acting on it may take, each.",
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": MAX_TIMEOUT,
        },
        "on_drift": {
            "description": "What to do when it is changed by others; report is the default.",
            "enum": drifts,
        },
    }
    resource = _closed("One thing to manage.", properties, [])
    resource["oneOf"] = forms
    return resource


def _variant() -> dict[str, Json]:
    properties: dict[str, Json] = {
        "when": {"$ref": "#/$defs/clause"},
        "priority": {
            "description": "Decides before specificity; the highest wins; default 0.",
            "type": ["integer", "null"],
            "minimum": -MAX_PRIORITY,
            "maximum": MAX_PRIORITY,
        },
        "resource": {"$ref": "#/$defs/kind"},
    }
    return _closed("One alternative of a resource.", properties, ["when", "resource"])


def _kind(kinds: Mapping[str, Kind]) -> dict[str, Json]:
    properties: dict[str, Json] = {name: {"$ref": f"#/$defs/{name}"} for name in sorted(kinds)}
    kind = _closed("Exactly one kind with its fields.", properties, [])
    return kind | {"minProperties": 1, "maxProperties": 1}


def _fields(kind: Kind) -> dict[str, Json]:
    """Return the definition of a kind's fields, and those of structs inside it."""
    # What msgspec builds is JSON by construction; its stub says less.
    made: object = msgspec.json.schema_components((kind.spec_type,))[1]
    components = cast("dict[str, dict[str, Json]]", made)
    own = components.pop(kind.spec_type.__name__)
    properties = own.get("properties")
    if isinstance(properties, dict):
        own["properties"] = {
            name: field if name in kind.trigger_fields else _with_expression(field)
            for name, field in properties.items()
        }
    own["title"] = kind.name
    return {kind.name: own, **components}


def _with_expression(field: Json) -> Json:
    """Let a field that takes more than text take an expression too."""
    if not isinstance(field, dict):
        return field
    choices = field.get("anyOf")
    options = choices if isinstance(choices, list) else [field]
    if not any(_is_no_text(option) for option in options):
        return field
    outer: dict[str, Json] = {
        key: field[key] for key in ("description", "examples", "default") if key in field
    }
    inner: list[Json] = [
        {key: value for key, value in option.items() if key not in outer}
        for option in options
        if isinstance(option, dict)
    ]
    outer["anyOf"] = [*inner, _EXPRESSION]
    return outer


def _is_no_text(option: Json) -> bool:
    if not isinstance(option, dict):
        return False
    return "enum" in option or option.get("type") in {"integer", "boolean", "array", "object"}
