"""The kind `swap`: a file or device that the kernel swaps to, now and after the next boot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import CapturedStream, Change, TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import PortError, Ports, ProgramCall, Stat
from state_engine.resources.contract import (
    Context,
    Difference,
    Observation,
    RunScript,
    Spec,
    SpecProblem,
    Step,
    Undo,
)
from state_engine.resources.parts import fstab, mount_table, way
from state_engine.resources.parts.fstab import Entry, Table
from state_engine.resources.parts.systemd_units import systemctl
from state_engine.resources.parts.unix_paths import Ensure, check_path

# Turning swap off brings all of it back into memory, at the disk's speed.
TIMEOUT = 1800.0
MAX_SWAPS = 65_536
FSTAB = "etc/fstab"
# A page of the common size: mkswap's header, whose last ten bytes are the signature.
PAGE = 4096
PAGES = (PAGE, 8192, 16_384, 65_536)  # of other processors, and of kernels built so
HEAD = 65_536
SIGNATURE = b"SWAPSPACE2"
MIN_SIZE = 10 * PAGE
# These cannot hold a swap file: what it lies on is not theirs to tell.
_NO_SWAP = frozenset({
    "tmpfs", "ramfs", "overlay", "nfs", "nfs4", "cifs", "zfs", "squashfs", "9p", "virtiofs", "fuse",
})  # fmt: skip
# Of these programs Alpine has its own, which know short options only. With `set -C` the file is a
# new one or the shell fails, and nobody can have opened it before it was root's alone.
_EMPTY = 'umask 077 && rm -f -- "$1" && set -C && : > "$1"'
_SIZE = re.compile(r"([1-9][0-9]{0,14})([KMGT]?)")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class SwapSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Swap space: a file that is made for it, or a device, with its line in /etc/fstab.

    A file is made readable by root only before anything can lie in it. What holds anything but swap
    is never overwritten. `ensure: absent` turns it off, takes the line out and deletes the file. No
    longer desired: the same if we made it; what was there before us stays.
    """

    path: Annotated[
        str,
        Meta(description="A file, or a device below /dev.", examples=["/swapfile", "/dev/vdb2"]),
    ]
    size: Annotated[
        str | None,
        Meta(description="Of a file: bytes, or with K, M, G or T of 1024.", examples=["2G"]),
    ] = None
    priority: Annotated[
        Annotated[int, Meta(ge=0, le=32_767)] | None,
        Meta(description="The higher one is used first. Left out: the kernel's choice."),
    ] = None
    boot: Annotated[bool, Meta(description="`false`: no line in /etc/fstab.")] = True
    ensure: Annotated[Ensure, Meta(description="`absent`: off, and no file and no line of it.")] = (
        "present"
    )


class FoundSwap(msgspec.Struct, frozen=True):
    """What stands at the path, what it holds, and whether the kernel swaps to it.

    `holds` is "swap", "nothing", or what else is there. `active` is the priority, None if off.
    """

    place: Stat | None
    holds: str
    active: int | None
    table: Table
    entries: tuple[Entry, ...]
    fstype: str
    booted: bool
    link: str | None = None

    @property
    def captured(self) -> CapturedStream | None:
        """Looking runs nothing of a module."""
        return None

    def state(self) -> Json:
        """Return what a decision binds."""
        place = self.place
        return {
            "place": None if place is None else [place.type, place.size, place.mode, place.uid],
            "holds": self.holds,
            "active": self.active,
            "fstab": [entry.line for entry in self.entries],
        }


class Swap:
    """Swap space."""

    name = "swap"
    spec_type: type[msgspec.Struct] = SwapSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def __init__(self, root: str = "/") -> None:
        self._root = root

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of path and size."""
        item = _spec(spec)
        problems = check_path("path", item.path)
        if any(ord(char) < 32 or 127 <= ord(char) < 160 for char in item.path):
            problems.append(SpecProblem("path", "the path holds a control character"))
        size = None if item.size is None else _bytes(item.size)
        if item.size is not None and size is None:
            problems.append(SpecProblem("size", f"`{item.size[:30]}` is no size", "write 512M"))
        if size is not None and (size < MIN_SIZE or size % PAGE):
            message = f"the size must be a multiple of {PAGE} bytes, and at least {MIN_SIZE}"
            problems.append(SpecProblem("size", message))
        if item.size is not None and _is_device(item):
            problems.append(SpecProblem("size", "a device has its own size"))
        if item.size is None and not _is_device(item) and item.ensure == "present":
            problems.append(SpecProblem("size", "a swap file needs a `size`"))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the path."""
        del resource_id
        path = spec.get("path")
        return path if isinstance(path, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return fstab and the path; the kernel tells of /proc/swaps by poll(2) only."""
        return f"{self._root}{FSTAB}", _spec(spec).path

    def runs_code(self, spec: Spec) -> bool:
        """Looking runs nothing of a module; blkid reads a device."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """Three places have to be looked at."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> FoundSwap:
        """Return what the path holds, what the kernel swaps to, and the line."""
        del verify
        item = _spec(spec)
        table = fstab.read(ports, f"{self._root}{FSTAB}")
        place = ports.files.stat(item.path)
        active = self._active(ports, mount_table.device(ports, item.path))
        lies_on = mount_table.over(mount_table.read(ports, self._root), item.path)
        return FoundSwap(
            place,
            "swap" if active is not None else _holds(ports, item, place),
            active,
            table,
            tuple(table.entries(lambda entry: _is_line_of(entry, item))),
            "" if lies_on is None else lies_on.fstype,
            ports.files.stat(f"{self._root}run/systemd/system") is not None,
            None if _is_device(item) else way.link_on(item.path.rpartition("/")[0], ports),
        )

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update or none; error where something else would be lost."""
        del context
        item, found = _spec(spec), _found(observation)
        problem = found.table.problem or _problem(item, found)
        if problem is not None:
            return Difference("error", message=problem)
        changes, steps = _gone(item, found) if item.ensure == "absent" else _there(item, found)
        wanted = _line(item) if item.ensure == "present" and item.boot else None
        edits: tuple[Step, ...] = ()
        if not _lists(found.entries, wanted):
            edits = fstab.edit(found.table, lambda entry: _is_line_of(entry, item), wanted)
            current = "; ".join(" ".join(entry.line.split()) for entry in found.entries) or None
            desired = None if wanted is None else " ".join(wanted.line.split())
            changes.append(Change("fstab", current, desired))
        if not changes:
            return Difference("none")
        steps += edits
        steps += [systemctl("daemon-reload")] if edits and found.booted else []
        fresh = found.active is None and not found.entries
        made = item.ensure == "present" and fresh and (found.place is None or _is_device(item))
        return Difference("create" if made else "update", tuple(changes), steps=tuple(steps))

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what the comparison has worked out."""
        del spec
        return difference.steps

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: off, and file and line away, if we made them."""
        item, found = _spec(spec), _found(observation)
        if item.ensure == "absent":
            return Undo(message="forgotten: what was turned off is not turned on again")
        if not applied.created:
            return Undo(message="kept: it was there before us")
        gone = msgspec.structs.replace(item, ensure="absent")
        problem = found.table.problem or _problem(gone, found)
        if problem is not None:
            return Undo(message=f"kept: {problem}")
        _, steps = _gone(item, found)
        edits = fstab.edit(found.table, lambda entry: _is_line_of(entry, item), None)
        steps += edits
        if not steps:
            return Undo(message="already gone")
        steps += [systemctl("daemon-reload")] if edits and found.booted else []
        change = Change("ensure", "present", "absent")
        return Undo(tuple(steps), (change,), "turn it off and take it away")

    def _active(self, ports: Ports, path: str) -> int | None:
        data = ports.files.read(f"{self._root}proc/swaps", MAX_SWAPS)
        for line in data.decode(errors="replace").splitlines()[1:]:
            words = line.split()
            if len(words) >= 5 and fstab.unescape(words[0]) == path:
                return int(words[4])
        return None


def _spec(spec: Spec) -> SwapSpec:
    return msgspec.convert(spec, SwapSpec)


def _found(observation: Observation | None) -> FoundSwap:
    if not isinstance(observation, FoundSwap):
        raise TypeError(f"swap was handed {type(observation).__name__}")
    return observation


def _is_device(item: SwapSpec) -> bool:
    return item.path.startswith("/dev/")


def _bytes(text: str) -> int | None:
    found = _SIZE.fullmatch(text)
    return None if found is None else int(found[1]) * _UNITS[found[2]]


def _line(item: SwapSpec) -> Entry:
    options = ("sw",) if item.priority is None else ("sw", f"pri={item.priority}")
    return Entry(item.path, "none", "swap", options)


def _is_line_of(entry: Entry, item: SwapSpec) -> bool:
    return entry.fstype == "swap" and entry.source == item.path


def _lists(entries: tuple[Entry, ...], wanted: Entry | None) -> bool:
    """Say whether fstab has what is wanted, in whatever words."""
    if wanted is None or len(entries) != 1:
        return wanted is None and not entries
    idle = {"sw", "defaults", "auto"}
    return set(entries[0].options) - idle == set(wanted.options) - idle


def _holds(ports: Ports, item: SwapSpec, place: Stat | None) -> str:
    if place is None:
        return "nothing"
    if place.type == "file":
        head = ports.files.read(item.path, HEAD)
        if any(head[:page].endswith(SIGNATURE) for page in PAGES if len(head) >= page):
            return "swap"
        # What a making that was cut off has left; zeros of another size are somebody's.
        ours = place.size in {0, _bytes(item.size or "")} and not head.strip(b"\0")
        return "nothing" if ours and place.mode == 0o600 and place.uid == 0 else "other data"
    if not _is_device(item) or place.type == "directory":
        return f"a {place.type}"
    argv = ("blkid", "--probe", "--output", "value", "--match-tag", "TYPE", "--", item.path)
    captured = ports.programs.run(ProgramCall(argv, timeout=60.0, keep=4096))
    if captured.exit not in {0, 2}:  # 2: nothing that it knows
        raise PortError(f"blkid cannot read {item.path}: {captured.stderr.strip()[:200]}")
    return captured.stdout.strip() or ("nothing" if captured.exit == 2 else "a partition table")


def _problem(item: SwapSpec, found: FoundSwap) -> str | None:
    if found.link is not None:
        return (
            f"{found.link} is a symbolic link: name the path that it leads to, as the kernel does"
        )
    if found.holds not in {"swap", "nothing"}:
        word = "turned into swap" if item.ensure == "present" else "deleted"
        return f"{item.path} holds {found.holds}, and is not {word}"
    if item.ensure == "absent":
        return None
    if _is_device(item):
        return None if found.place is not None else f"there is no device {item.path}"
    if found.fstype in _NO_SWAP or found.fstype.startswith("fuse."):
        return f"{item.path} would lie on {found.fstype}, which cannot hold a swap file"
    return None


def _gone(item: SwapSpec, found: FoundSwap) -> tuple[list[Change], list[Step]]:
    changes: list[Change] = []
    steps: list[Step] = []
    if found.active is not None:
        changes.append(Change("active", "on", "off"))
        steps.append(_run("swapoff", "--", item.path))
    if not _is_device(item) and found.place is not None:
        changes.append(Change("file", item.path, None))
        # By hand, so that no copy is kept: it holds memory, which nobody is to find again.
        steps.append(_run("rm", "-f", "--", item.path))
    return changes, steps


def _there(item: SwapSpec, found: FoundSwap) -> tuple[list[Change], list[Step]]:
    changes: list[Change] = []
    steps: list[Step] = []
    size = _bytes(item.size or "")
    place, active = found.place, found.active
    resize = not _is_device(item) and (place is None or place.size != size)
    again = active is not None and item.priority is not None and active != item.priority
    if active is not None and (resize or again):
        steps.append(_run("swapoff", "--", item.path))
    if resize:
        current = None if place is None else str(place.size)
        changes.append(Change("size", current, str(size)))
        steps += _made(item, found, size or 0)
    elif not _is_device(item) and place is not None and (place.mode, place.uid) != (0o600, 0):
        changes.append(Change("mode", f"{place.mode:04o} of {place.uid}", "0600 of 0"))
        # By hand, so that no digest of gigabytes is made to take it back.
        steps.append(_run("chmod", "0600", "--", item.path))
        steps.append(_run("chown", "0:0", "--", item.path))
    if resize or found.holds != "swap":
        changes.append(Change("holds", None if resize else found.holds, "swap"))
        steps.append(_run("mkswap", "--", item.path))
    if again:
        changes.append(Change("priority", str(active), str(item.priority)))
    elif active is None:
        changes.append(Change("active", "off", "on"))
    if resize or again or active is None:
        order = () if item.priority is None else ("-p", str(item.priority))
        steps.append(_run("swapon", *order, "--", item.path))
    return changes, steps


def _made(item: SwapSpec, found: FoundSwap, size: int) -> list[Step]:
    """Return what makes the file anew, as root's alone from its first moment."""
    steps: list[Step] = [_run("sh", "-c", _EMPTY, "sh", item.path)]
    if found.fstype == "btrfs":  # it swaps only to files that it does not copy on writing
        steps.append(_run("chattr", "+C", "--", item.path))
    # Without holes, which the kernel would refuse.
    return [*steps, _run("fallocate", "-l", str(size), "--", item.path)]


def _run(*argv: str) -> RunScript:
    return RunScript(ProgramCall(argv, timeout=TIMEOUT), "apply")
