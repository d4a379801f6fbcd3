"""The kind `directory-unix`: a directory's existence, owner, group and mode.

With `recursive` also those of what is in it, with `purge` that nothing else is. Both look at
everything below it, at every look, through no link and into no other file system.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import CapturedStream, Change, TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import FileType, Ports
from state_engine.resources.contract import (
    Context,
    Difference,
    Glance,
    MakeDirectory,
    Observation,
    RemoveDirectory,
    RemoveFile,
    SetAttributes,
    Spec,
    SpecProblem,
    Step,
    Undo,
)
from state_engine.resources.parts import directory_tree
from state_engine.resources.parts.accounts import group_as, user_as
from state_engine.resources.parts.directory_tree import Entry, Wanted
from state_engine.resources.parts.unix_paths import (
    Ensure,
    check_account,
    check_alone,
    check_mode,
    check_path,
    mode_bits,
    mode_text,
)


class DirectoryUnixSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A directory; a field that is left out is not managed. Its parent has to exist.

    What is in it is not managed, and is never deleted, unless `purge` says so: `ensure: absent` and
    removal delete an empty directory only. On removal a directory that was there before us stays.
    """

    path: Annotated[str, Meta(description="Absolute path.", examples=["/etc/app.d"])]
    owner: Annotated[
        str | None, Meta(description="User name, or a number as text.", examples=["root"])
    ] = None
    group: Annotated[
        str | None, Meta(description="Group name, or a number as text.", examples=["root"])
    ] = None
    mode: Annotated[
        str | None, Meta(description="Octal permission bits, quoted.", examples=["0755"])
    ] = None
    recursive: Annotated[
        bool,
        Meta(
            description=(
                "Give `owner`, `group` and `mode` to all directories below too, and owner and group"
                " to the files; symbolic links and what another resource manages keep theirs."
            )
        ),
    ] = False
    file_mode: Annotated[
        str | None,
        Meta(description="With `recursive`: the mode of the files below.", examples=["0644"]),
    ] = None
    purge: Annotated[
        bool,
        Meta(
            description=(
                "Delete what is in it and no resource manages, after a copy of each file is kept;"
                " each entry is shown in the plan, and counts as a removal."
            )
        ),
    ] = False
    ensure: Annotated[
        Ensure, Meta(description="`absent` deletes the directory if it is empty.")
    ] = "present"


class DirectoryObservation(msgspec.Struct, frozen=True):
    """A path as found; `empty` is only looked at where it is to go, and is no part of the state.

    Neither are `entries`: what is done about them is bound one by one. None: there are too many.
    """

    type: FileType
    mode: int
    owner: str
    group: str
    empty: bool = False
    entries: tuple[Entry, ...] | None = ()

    @property
    def captured(self) -> CapturedStream | None:
        """Looking at a path runs nothing."""
        return None

    def state(self) -> Json:
        """Return what a decision binds: files inside are none of it."""
        return {"type": self.type, "mode": self.mode, "owner": self.owner, "group": self.group}


class DirectoryUnix:
    """Directories."""

    name = "directory-unix"
    spec_type: type[msgspec.Struct] = DirectoryUnixSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of path, mode and owner."""
        directory = _spec(spec)
        one = (directory.owner, directory.group, directory.mode)
        return [
            *check_path("path", directory.path),
            *check_mode(directory.mode),
            *check_account("owner", directory.owner),
            *check_account("group", directory.group),
            *check_mode(directory.file_mode, "file_mode"),
            *check_alone(directory.ensure, one),
            *_check_below(directory),
        ]

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the path."""
        del resource_id
        path = spec.get("path")
        return path if isinstance(path, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the path."""
        return (_spec(spec).path,)

    def runs_code(self, spec: Spec) -> bool:
        """Looking at a directory runs nothing."""
        del spec
        return False

    def glance(self, spec: Spec) -> Glance | None:
        """Return the whole desired state: one lstat can confirm it, unless nothing is desired."""
        item = _spec(spec)
        if item.ensure == "absent" or item.recursive or item.purge:
            return None
        return Glance(item.path, "directory", mode_bits(item.mode), item.owner, item.group)

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> DirectoryObservation | None:
        """Return what stands at the path."""
        del verify
        item = _spec(spec)
        stat = ports.files.stat(item.path)
        if stat is None:
            return None
        below: tuple[Entry, ...] | None = ()
        if stat.type == "directory" and (item.recursive or item.purge):
            below = directory_tree.entries(item.path, ports, _wanted(item))
        return DirectoryObservation(
            stat.type,
            stat.mode,
            user_as(item.owner, stat.uid, ports.accounts),
            group_as(item.group, stat.gid, ports.accounts),
            item.ensure == "absent"
            and stat.type == "directory"
            and ports.files.is_empty(item.path),
            below,
        )

    def purges(self, spec: Spec) -> bool:
        """Say whether it takes away what it does not manage."""
        return _spec(spec).purge

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update, none; error if something else stands in its place."""
        item = _spec(spec)
        wanted = (("owner", item.owner), ("group", item.group))
        absent = item.ensure == "absent"
        if observation is None and absent:
            return Difference("none")
        if observation is None:
            pairs = (*wanted, ("mode", item.mode))
            return Difference(
                "create", tuple(Change(field, None, value) for field, value in pairs if value)
            )
        found = _found(observation)
        if found.type != "directory":
            message = f"{item.path} exists and is not a directory"
            return Difference("error", message=f"{message}; move it away or name another path")
        if absent:
            # What is in it may be absent too by the time that its turn comes.
            note = None if found.empty else f"{item.path} is not empty; it stays unless it is then"
            return Difference("update", (Change("ensure", "present", "absent"),), note)
        current = {"owner": found.owner, "group": found.group}
        changes = [
            Change(field, current[field], value)
            for field, value in wanted
            if value is not None and value != current[field]
        ]
        bits = mode_bits(item.mode)
        if bits is not None and bits != found.mode:
            changes.append(Change("mode", mode_text(found.mode), mode_text(bits)))
        if item.recursive or item.purge:
            return _below(item, found, tuple(changes), context)
        return Difference("update" if changes else "none", tuple(changes))

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return one step: make the directory, set its attributes, or delete it if empty.

        What is to be done below it was worked out by the comparison.
        """
        item = _spec(spec)
        if difference.steps:
            return difference.steps
        mode = mode_bits(item.mode)
        if item.ensure == "absent":
            return (RemoveDirectory(item.path),) if difference.action == "update" else ()
        if difference.action == "create":
            return (MakeDirectory(item.path, mode, item.owner, item.group),)
        if difference.action == "update":
            return (SetAttributes(item.path, mode, item.owner, item.group),)
        return ()

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: delete the directory if we made it; the step keeps one that is not empty."""
        item = _spec(spec)
        if item.ensure == "absent":
            return Undo(message="forgotten: what was deleted is not made again")
        if observation is None:
            return Undo(message="already gone")
        if _found(observation).type != "directory":
            return Undo(message="kept: it is not a directory any more")
        if not applied.created:
            return Undo(message="kept: it was there before us")
        return Undo((RemoveDirectory(item.path),), message="delete the directory if it is empty")


def _spec(spec: Spec) -> DirectoryUnixSpec:
    return msgspec.convert(spec, DirectoryUnixSpec)


def _found(observation: Observation) -> DirectoryObservation:
    if not isinstance(observation, DirectoryObservation):
        raise TypeError(f"directory-unix was handed {type(observation).__name__}")
    return observation


def _check_below(item: DirectoryUnixSpec) -> list[SpecProblem]:
    problems: list[SpecProblem] = []
    if item.ensure == "absent" and (item.recursive or item.purge):
        message = "what is absent has nothing in it"
        problems.append(SpecProblem("ensure", message, "keep `path` and `ensure` only"))
    if item.file_mode is not None and not item.recursive:
        problems.append(SpecProblem("file_mode", "`file_mode` is for `recursive: true`"))
    if item.recursive and _wanted(item) == Wanted():
        message = "`recursive` needs an owner, group, mode or file_mode to give"
        problems.append(SpecProblem("recursive", message))
    return problems


def _wanted(item: DirectoryUnixSpec) -> Wanted:
    if not item.recursive:
        return Wanted()
    return Wanted(item.owner, item.group, item.mode, item.file_mode)


def _below(
    item: DirectoryUnixSpec,
    found: DirectoryObservation,
    changes: tuple[Change, ...],
    context: Context,
) -> Difference:
    """Return the whole difference of a directory of which what is in it is managed."""
    if found.entries is None:
        message = f"more than {directory_tree.MAX_ENTRIES} entries are in it"
        return Difference("error", message=f"{message}, which is too much to manage")
    managed = context.managed()
    going = directory_tree.Work()
    if item.purge:
        going = directory_tree.purge(item.path, found.entries, managed)
    if going.problem is not None:
        return Difference("error", message=going.problem)
    gone = {step.path for step in going.steps if isinstance(step, RemoveFile | RemoveDirectory)}
    left = [entry for entry in found.entries if entry.path not in gone]
    given = directory_tree.attributes(item.path, left, managed, _wanted(item))
    own: tuple[Step, ...] = ()
    if changes:
        own = (SetAttributes(item.path, mode_bits(item.mode), item.owner, item.group),)
    every = (*changes, *going.changes, *given.changes)
    return Difference(
        "update" if every else "none",
        every,
        steps=(*own, *going.steps, *given.steps),
        binds=(*going.binds, *given.binds),
        removes=len(going.steps),
    )
