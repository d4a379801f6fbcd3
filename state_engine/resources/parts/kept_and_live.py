"""What the kinds share that keep one small file for the next boot and set the running system too.

Only the file is bound by a decision: how the running system stands is what is put right, and what
the same apply does before (loading a module, say) may change it.
"""

from __future__ import annotations

import hashlib

import msgspec

from protocol.canonical import Json
from protocol.reports import CapturedStream
from state_engine.model import AppliedResource
from state_engine.ports import FileType, PortError, Ports, ProgramCall
from state_engine.resources.contract import (
    Observation,
    RemoveFile,
    RestoreFile,
    RunScript,
    Undo,
)

FILE_MODE = 0o644
# Such a file holds a line or two; of a longer one only the digest matters.
MAX_READ = 65_536


class Kept(msgspec.Struct, frozen=True):
    """The file as found; `text` only of a regular one."""

    path: str
    type: FileType | None
    text: str | None = None

    @property
    def problem(self) -> str | None:
        """Why we would not touch what stands there, or None."""
        if self.type in {None, "file"}:
            return None
        return f"{self.path} is a {self.type}, not a regular file; move it away"


class KeptAndLive(msgspec.Struct, frozen=True):
    """The file, and what the running system says (None: it says nothing)."""

    kept: Kept
    live: str | None = None

    @property
    def captured(self) -> CapturedStream | None:
        """Looking runs nothing of a module."""
        return None

    def state(self) -> Json:
        """Return what a decision binds: what would be overwritten."""
        text = self.kept.text
        digest = None if text is None else hashlib.sha256(text.encode()).hexdigest()
        return {"type": self.kept.type, "content": digest}


def look_at(ports: Ports, path: str) -> Kept:
    """Return what stands at a path."""
    stat = ports.files.stat(path)
    if stat is None:
        return Kept(path, None)
    if stat.type != "file":
        return Kept(path, stat.type)
    return Kept(path, "file", ports.files.read(path, MAX_READ).decode(errors="replace"))


def said_by_kernel(ports: Ports, path: str, limit: int = 4096) -> str | None:
    """Return the words of a file below /proc with single spaces, or None if there is none."""
    if ports.files.stat(path) is None:
        return None
    try:
        return " ".join(ports.files.read(path, limit).decode(errors="replace").split())
    except PortError as error:
        raise PortError(f"the kernel does not tell its value: {error}", error.code) from error


def tell_kernel(path: str, value: str) -> RunScript:
    """Return the step that writes a value below /proc: in place, as the kernel wants it."""
    call = ProgramCall(("tee", "--", path), stdin=f"{value}\n".encode(), timeout=30.0)
    return RunScript(call, "apply")


def found_in(observation: Observation | None, kind: str) -> KeptAndLive:
    """Return the observation that a kind has made itself."""
    if not isinstance(observation, KeptAndLive):
        raise TypeError(f"{kind} was handed {type(observation).__name__}")
    return observation


def undo_file(kept: Kept, ours: str, applied: AppliedResource, rest: str) -> Undo:
    """Return: delete the file that we made, restore the one we replaced; `rest` stays as it is."""
    if kept.type is None:
        return Undo(message="already gone")
    if kept.type != "file":
        return Undo(message=f"kept: {kept.path} is a {kept.type} now")
    if applied.created:
        step = RemoveFile(kept.path, backup=kept.text != ours)
        return Undo((step,), message=f"delete {kept.path}; {rest}")
    if applied.pre_image is not None:
        restore = RestoreFile(
            kept.path, applied.pre_image, applied.pre_mode, applied.pre_uid, applied.pre_gid
        )
        return Undo((restore,), message=f"restore {kept.path} as it was; {rest}")
    return Undo(message="kept: it was so before us")
