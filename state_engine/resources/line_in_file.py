"""The kind `line-in-file`: one line of a text file."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import Change
from state_engine.resources.contract import Spec, SpecProblem
from state_engine.resources.parts import text_lines
from state_engine.resources.parts.file_part import FilePart, Part, Verdict, needed, path_of
from state_engine.resources.parts.line_pattern import MAX_PATTERN, PatternError, compiled
from state_engine.resources.parts.text_lines import Line, check_line
from state_engine.resources.parts.unix_paths import Ensure, check_path

_PATTERN = Meta(
    description=(
        "A regular expression that finds lines; matching takes linear time, so back references and"
        f" look-around do not exist. At most {MAX_PATTERN} characters."
    ),
    examples=["^#?\\s*PermitRootLogin\\b"],
)


class LineInFileSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a text file; all other lines, mode, owner and line endings stay as they are.

    With `match`, the last line that matches becomes `line`, and every other matching line goes:
    what `match` finds stands once. Without one, `line` is added if no line is equal to it. A new
    line goes to the end, or where `after` or `before` says. On removal a line that we added is
    taken out; one that took another's place stays.
    """

    path: Annotated[
        str, Meta(description="Absolute path of a regular file.", examples=["/etc/ssh/sshd_config"])
    ]
    line: Annotated[
        str | None,
        Meta(description="The line, without its ending.", examples=["PermitRootLogin no"]),
    ] = None
    match: Annotated[str | None, _PATTERN] = None
    after: Annotated[
        str | None,
        Meta(description="A new line goes after the last line that this pattern finds."),
    ] = None
    before: Annotated[
        str | None,
        Meta(description="A new line goes before the first line that this pattern finds."),
    ] = None
    create: Annotated[
        bool | None, Meta(description="Make the file if it is missing. Default: false.")
    ] = None
    ensure: Annotated[
        Ensure, Meta(description="`absent` takes out each line that `line` or `match` finds.")
    ] = "present"


class LineInFile(FilePart):
    """Lines of text files."""

    name = "line-in-file"
    spec_type: type[msgspec.Struct] = LineInFileSpec

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of path, line and patterns."""
        item = _spec(spec)
        problems = check_path("path", item.path)
        if item.line is None and (item.ensure == "present" or item.match is None):
            problems.append(needed("line", item.ensure))
        if item.line is not None and not item.line:
            problems.append(SpecProblem("line", "`line` is empty"))
        elif item.line is not None:
            problems += check_line("line", item.line)
        patterns = (("match", item.match), ("after", item.after), ("before", item.before))
        for field, pattern in patterns:
            if pattern is not None:
                problems += _check_pattern(field, pattern)
        if item.after is not None and item.before is not None:
            message = "`after` and `before` exclude each other"
            problems.append(SpecProblem("before", message, "keep one of the two"))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the path with what finds the line: `match`, else the line itself."""
        del resource_id
        path = path_of(spec)
        found_by = path_of(spec, "match") or path_of(spec, "line")
        return None if path is None or found_by is None else f"{path}: {found_by}"

    def part(self, spec: Spec) -> Part:
        """Return path, ensure, create."""
        item = _spec(spec)
        return Part(item.path, item.ensure, bool(item.create))

    def judge(self, spec: Spec, content: bytes) -> Verdict:
        """Return the content with the line in it (or out of it)."""
        item = _spec(spec)
        lines = text_lines.split(content)
        meant = _meant(item, lines)
        if item.ensure == "absent":
            return _without(lines, meant)
        line = item.line or ""
        others = [index for index in meant if lines[index].text != line]
        there = [index for index, each in enumerate(lines) if each.text == line]
        texts = [lines[index].text for index in others]
        place = _place(item, lines)
        facts: dict[str, Json] = {
            "there": bool(there),
            "others": [*map(text_lines.digest, texts)],
            "place": place is not None,
        }
        if there and not others:
            return Verdict(content, there=True, facts=facts)
        if others:
            current = "\n".join(texts)
            edited = _replaced(lines, others, None if there else line)
            change = Change("line", current, line)
            return Verdict(text_lines.join(edited), there=True, facts=facts, changes=(change,))
        if place is None:
            anchor = "before" if item.after is None else "after"
            problem = f"no line of {item.path} is found by `{anchor}`"
            return Verdict(content, there=False, facts=facts, problem=problem)
        edited = text_lines.insert(lines, place, [line])
        change = Change("line", None, line)
        return Verdict(text_lines.join(edited), there=False, facts=facts, changes=(change,))

    def taken_out(self, spec: Spec, content: bytes) -> bytes:
        """Return the content without the last line that is equal to ours."""
        line = _spec(spec).line
        lines = text_lines.split(content)
        for index in reversed(range(len(lines))):
            if lines[index].text == line:
                return text_lines.join([*lines[:index], *lines[index + 1 :]])
        return content


def _spec(spec: Spec) -> LineInFileSpec:
    return msgspec.convert(spec, LineInFileSpec)


def _check_pattern(field: str, pattern: str) -> list[SpecProblem]:
    problems = check_line(field, pattern, MAX_PATTERN)
    try:
        compiled(pattern)
    except PatternError as error:
        problems.append(SpecProblem(field, f"`{field}` is no pattern for lines: {error}"))
    return problems[:1]


def _meant(item: LineInFileSpec, lines: list[Line]) -> list[int]:
    """Return the lines that the resource is about."""
    if item.match is None:
        return [index for index, each in enumerate(lines) if each.text == item.line]
    pattern = compiled(item.match)
    exact = item.line if item.ensure == "absent" else None
    return [
        index
        for index, each in enumerate(lines)
        if each.text == exact or pattern.found_in(each.text)
    ]


def _place(item: LineInFileSpec, lines: list[Line]) -> int | None:
    """Return where a new line goes; None where the anchor is not found."""
    anchor = item.after or item.before
    if anchor is None or not lines:
        return len(lines)
    pattern = compiled(anchor)
    found = [index for index, each in enumerate(lines) if pattern.found_in(each.text)]
    if not found:
        return None
    return found[0] if item.before else found[-1] + 1


def _replaced(lines: list[Line], others: list[int], line: str | None) -> list[Line]:
    """Return the lines with the last of `others` replaced by the line, and the rest taken out."""
    last = others[-1]
    gone = set(others if line is None else others[:-1])
    return [
        Line(line, each.end) if index == last and line is not None else each
        for index, each in enumerate(lines)
        if index not in gone
    ]


def _without(lines: list[Line], meant: list[int]) -> Verdict:
    gone = set(meant)
    left = [each for index, each in enumerate(lines) if index not in gone]
    texts = [lines[index].text for index in meant]
    facts: dict[str, Json] = {"others": [*map(text_lines.digest, texts)]}
    changes = (Change("line", "\n".join(texts), None),) if texts else ()
    return Verdict(text_lines.join(left), there=bool(texts), facts=facts, changes=changes)
