"""How steps are taken back, worked out before they are done, from what they will change.

Pure but for looking. Keeping it is `engine.undo_log`, carrying it out `engine.rollback`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from state_engine.ports import FileType, PortError, Ports, Stat
from state_engine.resources.contract import (
    EditFile,
    MakeDirectory,
    MakeSymlink,
    RemoveDirectory,
    RemoveFile,
    RestoreFile,
    SetAttributes,
    Step,
    WriteFile,
    WriteSource,
)

ABSENT = "absent"
# The steps that change what stands at one path, which is put back as it was.
_Plain = (
    WriteFile
    | WriteSource
    | EditFile
    | RestoreFile
    | MakeDirectory
    | MakeSymlink
    | SetAttributes
    | RemoveFile
    | RemoveDirectory
)
SECRET = "its old content held a secret, of which no copy is kept"  # noqa: S105 - says so


class Reverse(msgspec.Struct, frozen=True):
    """The steps that take an act back, in order, or why there are none.

    `before` says what stood at each path that the act touches, in a form that can be compared;
    `copies` names the kept content of each file.
    """

    steps: tuple[Step, ...] = ()
    problem: str | None = None
    before: dict[str, str] = {}
    copies: dict[str, str] = {}


class _Touch:
    """What steps make of one path: what stands there after, and whether content changed."""

    def __init__(self, prior: FileType | None) -> None:
        self.final: FileType | None = prior
        self.content = False


def standing(path: str, ports: Ports) -> str:
    """Return what stands at a path, as one text that differs when anything of it does.

    Raises:
        PortError: it cannot be seen.
    """
    stat = ports.files.stat(path)
    if stat is None:
        return ABSENT
    held = ""
    if stat.type == "file":
        held = ports.files.digest(path)
    elif stat.type == "symlink":
        held = hashlib.sha256(ports.files.read_link(path).encode("utf-8", "replace")).hexdigest()
    mode = 0 if stat.type == "symlink" else stat.mode
    return f"{stat.type} {mode:04o} {stat.uid}:{stat.gid} {held}".rstrip()


def paths_of(steps: Sequence[Step]) -> tuple[str, ...]:
    """Return the paths that steps touch, in the order in which they first do."""
    paths = (step.path for step in steps if isinstance(step, _Plain))
    return tuple(dict.fromkeys(paths))


def reverse_of(
    steps: Sequence[Step], ports: Ports, *, old_secret: bool = False, new_secret: bool = False
) -> Reverse:
    """Return how steps that are about to be done are taken back; keeps copies of what they change.

    `old_secret`: what stands there may hold a secret, `new_secret`: what will may; of neither a
    copy is kept. What else a step does cannot be taken back by what is known here.

    Raises:
        PortError: what they change cannot be seen, or a copy cannot be kept.
    """
    priors = {path: ports.files.stat(path) for path in paths_of(steps)}
    touches = {path: _Touch(None if stat is None else stat.type) for path, stat in priors.items()}
    for step in steps:
        if isinstance(step, _Plain):
            _follow(step, touches[step.path])
    before = {path: standing(path, ports) for path in priors}
    copies: dict[str, str] = {}
    back: list[Step] = []
    problem = None
    if not all(isinstance(step, _Plain) for step in steps):
        problem = "it did more than change files, and its kind does not say how to take that back"
    for path, stat in priors.items():
        touch = touches[path]
        if stat is not None and stat.type == "file" and touch.content:
            if old_secret:
                problem = problem or SECRET
            else:
                copies[path] = ports.backups.keep(path)
        # The last thing done is the first to be taken back.
        back[:0] = _back(path, stat, touch, copies, ports, keep=not new_secret)
    if problem is not None:
        back = []
    return Reverse(tuple(back), problem, before, copies)


def _follow(step: _Plain, touch: _Touch) -> None:
    if isinstance(step, SetAttributes):
        return
    touch.content = True
    if isinstance(step, MakeSymlink):
        touch.final = "symlink"
    elif isinstance(step, MakeDirectory):
        touch.final = "directory"
    elif isinstance(step, RemoveFile | RemoveDirectory):
        touch.final = None
    else:
        touch.final = "file"


def _back(
    path: str,
    prior: Stat | None,
    touch: _Touch,
    copies: Mapping[str, str],
    ports: Ports,
    *,
    keep: bool,
) -> list[Step]:
    """Return the steps that make of a path what it was; one that finds it so does nothing."""
    steps: list[Step] = []
    was = None if prior is None else prior.type
    if touch.final is not None and touch.final != was:
        away = RemoveDirectory(path) if touch.final == "directory" else None
        steps.append(away or RemoveFile(path, backup=keep and touch.final == "file"))
    if prior is None:
        return steps
    owner, group = str(prior.uid), str(prior.gid)
    match prior.type:
        case "file" if touch.content and path in copies:
            keeps = keep and touch.final == "file"
            copy = RestoreFile(path, copies[path], prior.mode, prior.uid, prior.gid, keep=keeps)
            steps.append(copy)
        case "directory" if touch.final != "directory":
            steps.append(MakeDirectory(path, prior.mode, owner, group))
        case "symlink":
            steps.append(MakeSymlink(path, ports.files.read_link(path), owner, group))
        case "file" | "directory":
            steps.append(SetAttributes(path, prior.mode, owner, group))
        case _:
            raise PortError(f"{path} is a special file, which cannot be put back", "EINVAL")
    return steps
