"""What kinds share that own one whole file of root's under a name they choose: sudoers, cron.

They say what is to stand there and in which fields a person thinks of it; this looks, compares and
says the steps. It is no kind of its own, and `file-unix` is none of its users.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from protocol.canonical import Json
from protocol.reports import CapturedStream, Change
from state_engine.model import AppliedResource
from state_engine.ports import MAX_CONTENT, FileType, PortError, Ports
from state_engine.resources.contract import (
    Difference,
    Glance,
    RemoveFile,
    RestoreFile,
    SetAttributes,
    Step,
    Undo,
    WriteFile,
)
from state_engine.resources.parts import text_diff
from state_engine.resources.parts.unix_paths import mode_text

# Text longer than this is not shown.
MAX_SHOWN = 65_536
OWNER = "root"


class WholeFile(msgspec.Struct, frozen=True):
    """What is to stand at a path: this text with this mode, of root's; None: nothing."""

    path: str
    content: str | None
    mode: int


class FoundFile(msgspec.Struct, frozen=True):
    """What stands there; `text` only where every user of the host may read it."""

    type: FileType
    mode: int
    owner: str
    group: str
    digest: str | None = None
    text: str | None = None

    @property
    def captured(self) -> CapturedStream | None:
        """Looking at a path captures nothing."""
        return None

    def state(self) -> Json:
        """Return what a decision binds."""
        return {
            "type": self.type,
            "mode": self.mode,
            "owner": self.owner,
            "group": self.group,
            "content": self.digest,
        }


def name_of(content: str) -> str:
    """Return the SHA-256 that stands for a text."""
    return hashlib.sha256(content.encode()).hexdigest()


def glance(wanted: WholeFile) -> Glance | None:
    """Return what one lstat and the stat cache can confirm."""
    if wanted.content is None:
        return None
    return Glance(wanted.path, "file", wanted.mode, OWNER, OWNER, name_of(wanted.content))


def look(wanted: WholeFile, ports: Ports, *, verify: bool) -> FoundFile | None:
    """Return what stands at the path. Raises PortError."""
    stat = ports.files.stat(wanted.path)
    if stat is None:
        return None
    digest = text = None
    if stat.type == "file":
        if stat.size > MAX_CONTENT:
            raise PortError(f"{wanted.path} is larger than {MAX_CONTENT} bytes", "EFBIG")
        digest = ports.files.digest(wanted.path, verify=verify)
        if stat.size <= MAX_SHOWN:
            data = ports.files.read_public(wanted.path, MAX_SHOWN)
            text = None if data is None else data.decode("utf-8", "backslashreplace")
    owner, group = ports.accounts.user(stat.uid), ports.accounts.group(stat.gid)
    if stat.uid == 0:
        owner = OWNER
    if stat.gid == 0:
        group = OWNER
    return FoundFile(stat.type, stat.mode, owner, group, digest, text)


def compare(
    wanted: WholeFile,
    found: FoundFile | None,
    fields: Mapping[str, str],
    known: Mapping[str, str] | None,
) -> Difference:
    """Return create, update (also for a deletion) or none, with the steps; error for a non-file.

    `fields` are the fields of the specification that make up the text, `known` the same as the
    found text says them, None where that is not known. The text of a field named `content` is shown
    as a diff.
    """
    if found is not None and found.type != "file":
        message = f"{wanted.path} is a {_WORDS[found.type]}, not a regular file"
        return Difference("error", message=f"{message}; move it away")
    if wanted.content is None:
        if found is None:
            return Difference("none")
        change = Change("ensure", "present", "absent")
        step = RemoveFile(wanted.path, backup=True)
        return Difference("update", (change,), "a copy of the file is kept", (step,))
    write = WriteFile(wanted.path, wanted.content.encode(), wanted.mode, OWNER, OWNER)
    if found is None:
        changes = [_change(wanted, field, text, None, None) for field, text in fields.items()]
        return Difference("create", tuple(changes), None, (write,))
    changes = []
    if found.digest != name_of(wanted.content):
        changes = _content_changes(wanted, found, fields, known)
    for field, current in (("owner", found.owner), ("group", found.group)):
        if current != OWNER:
            changes.append(Change(field, current, OWNER))
    if found.mode != wanted.mode:
        changes.append(Change("mode", mode_text(found.mode), mode_text(wanted.mode)))
    if not changes:
        return Difference("none")
    # Written anew unless only a bit that let nobody write is wrong: else somebody may hold it open.
    only_mode = {change.field for change in changes} == {"mode"} and not found.mode & 0o022
    steps: tuple[Step, ...] = (SetAttributes(wanted.path, wanted.mode),) if only_mode else (write,)
    return Difference("update", tuple(changes), None, steps)


def undo(wanted: WholeFile, found: FoundFile | None, applied: AppliedResource) -> Undo:
    """Return: delete what we made, restore what we overwrote, leave the rest alone."""
    if wanted.content is None:
        return Undo(message="nothing to do: it stays absent")
    if found is None:
        return Undo(message="already gone")
    if found.type != "file":
        return Undo(message=f"kept: it is a {_WORDS[found.type]} now")
    if applied.created:
        ours = found.digest == name_of(wanted.content)
        message = "delete the file" if ours else "delete the file, keeping a copy"
        return Undo((RemoveFile(wanted.path, backup=not ours),), message=message)
    if applied.pre_image is not None:
        step = RestoreFile(
            wanted.path, applied.pre_image, applied.pre_mode, applied.pre_uid, applied.pre_gid
        )
        change = Change("content", _named(found.digest), _named(applied.pre_image))
        return Undo((step,), (change,), "restore the content that was there before")
    return Undo(message="kept: it was there before us")


_WORDS: dict[FileType, str] = {
    "file": "regular file",
    "directory": "directory",
    "symlink": "symbolic link",
    "other": "special file",
}


def _content_changes(
    wanted: WholeFile,
    found: FoundFile,
    fields: Mapping[str, str],
    known: Mapping[str, str] | None,
) -> list[Change]:
    changes = [
        _change(wanted, field, text, None if known is None else known.get(field), found)
        for field, text in fields.items()
        if known is None or known.get(field) != text
    ]
    if known is not None:
        changes += [
            Change(field, text, None) for field, text in known.items() if field not in fields
        ]
    if changes:
        return changes
    # The same fields in other words: a comment or a space that somebody put in.
    return [Change("content", _named(found.digest), _named(name_of(wanted.content or "")))]


def _change(
    wanted: WholeFile, field: str, text: str, known: str | None, found: FoundFile | None
) -> Change:
    if field != "content":
        return Change(field, known, text)
    current = None if found is None else _named(found.digest)
    diff: tuple[str, ...] = ()
    if (found is None or known is not None) and len(text) <= MAX_SHOWN:
        diff = text_diff.unified(known or "", text, wanted.path, created=found is None)
    return Change(field, current, _named(name_of(text)), diff=diff)


def _named(digest: str | None) -> str | None:
    return None if digest is None else f"sha256:{digest}"
