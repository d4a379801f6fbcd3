"""The table of file systems, fstab(5): reading its lines and changing one, the rest as it was.

What the kernel has mounted is `mount_table`; what should be is the kinds' affair.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence

import msgspec

from state_engine.ports import FileType, PortError, Ports
from state_engine.resources.contract import EditFile, SpecProblem, Step
from state_engine.resources.parts import text_lines
from state_engine.resources.parts.text_lines import Line

MAX_FILE = 1_048_576
MODE = 0o644
_ESCAPE = re.compile(r"\\([0-7]{3})")
# fields(5) are parted by white space; `#` begins a comment only at the start of a line, but would
# do so as the first character of the first field.
_HIDDEN = {" ": "\\040", "\t": "\\011", "\\": "\\134", "\n": "\\012", "#": "\\043"}
_OPTION = re.compile(r"[!-+\--~]+")


class Entry(msgspec.Struct, frozen=True):
    """One line: what is mounted where, and how."""

    source: str
    target: str
    fstype: str
    options: tuple[str, ...]
    dump: int = 0
    order: int = 0

    @property
    def line(self) -> str:
        """The line as it stands in the file."""
        words = (self.source, self.target, self.fstype, ",".join(self.options) or "defaults")
        return "\t".join([*(escape(word) for word in words), str(self.dump), str(self.order)])


class Table(msgspec.Struct, frozen=True):
    """The file as found."""

    path: str
    type: FileType | None
    content: bytes = b""

    @property
    def problem(self) -> str | None:
        """Why we would not touch what stands there, or None."""
        if self.type in {None, "file"}:
            return None
        return f"{self.path} is a {self.type}, not a regular file; name the file itself"

    def entries(self, which: Callable[[Entry], bool]) -> list[Entry]:
        """Return the entries that `which` picks, in the order of the file."""
        found = (parse(line.text) for line in text_lines.split(self.content))
        return [entry for entry in found if entry is not None and which(entry)]


def read(ports: Ports, path: str) -> Table:
    """Return the table. Raises PortError."""
    stat = ports.files.stat(path)
    if stat is None or stat.type != "file":
        return Table(path, None if stat is None else stat.type)
    if stat.size > MAX_FILE:
        raise PortError(f"{path} is larger than {MAX_FILE} bytes", "EFBIG")
    return Table(path, "file", ports.files.read(path, MAX_FILE))


def parse(text: str) -> Entry | None:
    """Return the entry of a line; None for a comment, an empty line, or one that is none."""
    # Only these two part fields: to Python a word of Unicode may hold white space too.
    words = [word for word in re.split(r"[ \t]+", text) if word]
    if len(words) < 3 or words[0].startswith("#"):
        return None
    source, target, fstype = (unescape(word) for word in words[:3])
    options = unescape(words[3]).split(",") if len(words) > 3 else []
    dump, order = (int(word) if word.isdecimal() else 0 for word in [*words[4:6], "0", "0"][:2])
    return Entry(source, target, fstype, tuple(filter(None, options)), dump, order)


def edit(table: Table, which: Callable[[Entry], bool], wanted: Entry | None) -> tuple[Step, ...]:
    """Return the step that makes `wanted` the only entry that `which` picks; () if it is."""
    lines = text_lines.split(table.content)
    kept: list[Line] = []
    placed = wanted is None
    for line in lines:
        entry = parse(line.text)
        if entry is None or not which(entry):
            kept.append(line)
        elif not placed and wanted is not None:
            kept.append(line if entry == wanted else Line(wanted.line, line.end))
            placed = True
    if not placed and wanted is not None:
        kept = text_lines.insert(kept, len(kept), [wanted.line])
    content = text_lines.join(kept)
    if content == table.content:
        return ()
    expected = None if table.type is None else hashlib.sha256(table.content).hexdigest()
    return (EditFile(table.path, content, expected, MODE if expected is None else None),)


def escape(word: str) -> str:
    """Return a field as the file has it."""
    return "".join(_HIDDEN.get(char, char) for char in word)


def unescape(word: str) -> str:
    r"""Return a field without its escapes, `\040` for a space; the kernel's tables use them too."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), word)


def check_options(options: Sequence[str]) -> list[SpecProblem]:
    """Return what keeps texts from being mount options, each one by itself."""
    problems: list[SpecProblem] = []
    for option in options:
        if not _OPTION.fullmatch(option) or len(option) > 1024:
            hint = "one option each, printable ASCII without spaces and commas"
            problems.append(SpecProblem("options", f"`{option[:50]}` is no option", hint))
        elif option in {"remount", "move", "bind,remount"} or option.startswith("-"):
            problems.append(SpecProblem("options", f"`{option}` says what to do, not how it is"))
    return problems
