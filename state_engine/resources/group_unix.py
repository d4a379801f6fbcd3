"""The kind `group-unix`: a group of this host's own /etc/group. Members belong to `user-unix`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import CapturedStream, Change, TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import Ports, ProgramCall
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
from state_engine.resources.parts import account_files
from state_engine.resources.parts.account_files import MAX_ID, under

# The tools wait for the lock of the account files, which another tool may hold for a moment.
TIMEOUT = 120.0


class GroupUnixSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A local group, read from /etc/group and changed with groupadd, groupmod and groupdel.

    Groups of a directory service are neither seen nor managed. A changed `gid` leaves the files
    with the old number as they are. When the resource is removed, the group stays; only
    `ensure: absent` deletes one.
    """

    name: Annotated[str, Meta(description="Name of the group.", examples=["app"])]
    gid: Annotated[
        Annotated[int, Meta(ge=0, le=MAX_ID)] | None,
        Meta(description="Its number; the system chooses one if left out.", examples=[1500]),
    ] = None
    system: Annotated[
        bool | None,
        Meta(description="A new group gets a number of the system's range. Never changed later."),
    ] = None
    ensure: Annotated[
        Literal["present", "absent"], Meta(description="Whether the group exists.")
    ] = "present"


class GroupObservation(msgspec.Struct, frozen=True):
    """The group's number; `taken_by` is another group that has the wanted number."""

    gid: int
    taken_by: str | None = None

    @property
    def captured(self) -> CapturedStream | None:
        """Looking at a file runs nothing."""
        return None

    def state(self) -> Json:
        """Return what a decision binds."""
        return {"gid": self.gid}


class GroupUnix:
    """Local groups; `root` is the root directory of the system they belong to."""

    name = "group-unix"
    spec_type: type[msgspec.Struct] = GroupUnixSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def __init__(self, root: str = "/") -> None:
        self._root = root

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of the name, and of a group that no host can be without."""
        group = _spec(spec)
        problems = account_files.check_name("name", group.name)
        if group.ensure == "absent" and group.name == "root":
            problems.append(SpecProblem("ensure", "a host needs the group `root`"))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the name."""
        del resource_id
        name = spec.get("name")
        return name if isinstance(name, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the file of groups."""
        del spec
        return (under(self._root, "/etc/group"),)

    def runs_code(self, spec: Spec) -> bool:
        """Looking at a file runs nothing."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """Only the file's content can tell."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> GroupObservation | None:
        """Return what /etc/group says."""
        del verify
        group = _spec(spec)
        found = account_files.groups(self._root, ports)
        if group.name not in found:
            return None
        gid = found[group.name].gid
        others = (other.name for other in found.values() if other.gid == group.gid)
        return GroupObservation(gid, None if group.gid == gid else next(others, None))

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update (also for a deletion) or none."""
        del context
        group = _spec(spec)
        if not isinstance(observation, GroupObservation):
            if group.ensure == "absent":
                return Difference("none")
            gid = None if group.gid is None else str(group.gid)
            changes = [Change("name", None, group.name)]
            changes += [Change("gid", None, gid)] if gid else []
            return Difference("create", tuple(changes))
        if group.ensure == "absent":
            if observation.gid == 0:
                return Difference("error", message=f"`{group.name}` is the group of the superuser")
            return Difference("update", (Change("ensure", "present", "absent"),))
        if group.gid is None or group.gid == observation.gid:
            return Difference("none")
        message = "files keep the old number"
        if observation.taken_by is not None:
            message += f"; {group.gid} is the number of `{observation.taken_by}` now"
        change = Change("gid", str(observation.gid), str(group.gid))
        return Difference("update", (change,), message)

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return the run of one of the system's own tools."""
        group = _spec(spec)
        gid = [] if group.gid is None else [f"--gid={group.gid}"]
        if difference.action == "create":
            system = ["--system"] if group.system else []
            return (self._run("groupadd", [*system, *gid], group.name),)
        if difference.action != "update":
            return ()
        if group.ensure == "absent":
            return (self._run("groupdel", [], group.name),)
        return (self._run("groupmod", gid, group.name),)

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return nothing to do: files may still belong to the group."""
        del spec, applied
        return Undo(message="already gone" if observation is None else "kept: files may be its own")

    def _run(self, tool: str, options: list[str], name: str) -> RunScript:
        root = [] if self._root == "/" else ["--root", self._root]
        argv = (f"/usr/sbin/{tool}", *root, *options, "--", name)
        return RunScript(ProgramCall(argv, timeout=TIMEOUT), "apply")


def _spec(spec: Spec) -> GroupUnixSpec:
    return msgspec.convert(spec, GroupUnixSpec)
