"""What stands below a directory, and what of it is to go or to get other attributes.

Looks through the ports without following a link or crossing a mount point; decides nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from protocol.reports import Change
from state_engine.ports import MAX_CONTENT, FileType, Ports
from state_engine.resources.contract import RemoveDirectory, RemoveFile, SetAttributes, Step
from state_engine.resources.parts.accounts import group_as, user_as
from state_engine.resources.parts.unix_paths import mode_bits, mode_text

# What one look goes through: at 50 microseconds each half a second.
MAX_ENTRIES = 10_000
# What one purge takes away: more of it nobody reads before he says yes.
MAX_PURGED = 1_000
# Differing attributes that are shown one by one; all of them are bound.
MAX_SHOWN = 1_000


class Entry(msgspec.Struct, frozen=True):
    """One object below a directory. `foreign`: it is on another file system, not looked into."""

    path: str
    type: FileType
    mode: int
    owner: str
    group: str
    size: int = 0
    foreign: bool = False


class Wanted(msgspec.Struct, frozen=True):
    """The attributes of all that is below a directory; None is not managed."""

    owner: str | None = None
    group: str | None = None
    mode: str | None = None
    file_mode: str | None = None

    def mode_of(self, entry: Entry) -> int | None:
        """Return the permission bits that an entry is to have."""
        return mode_bits(self.mode if entry.type == "directory" else self.file_mode)


class Work(msgspec.Struct, frozen=True):
    """What has to be done below a directory: shown, bound by a decision, and as steps."""

    changes: tuple[Change, ...] = ()
    binds: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    problem: str | None = None


def entries(
    top: str, ports: Ports, wanted: Wanted, limit: int = MAX_ENTRIES
) -> tuple[Entry, ...] | None:
    """Return all that is below a directory, each directory before what is in it; None: too many.

    Raises:
        PortError: what the system says.
    """
    stat = ports.files.stat(top)
    device = None if stat is None else stat.device
    found: list[Entry] = []
    waiting = [top]
    while waiting:
        directory = waiting.pop()
        names = ports.files.names(directory)
        if len(found) + len(names) > limit:
            return None
        for name in names:
            path = f"{directory.rstrip('/')}/{name}"
            seen = ports.files.stat(path)
            if seen is None:
                continue
            foreign = seen.device != device
            owner = user_as(wanted.owner, seen.uid, ports.accounts)
            group = group_as(wanted.group, seen.gid, ports.accounts)
            found.append(Entry(path, seen.type, seen.mode, owner, group, seen.size, foreign))
            if seen.type == "directory" and not foreign:
                waiting.append(path)
    return tuple(sorted(found, key=lambda entry: entry.path.split("/")))


def purge(top: str, found: Iterable[Entry], managed: Collection[str]) -> Work:
    """Return how all goes that no resource manages; what holds a managed object stays whole."""
    kept = {_top_of(path, top) for path in managed if path.startswith(f"{top}/")}
    doomed = [entry for entry in found if _top_of(entry.path, top) not in kept]
    if len(doomed) > MAX_PURGED:
        message = f"{len(doomed)} entries are not managed, and {MAX_PURGED} are the most that go"
        return Work(problem=f"{message} at once; delete some by hand")
    for entry in doomed:
        if (problem := _unpurgeable(entry)) is not None:
            return Work(problem=problem)
    return Work(
        tuple(Change(f"entry {_below(entry.path, top)}", entry.type) for entry in doomed),
        tuple(f"purge {entry.type} {entry.path}" for entry in doomed),
        tuple(_removal(entry) for entry in reversed(doomed)),
    )


def attributes(
    top: str,
    found: Iterable[Entry],
    managed: Collection[str],
    wanted: Wanted,
    shown: int = MAX_SHOWN,
) -> Work:
    """Return what gives entries the wanted attributes; links and managed objects keep theirs."""
    changes: list[Change] = []
    binds: list[str] = []
    steps: list[Step] = []
    for entry in found:
        if entry.type not in {"file", "directory"} or entry.foreign or entry.path in managed:
            continue
        due = _due(entry, wanted)
        if due:
            name = _below(entry.path, top)
            changes += [Change(f"{name}: {field}", old, new) for field, old, new in due]
            binds.append(
                " ".join(("set", entry.path, *(f"{field}={old}" for field, old, _ in due)))
            )
            mode = wanted.mode_of(entry)
            steps.append(SetAttributes(entry.path, mode, wanted.owner, wanted.group))
    rest = len(changes) - shown
    if rest > 0:
        changes = [*changes[:shown], Change("entries", f"{rest} more differ", "as the others")]
    return Work(tuple(changes), tuple(binds), tuple(steps))


def _due(entry: Entry, wanted: Wanted) -> list[tuple[str, str, str]]:
    due: list[tuple[str, str, str]] = []
    if wanted.owner is not None and wanted.owner != entry.owner:
        due.append(("owner", entry.owner, wanted.owner))
    if wanted.group is not None and wanted.group != entry.group:
        due.append(("group", entry.group, wanted.group))
    bits = wanted.mode_of(entry)
    if bits is not None and bits != entry.mode:
        due.append(("mode", mode_text(entry.mode), mode_text(bits)))
    return due


def _unpurgeable(entry: Entry) -> str | None:
    if entry.foreign:
        return f"{entry.path} is on another file system; unmount it or manage it"
    if entry.type == "other":
        return f"{entry.path} is a special file, which something may be using; delete it by hand"
    if entry.type == "file" and entry.size > MAX_CONTENT:
        return f"{entry.path} is too large for a copy to be kept; delete it by hand"
    return None


def _removal(entry: Entry) -> Step:
    if entry.type == "directory":
        return RemoveDirectory(entry.path)
    return RemoveFile(entry.path, backup=entry.type == "file")


def _top_of(path: str, top: str) -> str:
    return path[len(top) + 1 :].partition("/")[0]


def _below(path: str, top: str) -> str:
    return path[len(top) + 1 :]
