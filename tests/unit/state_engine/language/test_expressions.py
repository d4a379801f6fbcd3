"""Expressions: what they yield, what is refused, and that values are never read twice."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.language.expressions import (
    MAX_TEXT,
    Expression,
    Fault,
    Scope,
    is_expression,
    resolve,
    scan,
    split,
)
from state_engine.model import NodeFacts
from state_engine.references import Reference, SecretValue

FACTS = NodeFacts(
    "id-1", "web-1", {"distro": "debian", "trap": "${{ secrets.key }}"}, {"env.zone": "a"}
)
SECRET = SecretValue(Reference("key", 1, "ab" * 32), "s3cret")
SCOPE = Scope(FACTS, {"key": SECRET})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("on ${{ attributes.distro }}!", "on debian!"),
        ("${{node.name}}/${{  node.id  }}", "web-1/id-1"),
        ("${{ tags.env.zone }}", "a"),
        ("${{ secrets.key }}", str(SECRET.reference)),
        ("$${{ node.name }}", "${{ node.name }}"),
        ("$$${{ node.name }}", "$${{ node.name }}"),
        ("$ {{ x }} ${ y }", "$ {{ x }} ${ y }"),
        ("${{ attributes.trap }}", "${{ secrets.key }}"),
    ],
)
def test_a_text_resolves_once_and_the_escape_yields_the_literal(text: str, value: str) -> None:
    outcome = resolve(text, SCOPE)
    assert (outcome.value, outcome.faults) == (value, ())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("${{ x", "no `}}`"),
        ("${{ a\n.b }}", "no `}}`"),
        ("${{ }}", "not `namespace.name`"),
        ("${{ distro }}", "not `namespace.name`"),
        ("${{ tags.a || 'x' }}", "not `namespace.name`"),
        ("${{ vars.a }}", "does not exist"),
        ("${{ node.ip }}", "`node` has no `ip`"),
        ("${{ attributes.distr }}", "no attribute `distr`"),
        ("${{ tags.env }}", "no tag `env`"),
        ("${{ secrets.nope }}", "secret `nope` is not known"),
    ],
)
def test_what_is_not_known_is_a_fault_and_never_an_empty_text(text: str, says: str) -> None:
    (fault,) = resolve(text, SCOPE).faults
    assert says in fault.message


def test_nested_values_resolve_and_say_what_they_used() -> None:
    value: Json = {"a": ["${{ node.name }}", 1, None], "b": {"c": "${{ secrets.key }}"}, "d": True}
    outcome = resolve(value, SCOPE)
    assert outcome.value == {"a": ["web-1", 1, None], "b": {"c": str(SECRET.reference)}, "d": True}
    assert outcome.used == {Expression("node", "name"), Expression("secrets", "key")}
    assert scan(value) == (outcome.used, ())


def test_a_resolved_text_is_bounded() -> None:
    facts = NodeFacts("id-1", "web-1", {"big": "x" * MAX_TEXT})
    scope = Scope(facts, {})
    assert resolve("${{ attributes.big }}", scope).faults == ()
    (fault,) = resolve("${{ attributes.big }}" * 1000, scope).faults
    assert "longer than" in fault.message


def test_a_text_of_unclosed_expressions_is_read_in_one_pass() -> None:
    parts = split("${{" * 80_000)
    assert len(parts) == 80_000
    assert all(isinstance(part, Fault) for part in parts)


def test_only_a_text_with_an_open_expression_waits_for_a_node() -> None:
    assert is_expression("a ${{ node.name }}")
    assert not is_expression("a $${{ node.name }}")
    assert not is_expression(["${{ node.name }}"])
