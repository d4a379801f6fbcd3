"""Writing out: values are put in once, items become resources, and the whole is bounded."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.language.bind import bind
from state_engine.language.load import load_module
from state_engine.language.problems import Findings
from state_engine.language.resolve import resolve
from state_engine.language.validate import check_text
from state_engine.model import Module, NodeFacts

NODE = NodeFacts("id-1", "web-1", {"platform": "linux"}, {"t": "tag"})
HEAD = "name: web\nsupports: [{platform: linux}]\n"


def written_out(text: str, **given: str) -> tuple[Module, list[str]]:
    """Return a module written out, and the codes of what was wrong."""
    module, problems = load_module((HEAD + text).encode())
    assert module is not None, problems
    findings = Findings("f", module.places)
    return bind(module, given, findings), [problem.code for problem in findings.sorted()]


def resolved(text: str) -> list[dict[str, Json]]:
    """Return the specs that a module means on the test node."""
    module, problems = check_text((HEAD + text).encode())
    assert module is not None, problems
    found = resolve([module], NODE, trusted=frozenset())
    assert found.problems == ()
    return [resource.spec for resource in found.resources]


FILE = "resource: {file-unix: {path: /a, content: '%s'}}"
PARAMETERS = """\
parameters:
  a: {type: string, default: "$"}
  b: {type: string, default: "{{ tags.t }}"}
  c: {type: string, default: "$${{ tags.t }}"}
  n: {type: integer, default: 5}
  y: {type: boolean, default: true}
  m: {type: map, default: {x: {y: [deep]}, s: "$${{ tags.t }}"}}
  l: {type: list, default: [a, b]}
"""


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${{ params.n }}", "5"),
        ("n=${{ params.n }} y=${{ params.y }}", "n=5 y=true"),
        ("$${{ params.n }}", "${{ params.n }}"),
        ("${{ params.m.s }}", "${{ tags.t }}"),
        # what values make together is no expression either, alone or before one
        ("${{ params.c }}", "${{ tags.t }}"),
        ("${{ params.a }}${{ params.b }}", "${{ tags.t }}"),
        ("${{ params.c }} ${{ tags.t }}", "${{ tags.t }} tag"),
        ("${{ params.a }}${{ tags.t }}", "$tag"),
        ("${{ params.a }}$${{ tags.t }}", "$${{ tags.t }}"),
    ],
)
def test_a_value_is_put_in_once_and_never_read_as_an_expression(written: str, value: str) -> None:
    (spec,) = resolved(f"{PARAMETERS}resources:\n  - {FILE % written}\n")
    assert spec["content"] == value


def test_a_whole_expression_fills_fields_of_other_types() -> None:
    script = (
        "{script: {program: sh, apply: '${{ params.n }}', manages: s, timeout: '${{ params.n }}'}}"
    )
    unit = (
        "{service-systemd: {name: u, exec_start: /bin/true, enabled: '${{ params.y }}',"
        " dependencies: '${{ params.l }}', environment: {A: '${{ params.n }}'}}}"
    )
    one, two = resolved(f"{PARAMETERS}resources:\n  - resource: {script}\n  - resource: {unit}\n")
    assert (one["apply"], one["timeout"]) == ("5", 5)
    assert (two["enabled"], two["dependencies"]) == (True, ["a", "b"])
    assert two["environment"] == {"A": "5"}


ITEMS = """\
resources:
  - id: f
    name: label
    for_each: {x: {port: 1}, y: {port: 2}}
    resource: {file-unix: {path: '/${{ each.key }}', content: '${{ each.value.port }}'}}
  - id: g
    for_each: [z]
    depends_on: [f]
    variants:
      - when: {}
        resource: {file-unix: {path: '/${{ each.value }}', content: '${{ tags.t }}'}}
"""


def test_each_item_is_a_resource_with_an_id_of_its_own() -> None:
    module, codes = written_out(ITEMS)
    assert codes == []
    assert [resource.id for resource in module.resources] == ["f[x]", "f[y]", "g[z]"]
    assert [resource.origin for resource in module.resources] == [0, 0, 1]
    assert module.groups == (("f", 0), ("g", 1))
    assert [resource.spec for resource in module.resources[:2]] == [
        {"path": "/x", "content": "1"},
        {"path": "/y", "content": "2"},
    ]
    assert module.resources[2].variants[0].spec == {"path": "/z", "content": "${{ tags.t }}"}
    assert module.resources[1].name == "label"
    assert bind(module, {}, Findings("f")) is module


def test_a_template_names_the_item_of_the_resource_that_uses_it() -> None:
    found = resolved(
        "templates: [{id: t, content: '${{ each.key }} on ${{ node.name }}'}]\nresources:\n"
        "  - for_each: [x, y]\n"
        "    resource: {file-unix: {path: '/${{ each.key }}', template: t}}\n"
    )
    assert [spec["content"] for spec in found] == ["x on web-1", "y on web-1"]


def test_without_a_value_a_resource_stays_as_it_is_declared() -> None:
    text = (
        "parameters: {p: {type: list}}\nresources:\n"
        "  - {id: f, for_each: '${{ params.p }}', "
        "resource: {file-unix: {path: '/${{ each.key }}'}}}\n"
        "  - {depends_on: ['f[a]', f], resource: {file-unix: {path: /a}}}\n"
    )
    module, codes = written_out(text)
    assert codes == ["parameter-needed"]
    assert [resource.id for resource in module.resources] == ["f", None]
    accepted, problems = check_text((HEAD + text).encode())
    assert [(problem.code, problem.severity) for problem in problems] == [
        ("parameter-needed", "warning")
    ]
    assert accepted is not None
    refused = resolve([accepted], NODE, trusted=frozenset())
    assert [problem.code for problem in refused.problems] == ["parameter-needed"]
    assert not refused.ok
    given, codes = written_out(text, p="[a, b]")
    assert codes == []
    assert [resource.id for resource in given.resources] == ["f[a]", "f[b]", None]


def test_duplicates_in_a_given_list_are_shown_where_the_list_is_used() -> None:
    text = (
        "parameters: {p: {type: list, default: [a]}}\nresources:\n"
        "  - for_each: '${{ params.p }}'\n    resource: {file-unix: {path: '/${{ each.key }}'}}\n"
    )
    module, problems = check_text((HEAD + text).encode(), "f", {"web": {"p": "[x, x]"}})
    assert module is None
    assert [(problem.code, problem.line) for problem in problems] == [("for-each", 5)]
