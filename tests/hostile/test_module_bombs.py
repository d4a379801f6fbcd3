"""Modules made to hurt whoever reads them: multiplied texts and items, smuggled expressions."""

from __future__ import annotations

import json

import pytest

from protocol.canonical import Json
from state_engine.language.for_each import MAX_ITEMS
from state_engine.language.load import MAX_BYTES
from state_engine.language.resolve import resolve
from state_engine.language.validate import check_text
from state_engine.model import NodeFacts, Problem

pytestmark = pytest.mark.hostile
NODE = NodeFacts("id", "n", {"platform": "linux"}, {"t": "TAG"})
HEAD: dict[str, Json] = {"name": "m", "supports": [{"platform": "linux"}]}
ITEMS: list[Json] = [str(number) for number in range(MAX_ITEMS)]


def answer(value: dict[str, Json]) -> list[Problem]:
    """Return what reading and resolving a module says."""
    data = json.dumps(HEAD | value).encode()
    assert len(data) <= MAX_BYTES
    module, problems = check_text(data)
    if module is None:
        return problems
    return list(resolve([module], NODE, trusted=frozenset()).problems)


def parameter(kind: str, default: Json) -> dict[str, Json]:
    """Return the declaration of the parameter `p`."""
    return {"p": {"type": kind, "default": default}}


def file(number: int, content: str, **more: Json) -> Json:
    """Return a resource with a content."""
    path = f"/{number}/${{{{ each.key }}}}" if "for_each" in more else f"/{number}"
    return {"resource": {"file-unix": {"path": path, "content": content}}, **more}


def test_a_long_value_that_is_used_often_is_refused() -> None:
    value: dict[str, Json] = {
        "parameters": parameter("string", "x" * 100_000),
        "resources": [file(number, f"{number}${{{{ params.p }}}}") for number in range(1_000)],
    }
    assert [problem.code for problem in answer(value)] == ["too-large"]


def test_a_long_value_that_is_used_often_with_a_tag_is_refused_on_the_node() -> None:
    text = "${{ params.p }}${{ tags.t }}"
    value: dict[str, Json] = {
        "parameters": parameter("string", "x" * 100_000),
        "resources": [file(number, f"{number}{text}") for number in range(1_000)],
    }
    assert "too-large" in {problem.code for problem in answer(value)}


def test_one_text_that_repeats_a_long_value_is_refused() -> None:
    value: dict[str, Json] = {
        "parameters": parameter("string", "x" * 60_000),
        "resources": [file(0, "${{ params.p }}" * 9_000)],
    }
    (problem,) = answer(value)
    assert "longer than" in problem.message


def test_a_template_for_each_of_many_items_is_refused() -> None:
    value: dict[str, Json] = {
        "templates": [{"id": "t", "content": "x" * 100_000 + "${{ each.key }}"}],
        "resources": [
            {
                "for_each": ITEMS,
                "resource": {"file-unix": {"path": "/${{ each.key }}", "template": "t"}},
            }
        ],
    }
    assert [problem.code for problem in answer(value)] == ["too-large"]


def test_many_for_each_over_one_list_are_refused() -> None:
    each = "${{ params.p }}"
    value: dict[str, Json] = {
        "parameters": parameter("list", ITEMS),
        "resources": [file(number, "x", for_each=each) for number in range(1_000)],
    }
    assert [problem.code for problem in answer(value)] == ["too-large"]


def test_all_items_before_all_items_is_refused() -> None:
    resources: list[Json] = []
    for number in range(3):
        earlier: list[Json] = [f"g{other}" for other in range(number)]
        more: dict[str, Json] = {"id": f"g{number}", "depends_on": earlier}
        resources.append(file(number, "x", for_each="${{ params.p }}", **more))
    value: dict[str, Json] = {"parameters": parameter("list", ITEMS), "resources": resources}
    assert [problem.code for problem in answer(value)] == ["too-many-edges"]


def test_a_mistake_in_each_of_many_items_is_one_problem() -> None:
    wrong: dict[str, Json] = {"path": "/${{ each.key }}", "contnt": "x"}
    value: dict[str, Json] = {
        "resources": [{"for_each": ITEMS, "resource": {"file-unix": wrong}}],
    }
    (problem,) = answer(value)
    assert problem.hint == "did you mean `content`?"


@pytest.mark.parametrize(
    "default",
    ["${{ tags.t }}", "$${{ tags.t }}", "$$${{ tags.t }}", "{{ tags.t }}", "$", "${", "}}"],
)
@pytest.mark.parametrize("written", ["%s", "$%s", "%s%s", "$$%s", "%s${{ tags.t }}", "a%sb%s"])
def test_no_value_becomes_an_expression_in_code_that_runs_while_planning(
    default: str, written: str
) -> None:
    """Tags are not signed: a check must not hold one, however the text was put together."""
    expression = "${{ params.p }}"
    script: Json = {
        "script": {
            "program": "sh",
            "apply": "true",
            "check": written.replace("%s", expression),
            "manages": "x",
        }
    }
    value: dict[str, Json] = {
        "parameters": parameter("string", "x"),
        "resources": [{"resource": script}],
    }
    module, problems = check_text(json.dumps(HEAD | value).encode(), "f", {"m": {"p": default}})
    if module is None:
        assert {problem.code for problem in problems} == {"unsigned-in-code"}
        assert "${{ tags.t }}" in written
        return
    found = resolve([module], NODE, trusted=frozenset())
    assert "TAG" not in json.dumps([resource.spec for resource in found.resources])


def test_a_cycle_of_many_modules_ends() -> None:
    modules = []
    for number in range(300):
        text = (
            f"name: m{number}\nsupports: [{{platform: linux}}]\nrequires: [m{(number + 1) % 300}]\n"
        )
        module, problems = check_text(text.encode())
        assert module is not None, problems
        modules.append(module)
    found = resolve(modules, NODE, trusted=frozenset())
    assert [problem.code for problem in found.problems] == ["cycle"]
    assert found.problems[0].message.endswith("…")
