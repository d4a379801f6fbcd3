"""The schema for editors: closed, described, and of one mind with validation."""

from __future__ import annotations

from collections.abc import Iterator

import jsonschema
import pytest
import yaml

from protocol.canonical import Json
from state_engine.language.schema import module_schema
from state_engine.resources.registry import KINDS

SCHEMA = module_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
HEAD = "name: a\nsupports: [{platform: linux}]\n"


def parts(value: Json) -> Iterator[dict[str, Json]]:
    """Yield every mapping in a schema."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from parts(item)
    elif isinstance(value, list):
        for item in value:
            yield from parts(item)


def test_it_is_a_valid_schema_of_draft_2020_12() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_object_with_keys_is_closed_and_described() -> None:
    objects = [part for part in parts(SCHEMA) if part.get("type") == "object"]
    assert len(objects) >= 6 + len(KINDS)
    for part in objects:
        assert part.get("additionalProperties") is not None, part
        assert part["additionalProperties"] is False or "properties" not in part
        assert part.get("description") or "properties" not in part


def test_every_field_of_every_kind_is_described() -> None:
    definitions = SCHEMA["$defs"]
    assert isinstance(definitions, dict)
    for name in KINDS:
        kind = definitions[name]
        assert isinstance(kind, dict)
        fields = kind["properties"]
        assert isinstance(fields, dict)
        assert all(isinstance(field, dict) and field["description"] for field in fields.values())


def one(resource: str) -> str:
    """Return a module with one resource."""
    return f"{HEAD}resources:\n  - {resource}\n"


FILE = "resource: {file-unix: {path: /a}}"
LATE = "resource: {script: {program: '${{ attributes.x }}', apply: x, timeout: '${{ tags.y }}'}}"


@pytest.mark.parametrize(
    "text",
    [
        HEAD,
        f"{HEAD}templates:\nresources:\n",
        one(f"{{id: ~, depends_on: ~, {FILE}}}"),
        one("resource: {script: {program: sh, apply: x, timeout: 5}}"),
        one(LATE),
        one(f"variants: [{{when: {{tag.a: b}}, {FILE}}}]"),
        one(f"{{else: skip, variants: [{{when: {{}}, priority: -5, {FILE}}}]}}"),
        one(f"{{on_remove: delete, for_each: [1, a], {FILE}}}"),
        one(f"{{on_drift: repair, timeout: 86400, {FILE}}}"),
        one(f"{{for_each: {{a: {{b: 1}}}}, {FILE}}}"),
        one(f"{{for_each: '${{{{ params.a.b }}}}', {FILE}}}"),
        one("resource: {service-systemd: {name: u, dependencies: '${{ params.a }}'}}"),
        f"{HEAD}requires: [b]\nparameters: {{p: {{type: map, default: {{a: 1}}}}}}",
        f"{HEAD}parameters: {{p: {{type: string, enum: [a], description: b}}}}",
    ],
)
def test_a_valid_module_satisfies_it(text: str) -> None:
    assert list(VALIDATOR.iter_errors(yaml.safe_load(text))) == []


@pytest.mark.parametrize(
    "text",
    [
        "supports: [{}]",
        "name: a",
        "name: a\nsupports: []",
        f"{HEAD}x: 1",
        "name: a\nsupports: [{platform: lin}]",
        "name: a\nsupports: [{platfrm: linux}]",
        f"{HEAD}templates: [{{id: a, content: b, x: c}}]",
        f"{HEAD}resources: [{{}}]",
        f"{HEAD}resources: [{{resource: {{}}}}]",
        f"{HEAD}resources: [{{resource: {{nope: {{}}}}}}]",
        f"{HEAD}resources: [{{resource: {{file-unix: {{path: /a, x: 1}}}}}}]",
        f"{HEAD}resources: [{{resource: {{file-unix: {{path: /a}}, script: {{}}}}}}]",
        f"{HEAD}resources: [{{variants: []}}]",
        f"{HEAD}resources: [{{depend_on: [], resource: {{file-unix: {{path: /a}}}}}}]",
        f"{HEAD}requires: b",
        f"{HEAD}parameters: [p]",
        f"{HEAD}parameters: {{p: {{type: strin}}}}",
        f"{HEAD}parameters: {{p: {{default: a}}}}",
        f"{HEAD}parameters: {{p: {{type: string, x: a}}}}",
        f"{HEAD}parameters: {{1p: {{type: string}}}}",
        one(f"{{for_each: a, {FILE}}}"),
        one(f"{{else: keep, {FILE}}}"),
        one(f"{{on_remove: remove, {FILE}}}"),
        one(f"{{on_drift: repeat, {FILE}}}"),
        one(f"{{timeout: 0, {FILE}}}"),
        one(f"variants: [{{when: {{}}, priority: high, {FILE}}}]"),
        one("{id: s, resource: {script: {program: sh, apply: x, rerun_on: '${{ params.a }}'}}}"),
        f"{HEAD}resources: [{{resource: {{script: {{program: zsh, apply: x}}}}}}]",
    ],
)
def test_a_mistake_in_the_shape_does_not(text: str) -> None:
    assert list(VALIDATOR.iter_errors(yaml.safe_load(text)))
