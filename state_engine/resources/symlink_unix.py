"""The kind `symlink-unix`: a symbolic link, where it leads, and whose it is.

Only a symbolic link is ever replaced or removed; nothing follows it.
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
    MakeSymlink,
    Observation,
    RemoveFile,
    Spec,
    SpecProblem,
    Step,
    Undo,
)
from state_engine.resources.parts.accounts import group_as, user_as
from state_engine.resources.parts.file_part import needed, path_of
from state_engine.resources.parts.text_lines import check_line
from state_engine.resources.parts.unix_paths import (
    MAX_PATH_BYTES,
    Ensure,
    check_account,
    check_path,
)


class SymlinkUnixSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A symbolic link; a field that is left out is not managed. Its target need not exist.

    A link that leads elsewhere is replaced in one step; a file or directory in its place is an
    error. On removal a link that we made is deleted while it still leads where we said; one that
    was there before us stays.
    """

    path: Annotated[
        str, Meta(description="Absolute path of the link.", examples=["/etc/localtime"])
    ]
    target: Annotated[
        str | None,
        Meta(
            description="Where it leads: absolute, or relative to the link's directory.",
            examples=["/usr/share/zoneinfo/UTC"],
        ),
    ] = None
    owner: Annotated[
        str | None, Meta(description="User name, or a number as text.", examples=["root"])
    ] = None
    group: Annotated[
        str | None, Meta(description="Group name, or a number as text.", examples=["root"])
    ] = None
    ensure: Annotated[Ensure, Meta(description="`absent` deletes the link, wherever it leads.")] = (
        "present"
    )


class LinkObservation(msgspec.Struct, frozen=True):
    """A path as found; `target` only of a symbolic link."""

    type: FileType
    target: str | None
    owner: str
    group: str

    @property
    def captured(self) -> CapturedStream | None:
        """Looking at a path runs nothing."""
        return None

    def state(self) -> Json:
        """Return what a decision binds."""
        target = None if self.target is None else _shown(self.target)
        return {"type": self.type, "target": target, "owner": self.owner, "group": self.group}


class SymlinkUnix:
    """Symbolic links."""

    name = "symlink-unix"
    spec_type: type[msgspec.Struct] = SymlinkUnixSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of path, target and owner."""
        link = _spec(spec)
        problems = check_path("path", link.path)
        if link.target is not None:
            problems += _check_target(link.target)
        elif link.ensure == "present":
            problems.append(needed("target", "present"))
        problems += check_account("owner", link.owner)
        problems += check_account("group", link.group)
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the path."""
        del resource_id
        return path_of(spec)

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the path."""
        return (_spec(spec).path,)

    def runs_code(self, spec: Spec) -> bool:
        """Looking at a link runs nothing."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """One lstat does not tell where a link leads."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> LinkObservation | None:
        """Return what stands at the path, and where it leads."""
        del verify
        link = _spec(spec)
        stat = ports.files.stat(link.path)
        if stat is None:
            return None
        target = ports.files.read_link(link.path) if stat.type == "symlink" else None
        owner = user_as(link.owner, stat.uid, ports.accounts)
        group = group_as(link.group, stat.gid, ports.accounts)
        return LinkObservation(stat.type, target, owner, group)

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update, none; error if something else stands in the link's place."""
        del context
        link = _spec(spec)
        absent = link.ensure == "absent"
        wanted = (("target", link.target), ("owner", link.owner), ("group", link.group))
        if observation is None:
            changes = tuple(Change(field, None, value) for field, value in wanted if value)
            return Difference("none") if absent else Difference("create", changes)
        found = _found(observation)
        if found.target is None:
            message = f"{link.path} is a {found.type}, not a symbolic link"
            return Difference("error", message=f"{message}; move it away or name another path")
        if absent:
            return Difference("update", (Change("ensure", "present", "absent"),))
        current = {"target": found.target, "owner": found.owner, "group": found.group}
        changes = tuple(
            Change(field, _shown(current[field]), value)
            for field, value in wanted
            if value is not None and value != current[field]
        )
        return Difference("update" if changes else "none", changes)

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return one step: put the link in its place, or delete it."""
        link = _spec(spec)
        if link.ensure == "absent":
            return (RemoveFile(link.path),) if difference.action == "update" else ()
        if difference.action in {"create", "update"} and link.target is not None:
            return (MakeSymlink(link.path, link.target, link.owner, link.group),)
        return ()

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: delete the link if we made it and it still leads where we said."""
        link = _spec(spec)
        if link.ensure == "absent":
            return Undo(message="forgotten: a link that was deleted is not put back")
        if observation is None:
            return Undo(message="already gone")
        found = _found(observation)
        if found.target != link.target:
            return Undo(message="kept: it is not the link that we made any more")
        if not applied.created:
            return Undo(message="kept: it was there before us")
        return Undo((RemoveFile(link.path),), message="delete the link")


def _spec(spec: Spec) -> SymlinkUnixSpec:
    return msgspec.convert(spec, SymlinkUnixSpec)


def _found(observation: Observation) -> LinkObservation:
    if not isinstance(observation, LinkObservation):
        raise TypeError(f"symlink-unix was handed {type(observation).__name__}")
    return observation


def _check_target(target: str) -> list[SpecProblem]:
    if not target:
        return [SpecProblem("target", "`target` is empty")]
    if len(target.encode("utf-8", "surrogatepass")) > MAX_PATH_BYTES:
        return [SpecProblem("target", f"`target` is longer than {MAX_PATH_BYTES} bytes")]
    return check_line("target", target)


def _shown(text: str) -> str:
    # A target is bytes to the system; what is no UTF-8 must not reach a message.
    return text.encode("utf-8", "backslashreplace").decode()
