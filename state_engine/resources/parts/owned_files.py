"""Files and links under names that only we use, which a kind keeps beside a running state.

Such a file is made with the directory that it needs, is replaced whatever it holds, and goes when
it is no longer wanted. What runs is the kinds' affair.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from protocol.canonical import Json
from state_engine.ports import FileType, PortError, Ports, ProgramCall
from state_engine.resources.contract import (
    MakeDirectory,
    MakeSymlink,
    RemoveFile,
    RunScript,
    Step,
    WriteFile,
)

HEADER = "# Written by Standfast."
MODE = 0o644
OWNER = "root"
# A ruleset may be long; what is longer than this is none of ours.
MAX_READ = 1_048_576


class Owned(msgspec.Struct, frozen=True):
    """What is to stand at a path: this text, or a link that leads there; neither: nothing."""

    path: str
    content: str | None = None
    target: str | None = None


class Found(msgspec.Struct, frozen=True):
    """What stands at a path; `missing` are the directories on the way, the first one first."""

    path: str
    type: FileType | None = None
    data: bytes | None = None
    target: str | None = None
    missing: tuple[str, ...] = ()
    mode: int = MODE

    @property
    def text(self) -> str | None:
        """The content of a file, for comparing and showing."""
        return None if self.data is None else self.data.decode(errors="replace")

    @property
    def problem(self) -> str | None:
        """Why we would not touch what stands there, or None."""
        if self.type in {None, "file", "symlink"}:
            return None
        return f"{self.path} is a {self.type}, neither a file nor a link; move it away"

    def state(self) -> Json:
        """Return what a decision binds: what would be overwritten."""
        digest = None if self.data is None else hashlib.sha256(self.data).hexdigest()
        return {"path": self.path, "type": self.type, "content": digest, "target": self.target}


def look(ports: Ports, path: str) -> Found:
    """Return what stands at a path. Raises PortError."""
    stat = ports.files.stat(path)
    if stat is None:
        return Found(path, missing=_missing(ports, path))
    if stat.type == "symlink":
        return Found(path, "symlink", target=ports.files.read_link(path))
    if stat.type != "file":
        return Found(path, stat.type)
    if stat.size > MAX_READ:
        raise PortError(f"{path} is larger than {MAX_READ} bytes: it is none of ours", "EFBIG")
    return Found(path, "file", ports.files.read(path, MAX_READ), mode=stat.mode)


def right(wanted: Owned, found: Found) -> bool:
    """Say whether what stands there is what ought to."""
    if wanted.content is not None:
        return found.type == "file" and found.text == wanted.content
    if wanted.target is not None:
        return found.type == "symlink" and found.target == wanted.target
    return found.type is None


def steps(wanted: Owned, found: Found) -> tuple[Step, ...]:
    """Return what makes it so; () where it is."""
    if right(wanted, found):
        return ()
    if wanted.content is None and wanted.target is None:
        return (RemoveFile(wanted.path, backup=_is_foreign(found)),)
    way = tuple(MakeDirectory(path, 0o755, OWNER, OWNER) for path in found.missing)
    if wanted.content is not None:
        clear = (RemoveFile(wanted.path),) if found.type == "symlink" else ()
        write = WriteFile(wanted.path, wanted.content.encode(), MODE, OWNER, OWNER)
        return (*way, *clear, write)
    clear = (RemoveFile(wanted.path, backup=True),) if found.type == "file" else ()
    return (*way, *clear, MakeSymlink(wanted.path, wanted.target or "", OWNER, OWNER))


def all_steps(pairs: Sequence[tuple[Owned, Found]]) -> tuple[Step, ...]:
    """Return what makes all of them so; a directory that several need is made once."""
    found: list[Step] = []
    for pair in pairs:
        found += (step for step in steps(*pair) if step not in found)
    return tuple(found)


def back(pairs: Sequence[tuple[Owned, Found]]) -> tuple[Step, ...]:
    """Return what brings back what was found, whatever was done since; each can be done twice."""
    brought: list[Step] = []
    for wanted, each in pairs:
        # rm says nothing of what is not there; a file is not written where a link of ours stands.
        # Short options: Alpine's rm knows no others, and this is what has to work when all else did
        # not.
        call = ProgramCall(("rm", "-f", "--", each.path), timeout=30.0)
        if each.type == "file" and each.data is not None:
            brought += [RunScript(call, "revert")] if wanted.target is not None else []
            brought.append(WriteFile(each.path, each.data, each.mode, OWNER, OWNER))
        elif each.type == "symlink" and each.target is not None:
            brought += [RunScript(call, "revert"), MakeSymlink(each.path, each.target)]
        elif each.type is None:
            brought.append(RunScript(call, "revert"))
    return tuple(brought)


def gone(found: Sequence[Found]) -> tuple[Step, ...]:
    """Return what takes our files away; what somebody else put there is kept as a copy."""
    return tuple(
        RemoveFile(each.path, backup=_is_foreign(each))
        for each in found
        if each.type in {"file", "symlink"}
    )


def _is_foreign(found: Found) -> bool:
    return found.type == "file" and not (found.text or "").startswith(HEADER)


def _missing(ports: Ports, path: str) -> tuple[str, ...]:
    found: list[str] = []
    parent = path.rpartition("/")[0]
    while parent and ports.files.stat(parent) is None:
        found.insert(0, parent)
        parent = parent.rpartition("/")[0]
    return tuple(found)
