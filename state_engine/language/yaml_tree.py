"""Reads YAML text into a tree whose every node knows its line and column.

The safe subset: one document, text keys, no tags, no key twice, aliases within a budget. Scalars
follow the YAML 1.2 core schema (`yes` is text), and digits with a leading zero (`0644`) are text,
as the published module format reads them. Nothing here knows what a module is.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import msgspec
import yaml

from protocol.canonical import MAX_INTEGER, Json
from state_engine.language.problems import Findings, Place, pointer, quote

# The deepest thing a module can say is resources/item/variants/item/resource/kind/field/entry: 9.
MAX_DEPTH = 16
# Every node that is written out takes at least four bytes (`- a` and a line end), so a file of
# 256 KiB stays below this unless aliases multiply it. A text counts one more for every eight
# characters, so aliases cannot make more than 512 Ki characters of text.
MAX_NODES = 65_536
TEXT_PER_NODE = 8
# Texts up to this length are kept once: field names and modes stand in every resource.
MAX_SHARED = 16
# Integers of more digits are refused before they are converted (2**53 has 16).
MAX_DIGITS = 16
# Longer pointers are not recorded, so that one huge key above many values cannot multiply itself:
# at most 65 536 * 512 bytes = 32 MiB for the worst file.
MAX_POINTER = 512

_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_CONSTANTS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
# YAML 1.2, section 5.1: what may stand in a stream unescaped.
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class YamlScalar(msgspec.Struct, frozen=True):
    """A single value; `text` is how it was written, `exact` is False for a decimal number."""

    value: bool | int | str | None
    text: str
    place: Place
    exact: bool = True
    size: int = 1
    height: int = 0


class YamlList(msgspec.Struct, frozen=True):
    """A sequence."""

    items: tuple[Node, ...]
    place: Place
    size: int
    height: int


class YamlEntry(msgspec.Struct, frozen=True):
    """One key of a mapping with its value."""

    key: str
    place: Place
    node: Node

    @property
    def value_place(self) -> Place:
        """Where a problem with the value is shown: at a single value itself, else at its key."""
        return self.node.place if isinstance(self.node, YamlScalar) else self.place


class YamlMap(msgspec.Struct, frozen=True):
    """A mapping with text keys, none of them twice, in the order of the file."""

    entries: tuple[YamlEntry, ...]
    place: Place
    size: int
    height: int


Node = YamlScalar | YamlList | YamlMap


class _Open:
    """A list or mapping whose end was not seen yet."""

    def __init__(self, place: Place, anchor: str | None, *, is_map: bool) -> None:
        self.place = place
        self.anchor = anchor
        self.is_map = is_map
        self.items: list[Node] = []
        self.entries: dict[str, YamlEntry] = {}
        self.key: tuple[str, Place] | None = None  # read, its value not yet
        self.skip = False  # the next node is the value of a key that was refused
        self.size = 1
        self.height = 0


class _StopError(Exception):
    """The rest of the text cannot be read; the reason is already among the findings."""


def parse(text: str, findings: Findings) -> Node | None:
    """Return the tree of the one document in a text, or None where it cannot be read at all.

    Problems go to `findings`; what can be read around them is still returned.
    """
    bad = _UNPRINTABLE.search(text)
    if bad is not None:
        line = text.count("\n", 0, bad.start())
        column = bad.start() - (text.rfind("\n", 0, bad.start()) + 1)
        message = f"character U+{ord(bad.group()):04X} may not stand in a YAML file"
        findings.add((line + 1, column + 1), "yaml-syntax", message)
        return None
    builder = _Builder(findings)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except _StopError:
        return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        why = ": ".join(part for part in (error.context, error.problem) if part)
        findings.add(place, "yaml-syntax", f"not YAML: {why}")
        return None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        findings.add((1, 1), "yaml-syntax", f"not YAML: {str(error).splitlines()[0]}")
        return None
    if builder.root is None and not len(findings):
        findings.add((1, 1), "empty", "the file is empty", hint="a module needs at least a `name`")
    return builder.root


class _Builder:
    """Turns parser events into nodes without recursion, so depth is a limit and never a crash."""

    def __init__(self, findings: Findings) -> None:
        self.root: Node | None = None
        self._findings = findings
        self._open: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """Take the next parser event."""
        mark = event.start_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._stop(place, "second-document", "one file holds one module: a second `---`")
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event, place)
        elif isinstance(event, yaml.ScalarEvent):
            self._tag(event.tag, place)
            self._close(self._scalar(event, place), event.anchor)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._tag(event.tag, place)
            if len(self._open) >= MAX_DEPTH:
                self._stop(place, "too-deep", f"nested deeper than {MAX_DEPTH} levels")
            if event.anchor is not None:
                self._anchors[event.anchor] = None  # open: an alias to it would never end
            is_map = isinstance(event, yaml.MappingStartEvent)
            self._open.append(_Open(place, event.anchor, is_map=is_map))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()

    def _stop(self, place: Place, code: str, message: str, hint: str | None = None) -> None:
        self._findings.add(place, code, message, hint=hint)
        raise _StopError

    def _tag(self, tag: str | None, place: Place) -> None:
        if tag is not None:
            hint = "take it away; write a text value in quotes"
            self._findings.add(place, "tag", f"YAML tag {quote(tag)} is not allowed", hint=hint)

    def _alias(self, event: yaml.AliasEvent, place: Place) -> None:
        name = event.anchor or ""
        if name not in self._anchors:
            self._stop(place, "alias", f"alias {quote('*' + name)} has no anchor before it")
        node = self._anchors[name]
        if node is None:
            self._stop(place, "alias", f"alias {quote('*' + name)} stands inside its own anchor")
        else:
            self._close(node, None, place)

    def _scalar(self, event: yaml.ScalarEvent, place: Place) -> YamlScalar:
        text = event.value
        if len(text) <= MAX_SHARED:
            text = sys.intern(text)
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            self._stop(
                place, "yaml-syntax", "the text holds a lone surrogate, which is no character"
            )
        if not event.implicit[0]:  # quoted, or a block
            return YamlScalar(text, text, place, size=1 + len(text) // TEXT_PER_NODE)
        return self._plain(text, place)

    def _plain(self, text: str, place: Place) -> YamlScalar:
        if text in _CONSTANTS:
            return YamlScalar(_CONSTANTS[text], text, place)
        if _INTEGER.fullmatch(text):
            number = int(text, 0) if len(text) <= MAX_DIGITS + 2 else MAX_INTEGER + 1
            if abs(number) > MAX_INTEGER:
                message = f"number {quote(text)} is outside ±(2^53 - 1)"
                self._findings.add(place, "number", message, hint="write it in quotes")
                number = 0
            return YamlScalar(number, text, place)
        size = 1 + len(text) // TEXT_PER_NODE
        return YamlScalar(text, text, place, exact=not _FLOAT.fullmatch(text), size=size)

    def _end(self) -> None:
        top = self._open.pop()
        node: Node
        if top.is_map:
            node = YamlMap(tuple(top.entries.values()), top.place, top.size, top.height + 1)
        else:
            node = YamlList(tuple(top.items), top.place, top.size, top.height + 1)
        self._close(node, top.anchor)

    def _close(self, node: Node, anchor: str | None, alias: Place | None = None) -> None:
        """Put a finished node where it belongs: into the root, a list, a key or a value."""
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self.root = node
            return
        top = self._open[-1]
        top.size += node.size
        top.height = max(top.height, node.height)
        here = alias or node.place
        if sum(level.size for level in self._open) > MAX_NODES:
            limits = f"{MAX_NODES} values or {MAX_NODES * TEXT_PER_NODE} characters"
            self._stop(here, "too-many-values", f"more than {limits}, aliases expanded")
        if len(self._open) + node.height > MAX_DEPTH:
            self._stop(here, "too-deep", f"nested deeper than {MAX_DEPTH} levels")
        if not top.is_map:
            top.items.append(node)
        elif top.skip:
            top.skip = False
        elif top.key is None:
            self._key(top, node, here)
        else:
            key, place = top.key
            top.entries[key] = YamlEntry(key, place, node)
            top.key = None

    def _key(self, top: _Open, node: Node, place: Place) -> None:
        top.skip = True
        if not isinstance(node, YamlScalar) or not isinstance(node.value, str) or not node.exact:
            shown = quote(node.text) if isinstance(node, YamlScalar) else "a list or mapping"
            message = f"a key must be text, not {shown}"
            self._findings.add(place, "key-type", message, hint="write it in quotes")
        elif node.value in top.entries:
            first = top.entries[node.value].place[0]
            message = f"key {quote(node.value)} stands twice; first on line {first}"
            self._findings.add(place, "duplicate-key", message)
        else:
            top.skip = False
            top.key = (node.value, place)


def plain(node: Node, findings: Findings) -> Json:
    """Return the JSON value of a tree; decimal numbers are reported and become their text."""
    if isinstance(node, YamlMap):
        return {entry.key: plain(entry.node, findings) for entry in node.entries}
    if isinstance(node, YamlList):
        return [plain(item, findings) for item in node.items]
    if not node.exact:
        message = f"{quote(node.text)} is a decimal number, which no field takes"
        findings.add(node.place, "number", message, hint=f'write "{node.text}"')
    return node.value


def walk(root: Node) -> Iterator[tuple[str, Place]]:
    """Yield the JSON pointer and place of everything in a tree that a pointer can reach."""
    yield "", root.place
    # Recursion is bounded by MAX_DEPTH, which `parse` has checked.
    yield from _walk(root, "")


def _walk(node: Node, path: str) -> Iterator[tuple[str, Place]]:
    if isinstance(node, YamlMap):
        steps = [(entry.key, entry.value_place, entry.node) for entry in node.entries]
    elif isinstance(node, YamlList):
        steps = [(str(index), item.place, item) for index, item in enumerate(node.items)]
    else:
        return
    for step, place, below in steps:
        if len(path) + len(step) < MAX_POINTER:
            here = path + pointer(step)
            yield here, place
            yield from _walk(below, here)
