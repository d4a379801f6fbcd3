"""One layout for module files: indentation, spaces at line ends, empty lines, the last line end.

Comments, quotes and the order of keys stay. A layout is used only if the text still means the same
and formatting it again changes nothing; else a smaller change is made, or none.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import yaml

from state_engine.language.load import MAX_BYTES, decode
from state_engine.language.problems import Findings
from state_engine.language.yaml_tree import Node, YamlList, YamlMap, parse
from state_engine.model import Problem

STEP = 2

_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Level(msgspec.Struct):
    """A block mapping or sequence that is open: its column before and after."""

    column: int
    new: int
    is_list: bool
    # A sequence whose dashes stand under the key that it belongs to has no token of its own.
    implied: bool = False


class _Mark(msgspec.Struct, frozen=True):
    """A key or a dash: its place before, and its column after."""

    line: int
    column: int
    new: int
    is_dash: bool


def format_text(data: bytes, file: str = "<memory>") -> tuple[bytes | None, list[Problem]]:
    """Return a file's bytes laid out, or None and why the file is not YAML that a module may hold.

    The result has the same values in the same order as the input. Never raises.
    """
    findings = Findings(file)
    text = decode(data, findings)
    tree = None if text is None else parse(text, findings)
    if text is None or tree is None or findings.failed:
        return None, findings.sorted()
    meaning = _meaning(tree)
    plain = text
    for layout in (_tidy, _indent):
        changed = layout(plain)
        if _holds(changed, meaning) and layout(changed) == changed and _tidy(changed) == changed:
            plain = changed
    return plain.encode(), []


def _holds(text: str, meaning: object) -> bool:
    if len(text.encode()) > MAX_BYTES:
        return False
    findings = Findings("")
    tree = parse(text, findings)
    return tree is not None and not findings.failed and _meaning(tree) == meaning


def _meaning(node: Node) -> object:
    """Return what a tree says, without its places; texts and numbers stay apart."""
    if isinstance(node, YamlMap):
        return [(entry.key, _meaning(entry.node)) for entry in node.entries]
    if isinstance(node, YamlList):
        return [_meaning(item) for item in node.items], "list"
    return type(node.value).__name__, node.value, node.exact


def _tidy(text: str) -> str:
    """Return a text without spaces at line ends and repeated empty lines, outside of its values."""
    text = text.replace("\r\n", "\n")
    inside = _lines_of_values(text)
    kept: list[str] = []
    for number, line in enumerate(text.split("\n")):
        tidy = line if number in inside else line.rstrip(" \t")
        if tidy or number in inside or (kept and kept[-1]):
            kept.append(tidy)
    while kept and not kept[-1]:
        kept.pop()
    return "\n".join([*kept, ""])


def _lines_of_values(text: str) -> set[int]:
    """Return the lines on which a value goes on that began on an earlier one."""
    inside: set[int] = set()
    for token in _tokens(text):
        if isinstance(token, yaml.ScalarToken):
            first = token.start_mark.line + (1 if token.style in {"|", ">"} else 0)
            last = token.end_mark.line - (1 if token.style in {"|", ">"} else 0)
            if token.end_mark.line > token.start_mark.line:
                inside.update(range(first, last + 1))
    return inside


def _indent(text: str) -> str:
    """Return a text whose keys and dashes stand in columns by their depth, the rest beside them."""
    marks: dict[int, list[_Mark]] = {}
    for mark in _marks(text):
        marks.setdefault(mark.line, []).append(mark)
    lines = text.split("\n")
    inside = _lines_of_values(text)
    made: list[str] = []
    comments: list[str] = []
    shift = 0
    for number, line in enumerate(lines):
        found = _leading(line, marks.get(number, []))
        if found:
            made += [_shifted(comment, found[0].new - found[0].column) for comment in comments]
            comments = []
            made.append(_rewritten(line, found))
            shift = found[-1].new - found[-1].column
        elif number not in inside and line.lstrip().startswith("#"):
            comments.append(line)
        else:
            made += comments
            comments = []
            made.append(_shifted(line, shift))
    return "\n".join(made + comments)


def _leading(line: str, marks: list[_Mark]) -> list[_Mark]:
    """Return the dashes and the key that a line begins with."""
    found: list[_Mark] = []
    for mark in marks:
        if line[: mark.column].strip(" -"):
            break
        found.append(mark)
        if not mark.is_dash:
            break
    return found


def _rewritten(line: str, found: list[_Mark]) -> str:
    start = ""
    for mark in found:
        start = start.ljust(mark.new)
        if not mark.is_dash:
            return start + line[mark.column :]
        start += "-"
    rest = line[found[-1].column + 1 :].lstrip(" ")
    return f"{start} {rest}" if rest else start


def _shifted(line: str, shift: int) -> str:
    if shift >= 0:
        return " " * shift + line if line else line
    blank = len(line) - len(line.lstrip(" "))
    return line[min(blank, -shift) :]


def _marks(text: str) -> Iterator[_Mark]:
    """Yield the keys and dashes of block mappings and sequences, in order."""
    levels: list[_Level] = []
    for token in _tokens(text):
        place = token.start_mark
        if isinstance(token, yaml.BlockMappingStartToken | yaml.BlockSequenceStartToken):
            new = levels[-1].new + STEP if levels else 0
            is_list = isinstance(token, yaml.BlockSequenceStartToken)
            levels.append(_Level(place.column, new, is_list))
        elif isinstance(token, yaml.BlockEndToken):
            while levels and levels.pop().implied:
                pass
        elif isinstance(token, yaml.BlockEntryToken) and levels:
            if not levels[-1].is_list:
                levels.append(_Level(place.column, levels[-1].new + STEP, True, True))
            yield _Mark(place.line, place.column, levels[-1].new, is_dash=True)
        elif isinstance(token, yaml.KeyToken) and levels:
            if levels[-1].implied and levels[-1].column >= place.column:
                levels.pop()
            if not levels[-1].is_list and levels[-1].column == place.column:
                yield _Mark(place.line, place.column, levels[-1].new, is_dash=False)


def _tokens(text: str) -> Iterator[yaml.Token]:
    try:
        yield from yaml.scan(text, Loader=_LOADER)
    except yaml.YAMLError:
        return
