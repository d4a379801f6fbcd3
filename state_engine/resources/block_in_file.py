"""The kind `block-in-file`: lines of a text file between two marker lines."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import Change
from state_engine.resources.contract import Spec, SpecProblem
from state_engine.resources.parts import text_diff, text_lines
from state_engine.resources.parts.file_part import FilePart, Part, Verdict, needed, path_of
from state_engine.resources.parts.text_lines import Line, check_block, check_line
from state_engine.resources.parts.unix_paths import Ensure, check_path

MAX_BLOCK = 65_536
MAX_MARKER = 100
MAX_COMMENT = 20


class BlockInFileSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lines of a text file between a `BEGIN` and an `END` line that name a marker.

    Everything outside stays as it is, and so do mode, owner and line endings. A block whose marker
    lines are not one pair is an error, never guessed at. On removal a block that we added goes,
    marker lines included; one that was there before us stays.
    """

    path: Annotated[
        str, Meta(description="Absolute path of a regular file.", examples=["/etc/fstab"])
    ]
    marker: Annotated[
        str, Meta(description="The name in the two marker lines.", examples=["standfast backup"])
    ]
    block: Annotated[
        str | None, Meta(description="The lines between the marker lines.", examples=["a\nb\n"])
    ] = None
    comment: Annotated[
        str | None,
        Meta(description="What starts a comment in this file. Default: `#`.", examples=["//"]),
    ] = None
    comment_end: Annotated[
        str | None, Meta(description="What ends a comment, if anything does.", examples=["-->"])
    ] = None
    position: Annotated[
        Literal["start", "end"],
        Meta(description="Where a new block goes; one that is there stays in its place."),
    ] = "end"
    create: Annotated[
        bool | None, Meta(description="Make the file if it is missing. Default: false.")
    ] = None
    ensure: Annotated[
        Ensure, Meta(description="`absent` takes the block and its marker lines out.")
    ] = "present"


class BlockInFile(FilePart):
    """Blocks of text files."""

    name = "block-in-file"
    spec_type: type[msgspec.Struct] = BlockInFileSpec

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of path, marker and block."""
        item = _spec(spec)
        problems = check_path("path", item.path)
        problems += _check_word("marker", item.marker, MAX_MARKER)
        for field, text in (("comment", item.comment), ("comment_end", item.comment_end)):
            if text is not None:
                problems += _check_word(field, text, MAX_COMMENT)
        if item.block is None:
            return [*problems, needed("block", "present")] if _present(item) else problems
        problems += check_block("block", item.block, MAX_BLOCK)
        if any(line.strip() in _markers(item) for line in _wanted(item)):
            message = "a line of the block is one of its own marker lines"
            problems.append(SpecProblem("block", message, "choose another marker"))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the path with the marker."""
        del resource_id
        path, marker = path_of(spec), path_of(spec, "marker")
        return None if path is None or marker is None else f"{path}: {marker}"

    def part(self, spec: Spec) -> Part:
        """Return path, ensure, create."""
        item = _spec(spec)
        return Part(item.path, item.ensure, bool(item.create))

    def judge(self, spec: Spec, content: bytes) -> Verdict:
        """Return the content with the block in it (or out of it)."""
        item = _spec(spec)
        lines = text_lines.split(content)
        span = _span(item, lines)
        if span is None:
            message = f"the marker lines of `{item.marker}` in {item.path} are not one pair"
            return Verdict(content, there=True, facts={}, problem=f"{message}; put them right")
        first, last = span
        there = last > first
        current = [line.text for line in lines[first + 1 : last - 1]]
        facts: dict[str, Json] = {"block": text_lines.digest("\n".join(current)) if there else None}
        wanted = _wanted(item) if _present(item) else None
        if (there and current == wanted) or (not there and wanted is None):
            return Verdict(content, there=there, facts=facts)
        left = [*lines[:first], *lines[last:]]
        if wanted is not None:
            begin, end = _markers(item)
            if there:  # the marker lines stay as somebody may have indented them
                begin, end = lines[first].text, lines[last - 1].text
            left = text_lines.insert(left, first, [begin, *wanted, end])
            if there and last == len(lines) and not lines[-1].end:
                left[-1] = Line(left[-1].text, "")
        change = _change(item.path, current if there else None, wanted)
        return Verdict(text_lines.join(left), there=there, facts=facts, changes=(change,))

    def taken_out(self, spec: Spec, content: bytes) -> bytes:
        """Return the content without the block; it is ours by its marker, whatever it holds."""
        lines = text_lines.split(content)
        first, last = _span(_spec(spec), lines) or (0, 0)
        return text_lines.join([*lines[:first], *lines[last:]])


def _spec(spec: Spec) -> BlockInFileSpec:
    return msgspec.convert(spec, BlockInFileSpec)


def _present(item: BlockInFileSpec) -> bool:
    return item.ensure == "present"


def _check_word(field: str, text: str, limit: int) -> list[SpecProblem]:
    if not text or text != text.strip():
        return [SpecProblem(field, f"`{field}` is empty, or starts or ends with a space")]
    return check_line(field, text, limit)


def _markers(item: BlockInFileSpec) -> tuple[str, str]:
    start = "#" if item.comment is None else item.comment
    end = "" if item.comment_end is None else f" {item.comment_end}"
    return f"{start} BEGIN {item.marker}{end}", f"{start} END {item.marker}{end}"


def _wanted(item: BlockInFileSpec) -> list[str]:
    block = (item.block or "").removesuffix("\n")
    return block.split("\n") if block else []


def _span(item: BlockInFileSpec, lines: list[Line]) -> tuple[int, int] | None:
    """Return where the block is (or, an empty span, would go); None if its markers are broken."""
    begin, end = _markers(item)
    begins = [index for index, line in enumerate(lines) if line.text.strip() == begin]
    ends = [index for index, line in enumerate(lines) if line.text.strip() == end]
    if not begins and not ends:
        place = 0 if item.position == "start" else len(lines)
        return place, place
    if len(begins) == len(ends) == 1 and begins[0] < ends[0]:
        return begins[0], ends[0] + 1
    return None


def _change(path: str, current: list[str] | None, wanted: list[str] | None) -> Change:
    old, new = (None if texts is None else "\n".join(texts) for texts in (current, wanted))
    diff = text_diff.unified(old or "", new or "", path)
    if wanted is None and not diff:
        return Change("ensure", "present", "absent")
    return Change("block", old, new, diff=diff)
