"""What formatting promises for every file: it means the same, and formatting again does nothing."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.canonical import Json
from state_engine.language.formatting import format_text
from state_engine.language.problems import Findings
from state_engine.language.yaml_tree import Node as YamlNode
from state_engine.language.yaml_tree import YamlList, YamlMap, YamlScalar, parse

PIECES = st.sampled_from([
    "a: ", "b:", "c: ", "- ", "-   ", "\n", "\n", "\n", "  ", " ", "    ", "|", ">-", "|2", "|+",
    "x", "y z", "'q'", '"', "'", "# note", " # beside", "[1,", "]", "{", "}", "&n ", "*n", "? ",
    "---", "\t", "\r\n", "0644", "true", "~",
])  # fmt: skip
TEXTS = st.sampled_from(
    ["", "x", "a: b", "# no comment", "line\n", "  two\n lines\n\n", "0644", "- x"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXTS,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.sampled_from("abcd"), inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


def meaning(node: YamlNode | None) -> object:
    """Return the values of a tree, texts apart from numbers."""
    match node:
        case None:
            return None
        case YamlMap():
            return [(entry.key, meaning(entry.node)) for entry in node.entries]
        case YamlList():
            return ("list", [meaning(item) for item in node.items])
        case YamlScalar():
            return (type(node.value), node.value, node.exact)


def check(text: str) -> None:
    """Check the promises for one text."""
    data = text.encode()
    made, problems = format_text(data)
    findings = Findings("")
    before = parse(text, findings)
    assert (made is None) == bool(problems)
    if made is None:
        return
    assert meaning(parse(made.decode(), Findings(""))) == meaning(before)
    assert format_text(made) == (made, [])


@given(st.lists(PIECES, max_size=30).map("".join))
@settings(max_examples=800)
def test_any_text_means_the_same_and_formatting_again_does_nothing(text: str) -> None:
    check(text)


@given(VALUES, st.integers(2, 7), st.booleans(), st.data())
@settings(max_examples=400)
def test_files_as_tools_write_them_are_formatted_and_keep_their_comments(
    value: Json, indent: int, flow: bool, data: st.DataObject
) -> None:
    text = yaml.safe_dump(
        {"top": value}, indent=indent, default_flow_style=None if flow else False, sort_keys=False
    )
    lines = text.splitlines()
    where = data.draw(st.integers(0, len(lines)))
    commented = "\n".join([*lines[:where], "# note", *lines[where:]]) + "\n\n"
    check(text)
    check(commented)
    made, _ = format_text(commented.encode())
    if made is not None:
        assert made.decode().count("# note") == 1
        assert made.endswith(b"\n")
