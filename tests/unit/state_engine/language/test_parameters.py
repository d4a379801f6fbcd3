"""Parameters: their values come from a text that was given, else from the default."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.language import parameters
from state_engine.language.problems import Findings
from state_engine.language.validate import check_text
from state_engine.model import Module, Parameter, ParameterType


def module(*declared: Parameter) -> Module:
    """Return a module with these parameters."""
    return Module("web", "0", parameters=declared)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "80", "80"),
        ("string", "${{ tags.x }}", "${{ tags.x }}"),
        ("string", "", ""),
        ("integer", "-80", -80),
        ("boolean", "false", False),
        ("list", "[a, {b: 1}]", ["a", {"b": 1}]),
        ("map", "a: [1]", {"a": [1]}),
    ],
)
def test_a_given_text_becomes_a_value_of_the_type(
    kind: ParameterType, text: str, value: Json
) -> None:
    findings = Findings("f")
    found = parameters.values(module(Parameter("p", kind, None)), {"p": text}, findings)
    assert (found, len(findings)) == ({"p": value}, 0)


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("integer", "", "it is empty"),
        ("integer", "1.5", "decimal"),
        ("integer", "abc", "not `abc`"),
        ("boolean", "yes", "must be true or false, not `yes`"),
        ("list", "a", "must be a list, not `a`"),
        ("list", "[a", "not YAML"),
        ("map", "[a]", "must be a mapping, not a list"),
    ],
)
def test_a_given_text_of_another_type_is_refused(kind: ParameterType, text: str, says: str) -> None:
    findings = Findings("f")
    assert parameters.values(module(Parameter("p", kind)), {"p": text}, findings) == {}
    assert [problem.code for problem in findings.sorted()] == ["parameter-value"]
    assert says in findings.sorted()[0].message


def test_a_given_value_comes_before_the_default_and_must_be_in_enum() -> None:
    declared = module(Parameter("p", "integer", 1, (1, 2)))
    assert parameters.values(declared, {}, Findings("f")) == {"p": 1}
    assert parameters.values(declared, {"p": "2"}, Findings("f")) == {"p": 2}
    findings = Findings("f")
    assert parameters.values(declared, {"p": "3"}, findings) == {}
    assert "one of 1, 2" in findings.sorted()[0].message


def test_a_value_for_no_parameter_is_refused_with_the_nearest_name() -> None:
    findings = Findings("f")
    parameters.values(module(Parameter("port", "integer", 1)), {"prot": "1"}, findings)
    (problem,) = findings.sorted()
    assert (problem.code, problem.hint) == ("unknown-parameter", "did you mean `port`?")


def test_a_false_or_empty_default_is_a_default() -> None:
    declared = module(Parameter("a", "boolean", False), Parameter("b", "string", ""))
    findings = Findings("f")
    assert parameters.values(declared, {}, findings) == {"a": False, "b": ""}
    assert not findings.failed
    assert parameters.missing(Module("m", "0", parameters=declared.parameters, values={})) == (
        "a",
        "b",
    )


def test_a_declaration_holds_what_the_file_says() -> None:
    text = (
        b"name: a\nsupports: [{}]\nparameters:\n"
        b"  p: {type: string, default: '$${{ x', enum: ['$${{ x', y], description: why}\n"
        b"resources: [{resource: {file-unix: {path: /a, content: '${{ params.p }}'}}}]\n"
    )
    found, problems = check_text(text)
    assert problems == []
    assert found is not None
    assert found.parameters == (Parameter("p", "string", "${{ x", ("${{ x", "y"), "why"),)
    assert found.values == {"p": "${{ x"}
