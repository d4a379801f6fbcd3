"""The kind `directory-unix`: one directory's existence, owner, group and mode, not its content."""

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
    SetAttributes,
    Spec,
    SpecProblem,
    Step,
    Undo,
)
from state_engine.resources.parts.accounts import group_as, user_as
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

    What is in it is not managed, and is never deleted: `ensure: absent` and removal delete an empty
    directory only. On removal a directory that was there before us stays.
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
    ensure: Annotated[
        Ensure, Meta(description="`absent` deletes the directory if it is empty.")
    ] = "present"


class DirectoryObservation(msgspec.Struct, frozen=True):
    """A path as found; `empty` is only looked at where it is to go, and is no part of the state."""

    type: FileType
    mode: int
    owner: str
    group: str
    empty: bool = False

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
        return [
            *check_path("path", directory.path),
            *check_mode(directory.mode),
            *check_account("owner", directory.owner),
            *check_account("group", directory.group),
            *check_alone(directory.ensure, [directory.owner, directory.group, directory.mode]),
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
        if item.ensure == "absent":
            return None
        return Glance(item.path, "directory", mode_bits(item.mode), item.owner, item.group)

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> DirectoryObservation | None:
        """Return what stands at the path."""
        del verify
        item = _spec(spec)
        stat = ports.files.stat(item.path)
        if stat is None:
            return None
        return DirectoryObservation(
            stat.type,
            stat.mode,
            user_as(item.owner, stat.uid, ports.accounts),
            group_as(item.group, stat.gid, ports.accounts),
            item.ensure == "absent"
            and stat.type == "directory"
            and ports.files.is_empty(item.path),
        )

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update, none; error if something else stands in its place."""
        del context
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
        return Difference("update" if changes else "none", tuple(changes))

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return one step: make the directory, set its attributes, or delete it if empty."""
        item = _spec(spec)
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
