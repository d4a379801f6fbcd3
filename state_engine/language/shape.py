"""Takes typed pieces out of a YAML tree: known keys, texts, lists; reports what does not fit.

The words of the language are given by the callers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from protocol.canonical import Json
from state_engine.language.problems import Findings, Place, one_of, quote
from state_engine.language.yaml_tree import Node, YamlEntry, YamlList, YamlMap, YamlScalar

_Word = TypeVar("_Word", bound=str)

# Names end in messages, addresses and URLs; the longest file name on Linux is 255 bytes.
MAX_NAME = 255


class Keys(msgspec.Struct, frozen=True):
    """The keys that one level of the language has."""

    what: str
    known: tuple[str, ...]
    required: tuple[str, ...] = ()


def describe(node: Node) -> str:
    """Return what a node is, in the words of a message."""
    if isinstance(node, YamlMap):
        return "a mapping"
    if isinstance(node, YamlList):
        return "a list"
    if node.value is None:
        return "nothing"
    if isinstance(node.value, bool):
        return f"{quote(node.text)} (true or false)"
    if isinstance(node.value, int) or not node.exact:
        return f"the number {quote(node.text)}"
    return quote(node.text)


def describe_value(value: Json) -> str:
    """Return what a value is, in the words of a message."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return quote(value) if isinstance(value, str) else f"the number `{value}`"


def take_map(node: Node, what: str, place: Place, findings: Findings) -> YamlMap | None:
    """Return the node if it is a mapping; else report and return None."""
    if isinstance(node, YamlMap):
        return node
    findings.add(place, "type", f"{what} must be a mapping, not {describe(node)}")
    return None


def take_keys(node: YamlMap, keys: Keys, findings: Findings) -> dict[str, YamlEntry]:
    """Return the known entries of a mapping by key; report unknown and missing ones."""
    found: dict[str, YamlEntry] = {}
    for entry in node.entries:
        if entry.key in keys.known:
            found[entry.key] = entry
        elif entry.key == "<<":
            findings.add(entry.place, "unknown-key", "merge keys (`<<`) are not supported")
        else:
            findings.add(
                entry.place,
                "unknown-key",
                f"{keys.what} has no key {quote(entry.key)}",
                hint=f"its keys are {one_of(keys.known)}",
                suggest=(entry.key, [key for key in keys.known if key not in found]),
            )
    for key in keys.required:
        if key not in found:
            findings.add(node.place, "missing-key", f"{keys.what} needs the key `{key}`")
    return found


def take_list(entry: YamlEntry, findings: Findings) -> tuple[Node, ...]:
    """Return the items of a list value; nothing at all counts as an empty list."""
    if isinstance(entry.node, YamlList):
        return entry.node.items
    if not (isinstance(entry.node, YamlScalar) and entry.node.value is None):
        message = f"`{entry.key}` must be a list, not {describe(entry.node)}"
        findings.add(entry.value_place, "type", message, hint="start each item with `- `")
    return ()


def take_text(node: Node, what: str, place: Place, findings: Findings) -> str | None:
    """Return a text value; report and return None for anything else."""
    if isinstance(node, YamlScalar) and isinstance(node.value, str) and node.exact:
        return node.value
    hint = None
    if isinstance(node, YamlScalar) and node.value is not None:
        hint = f'write "{node.text}"'
    findings.add(place, "type", f"{what} must be text, not {describe(node)}", hint=hint)
    return None


def take_choice(entry: YamlEntry, words: tuple[_Word, ...], findings: Findings) -> _Word | None:
    """Return the word of a closed set that a key holds; report and return None for others."""
    text = take_text(entry.node, f"`{entry.key}`", entry.value_place, findings)
    if text is None:
        return None
    for word in words:
        if text == word:
            return word
    message = f"`{entry.key}`: {allowed(text, words)}"
    findings.add(entry.value_place, "word", message, suggest=(text, words))
    return None


def take_integer(entry: YamlEntry, low: int, high: int, findings: Findings) -> int | None:
    """Return a whole number from `low` to `high`; report and return None for anything else."""
    node = entry.node
    value = node.value if isinstance(node, YamlScalar) else None
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    message = f"`{entry.key}` must be a whole number from {low} to {high}, not {describe(node)}"
    findings.add(entry.value_place, "type", message)
    return None


def take_name(node: Node, what: str, place: Place, findings: Findings) -> str | None:
    """Return a text that names something: one line, printable, not empty, no expression."""
    text = take_text(node, what, place, findings)
    if text is None:
        return None
    why = bad_name(text)
    if why is None:
        return text
    findings.add(place, "name", f"{what} {why}")
    return None


def bad_name(text: str) -> str | None:
    """Return what is wrong with a name, or None."""
    if not text:
        return "is empty"
    if len(text) > MAX_NAME:
        return f"is longer than {MAX_NAME} characters"
    if not text.isprintable() or text != text.strip():
        return f"{quote(text)} holds a line break, a control character or outer spaces"
    if "${{" in text:
        return "cannot be an expression: only values of a resource and templates can"
    return None


def take_names(entry: YamlEntry, findings: Findings) -> tuple[str, ...]:
    """Return a list of names; items that are none are reported and left out."""
    what = f"an entry of `{entry.key}`"
    names = [take_name(item, what, item.place, findings) for item in take_list(entry, findings)]
    return tuple(name for name in names if name is not None)


def is_nothing(entry: YamlEntry | None) -> bool:
    """Say whether a key is absent or has no value, which the published format reads the same."""
    return entry is None or (isinstance(entry.node, YamlScalar) and entry.node.value is None)


def allowed(word: str, choices: Sequence[str]) -> str:
    """Return the hint that lists the right words for a wrong one."""
    return f"{quote(word)} is not one of {one_of(choices)}"
