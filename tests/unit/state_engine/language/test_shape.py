"""Typed pieces of a tree."""

from __future__ import annotations

import pytest

from state_engine.language.problems import Findings
from state_engine.language.shape import bad_name, describe, take_list, take_names
from state_engine.language.yaml_tree import YamlMap, parse


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("my web-server 1", None),
        ("", "empty"),
        (" a", "outer spaces"),
        ("a\nb", "line break"),
        ("x" * 256, "longer"),
        ("${{ a.b }}", "expression"),
    ],
)
def test_a_name_is_one_printable_line(name: str, why: str | None) -> None:
    found = bad_name(name)
    assert found is None if why is None else why in (found or "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "a mapping"),
        ("[]", "a list"),
        ("~", "nothing"),
        ("no", "`no`"),
        ("true", "true or false"),
        ("1.5", "the number `1.5`"),
    ],
)
def test_a_node_is_described_in_plain_words(text: str, words: str) -> None:
    node = parse(text, Findings("f"))
    assert node is not None
    assert words in describe(node)


def test_a_list_may_be_left_empty_but_must_be_a_list() -> None:
    findings = Findings("f")
    node = parse("a:\nb: [x, 1, y]\nc: x", findings)
    assert isinstance(node, YamlMap)
    empty, names, text = node.entries
    assert take_list(empty, findings) == ()
    assert take_names(names, findings) == ("x", "y")
    assert take_names(text, findings) == ()
    assert [(p.line, p.code) for p in findings.sorted()] == [(2, "type"), (3, "type")]
