"""The kind `mount`: a file system in its place, now and after the next boot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import CapturedStream, Change, TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import Ports, ProgramCall, Stat
from state_engine.resources.contract import (
    Context,
    Difference,
    MakeDirectory,
    Observation,
    RunScript,
    Spec,
    SpecProblem,
    Step,
    Undo,
)
from state_engine.resources.parts import fstab, mount_table, way
from state_engine.resources.parts.fstab import Entry, Table
from state_engine.resources.parts.mount_table import Mounted
from state_engine.resources.parts.systemd_units import systemctl
from state_engine.resources.parts.unix_paths import Ensure, check_path

# A network file system that does not answer, or a file system that is checked first.
TIMEOUT = 300.0
FSTAB = "etc/fstab"
_FSTYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SOURCE = re.compile(r"[^\x00-\x1f\x7f-\x9f-][^\x00-\x1f\x7f-\x9f]{0,1023}")
_NFS = frozenset({"nfs", "nfs4"})


class MountSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file system that is mounted at a path, and its line in /etc/fstab.

    Options are compared by what they mean; a mount that differs only in them is mounted anew in
    place, one of another source is unmounted first. `ensure: absent` unmounts and takes the line
    out; the directory stays, and so does all data. No longer desired: the same if we mounted it;
    what was mounted or listed before us stays.
    """

    path: Annotated[str, Meta(description="Where it is mounted.", examples=["/srv/data"])]
    source: Annotated[
        str | None,
        Meta(
            description="A device, `UUID=...`, `LABEL=...`, a server's export, a directory for a"
            " bind mount, or a word for what has no source.",
            examples=["UUID=1b3e-22aa", "files.example.net:/export", "tmpfs"],
        ),
    ] = None
    fstype: Annotated[
        str | None, Meta(description="Needed unless absent.", examples=["ext4", "nfs", "tmpfs"])
    ] = None
    options: Annotated[
        list[str], Meta(description="One option each.", examples=[["noatime", "nodev", "size=64m"]])
    ] = []
    fsck_order: Annotated[
        Annotated[int, Meta(ge=0, le=9)],
        Meta(description="When it is checked at boot: 0 never, 1 the root file system, 2 others."),
    ] = 0
    boot: Annotated[bool, Meta(description="`false`: no line in /etc/fstab.")] = True
    mounted: Annotated[bool, Meta(description="`false`: only the line; now it may be either.")] = (
        True
    )
    ensure: Annotated[Ensure, Meta(description="`absent`: unmounted, and no line.")] = "present"


class FoundMount(msgspec.Struct, frozen=True):
    """The lines of fstab for the path, and what is mounted on it, the last one on top.

    `same`: the path is the very object that a bind mount's source is. `sources` are names of the
    device that is wanted, and of the one that is mounted. `link` is a symbolic link on the way.
    """

    table: Table
    entries: tuple[Entry, ...]
    stack: tuple[Mounted, ...]
    place: Stat | None
    same: bool = False
    sources: tuple[str, str] = ("", "")
    booted: bool = False
    link: str | None = None

    @property
    def captured(self) -> CapturedStream | None:
        """Looking runs nothing."""
        return None

    @property
    def top(self) -> Mounted | None:
        """The mount that is seen at the path."""
        return self.stack[-1] if self.stack else None

    def state(self) -> Json:
        """Return what a decision binds."""
        return {
            "fstab": [entry.line for entry in self.entries],
            "mounts": [
                [each.source, each.fstype, each.root, ",".join(each.options)] for each in self.stack
            ],
            "place": None if self.place is None else self.place.type,
        }


class Mount:
    """File systems in their places."""

    name = "mount"
    spec_type: type[msgspec.Struct] = MountSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def __init__(self, root: str = "/") -> None:
        self._root = root

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of path, source, type and options."""
        item = _spec(spec)
        problems = check_path("path", item.path) + fstab.check_options(item.options)
        if any(ord(char) < 32 or 127 <= ord(char) < 160 for char in item.path):
            problems.append(SpecProblem("path", "the path holds a control character"))
        if item.source is not None and not _SOURCE.fullmatch(item.source):
            problems.append(SpecProblem("source", f"`{item.source[:50]}` is no source"))
        if item.fstype is not None and not _FSTYPE.fullmatch(item.fstype):
            problems.append(SpecProblem("fstype", f"`{item.fstype[:50]}` is no type"))
        if item.ensure == "absent":
            return problems
        problems += [
            SpecProblem(field, f"a present mount needs a `{field}`")
            for field, value in (("source", item.source), ("fstype", item.fstype))
            if value is None
        ]
        if not item.boot and not item.mounted:
            problems.append(SpecProblem("mounted", "with `boot: false` too nothing would be left"))
        if _is_bind(item) and not (item.source or "/").startswith("/"):
            problems.append(SpecProblem("source", "a bind mount needs a path"))
        if item.fstype == "swap":
            problems.append(SpecProblem("fstype", "swap is not mounted", "use the kind `swap`"))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the path."""
        del resource_id
        path = spec.get("path")
        return path if isinstance(path, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return fstab; the kernel's own table tells of changes by poll(2) only."""
        del spec
        return (f"{self._root}{FSTAB}",)

    def runs_code(self, spec: Spec) -> bool:
        """Looking runs nothing."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """Two tables have to be read."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> FoundMount:
        """Return what fstab and the kernel say of the path."""
        del verify
        item = _spec(spec)
        table = fstab.read(ports, f"{self._root}{FSTAB}")
        mounts = mount_table.read(ports, self._root)
        stack = tuple(each for each in mounts if each.target == item.path)
        source, bound = item.source or "", _is_bind(item) and item.ensure == "present"
        link = way.link_on(item.path.rpartition("/")[0], ports)
        place, same = None, False
        if bound or not (stack and mount_table.is_remote(stack[-1])):
            place = ports.files.stat(item.path)
        if bound and source.startswith("/"):
            link = link or way.link_on(source, ports)
        if bound and place is not None and source.startswith("/"):
            origin = ports.files.stat(source)
            number = (place.device, place.inode)
            same = origin is not None and (origin.device, origin.inode) == number
        sources = (
            mount_table.device(ports, source),
            mount_table.device(ports, stack[-1].source) if stack else "",
        )
        return FoundMount(
            table,
            tuple(table.entries(lambda entry: entry.target == item.path)),
            stack,
            place,
            same,
            sources,
            ports.files.stat(f"{self._root}run/systemd/system") is not None,
            link,
        )

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update or none; error where something else stands in the path's place."""
        del context
        item, found = _spec(spec), _found(observation)
        problem = found.table.problem or _misplaced(item, found)
        if problem is not None:
            return Difference("error", message=problem)
        changes: list[Change] = []
        steps: list[Step] = []
        if item.ensure == "absent":
            steps += [_run("umount", "--", item.path) for _ in found.stack]
            if found.stack:
                changes.append(Change("mounted", "mounted", None))
        elif item.mounted:
            changes, steps = _mounting(item, found)
        wanted = _entry(item) if item.ensure == "present" and item.boot else None
        edits: tuple[Step, ...] = ()
        if not _lists(found.entries, wanted):
            edits = fstab.edit(found.table, lambda entry: entry.target == item.path, wanted)
            changes += _listed_changes(found.entries, wanted)
        if not changes:
            return Difference("none")
        # The kernel first: what cannot be mounted must not keep the next boot waiting.
        steps += edits
        # systemd has made units of the old lines, and would go by them.
        steps += [systemctl("daemon-reload")] if edits and found.booted else []
        made = item.ensure == "present" and not found.entries and not found.stack
        return Difference("create" if made else "update", tuple(changes), steps=tuple(steps))

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what the comparison has worked out."""
        del spec
        return difference.steps

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: unmount and take the line out if both are ours; data and directory stay."""
        item, found = _spec(spec), _found(observation)
        if item.ensure == "absent":
            return Undo(message="forgotten: what was unmounted is not mounted again")
        if not applied.created:
            return Undo(message="kept: it was there before us")
        problem = found.table.problem or (_misplaced(item, found) if found.link else None)
        if problem is not None:
            return Undo(message=f"kept: {problem}")
        steps: list[Step] = []
        if item.mounted and found.stack:
            steps.append(_run("umount", "--", item.path))
        steps += fstab.edit(found.table, lambda entry: entry.target == item.path, None)
        if not steps:
            return Undo(message="already gone")
        steps += [systemctl("daemon-reload")] if found.booted else []
        change = Change("ensure", "present", "absent")
        return Undo(tuple(steps), (change,), "unmount it; the directory stays")


def _spec(spec: Spec) -> MountSpec:
    return msgspec.convert(spec, MountSpec)


def _found(observation: Observation | None) -> FoundMount:
    if not isinstance(observation, FoundMount):
        raise TypeError(f"mount was handed {type(observation).__name__}")
    return observation


def _is_bind(item: MountSpec) -> bool:
    return not {"bind", "rbind"}.isdisjoint(item.options)


def _entry(item: MountSpec) -> Entry:
    options = tuple(item.options) or ("defaults",)
    return Entry(item.source or "", item.path, item.fstype or "", options, 0, item.fsck_order)


def _lists(entries: tuple[Entry, ...], wanted: Entry | None) -> bool:
    """Say whether fstab has what is wanted, in whatever words."""
    if wanted is None:
        return not entries
    if len(entries) != 1:
        return False
    (entry,) = entries
    plain = (entry.source, entry.fstype, entry.order)
    return plain == (wanted.source, wanted.fstype, wanted.order) and (
        mount_table.normal(entry.options) == mount_table.normal(wanted.options)
    )


def _listed_changes(entries: tuple[Entry, ...], wanted: Entry | None) -> list[Change]:
    """Return what changes in fstab, each value under the field that it belongs to.

    So a value that must not be shown is hidden by its field's name.
    """
    word = "listed" if len(entries) == 1 else f"listed {len(entries)} times"
    if wanted is None or len(entries) != 1:
        changes = [Change("fstab", word if entries else None, None if wanted is None else "listed")]
        return changes if wanted is None else [*changes, Change("options", None, _joined(wanted))]
    (entry,) = entries
    pairs = {
        "source": (entry.source, wanted.source),
        "fstype": (entry.fstype, wanted.fstype),
        "options": (_joined(entry), _joined(wanted)),
        "fsck_order": (str(entry.order), str(wanted.order)),
    }
    return [Change(field, old, new) for field, (old, new) in pairs.items() if old != new]


def _joined(entry: Entry) -> str:
    return ",".join(entry.options)


def _misplaced(item: MountSpec, found: FoundMount) -> str | None:
    if found.link is not None:
        # It would be mounted once more at every apply: the table would never have this path.
        return (
            f"{found.link} is a symbolic link: name the path that it leads to, as the kernel does"
        )
    if item.ensure == "absent" or found.place is None or found.place.type == "directory":
        return None
    if found.place.type == "file" and _is_bind(item):
        return None
    return f"{item.path} is a {found.place.type}, not a directory; name the directory itself"


def _mounting(item: MountSpec, found: FoundMount) -> tuple[list[Change], list[Step]]:
    """Return what is to be mounted, or mounted anew."""
    top = found.top
    options = ",".join(mount_table.for_the_kernel(item.options)) or "defaults"
    words = ("-t", item.fstype or "auto", "-o", options, "--", item.source or "none", item.path)
    if top is None:
        way: list[Step] = [MakeDirectory(item.path)] if found.place is None else []
        return [Change("mounted", None, "mounted")], [*way, _run("mount", *words)]
    if top.fstype == "autofs":  # it is mounted when somebody goes there
        return [], []
    if not _is_same(item, found, top):
        shown = [Change("source", top.source, item.source)]
        if top.fstype != item.fstype:
            shown.append(Change("fstype", top.fstype, item.fstype))
        return shown, [_run("umount", "--", item.path), _run("mount", *words)]
    lacking = mount_table.missing(item.options, top)
    if not lacking:
        return [], []
    again = ",".join(mount_table.for_remount(item.options))
    # With source and place mount(8) leaves fstab, which may say otherwise, out of it.
    step = _run("mount", "-o", again, "--", item.source or "none", item.path)
    return [Change("options", ",".join(top.options), ",".join(lacking))], [step]


def _is_same(item: MountSpec, found: FoundMount, top: Mounted) -> bool:
    """Say whether what is mounted is what is wanted, options aside."""
    if _is_bind(item):
        return found.same
    kinds = {item.fstype or "auto", top.fstype}
    by_type = len(kinds) == 1 or "auto" in kinds or kinds <= _NFS or top.fstype.startswith("fuse")
    source = item.source or ""
    # Of an image the kernel names the loop device, and the rest has no source to speak of.
    if "loop" in item.options or not (source.startswith("/dev/") or re.search(r"[:=]", source)):
        return by_type
    wanted, mounted = found.sources
    return by_type and wanted.rstrip("/") == mounted.rstrip("/")


def _run(*argv: str) -> RunScript:
    return RunScript(ProgramCall(argv, timeout=TIMEOUT), "apply")
