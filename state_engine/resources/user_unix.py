"""The kind `user-unix`: a user of this host's own /etc/passwd. Never deletes or moves a home."""

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
    MakeDirectory,
    Observation,
    RunScript,
    Spec,
    SpecProblem,
    Step,
    Undo,
)
from state_engine.resources.parts import account_files
from state_engine.resources.parts.account_files import MAX_ID, Group, User, under
from state_engine.resources.parts.unix_paths import check_path

# The tools wait for the lock of the account files; a changed uid walks the whole home.
TIMEOUT = 600.0


class UserUnixSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A local user, read from /etc/passwd and changed with useradd, usermod and userdel.

    Users of a directory service are neither seen nor managed, and no password is ever set: a new
    user has none, so only keys let him in. When the resource is removed, the user stays; only
    `ensure: absent` deletes one, and his home stays even then. A changed `home` moves nothing; a
    changed `uid` hands the files in the home over, and no others.
    """

    name: Annotated[str, Meta(description="Name of the user.", examples=["app"])]
    uid: Annotated[
        Annotated[int, Meta(ge=0, le=MAX_ID)] | None,
        Meta(description="His number; the system chooses one if left out.", examples=[1500]),
    ] = None
    primary_group: Annotated[
        str | None,
        Meta(
            description="Group name, or a number as text. A new user gets the group of his own"
            " name if there is one, else what the system's defaults say.",
            examples=["app"],
        ),
    ] = None
    additional_groups: Annotated[
        list[str] | None,
        Meta(
            description="All other groups he is a member of; he leaves groups not listed.",
            examples=[["adm", "docker"]],
        ),
    ] = None
    home: Annotated[
        str | None, Meta(description="Absolute path of his home.", examples=["/srv/app"])
    ] = None
    shell: Annotated[
        str | None,
        Meta(description="Absolute path of his login shell.", examples=["/usr/sbin/nologin"]),
    ] = None
    system: Annotated[
        bool | None,
        Meta(description="A new user gets a number of the system's range. Never changed later."),
    ] = None
    comment: Annotated[
        str | None, Meta(description="His full name, or what he is for.", examples=["the app"])
    ] = None
    create_home: Annotated[
        bool | None,
        Meta(
            description="Make the home if it is not there: for a new user from the system's"
            " skeleton, else empty and private."
        ),
    ] = None
    ensure: Annotated[
        Literal["present", "absent"], Meta(description="Whether the user exists.")
    ] = "present"


class UserObservation(msgspec.Struct, frozen=True):
    """A user as found, None if there is none, and what a change of him has to know.

    `values` are the managed fields in the words of the specification; `uid_holder` is another user
    with the wanted uid, `own_group` that a group of his name exists, `gid` the number that his
    primary group is to have.
    """

    user: User | None
    values: dict[str, str] = {}
    gid: int = 0
    own_group: bool = False
    uid_holder: str | None = None

    @property
    def captured(self) -> CapturedStream | None:
        """Looking at files runs nothing."""
        return None

    def state(self) -> Json:
        """Return what a decision binds: his number and what is managed, and nothing of others."""
        if self.user is None:
            return {"user": None}
        values: dict[str, Json] = {**self.values}
        return {"user": self.user.uid, "values": values}


class UserUnix:
    """Local users; `root` is the root directory of the system they belong to."""

    name = "user-unix"
    spec_type: type[msgspec.Struct] = UserUnixSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def __init__(self, root: str = "/") -> None:
        self._root = root

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of names, paths and texts that /etc/passwd cannot hold."""
        user = _spec(spec)
        problems = account_files.check_name("name", user.name)
        if user.primary_group is not None:
            problems += account_files.check_name_or_number("primary_group", user.primary_group)
        for group in user.additional_groups or []:
            problems += account_files.check_name("additional_groups", group)
        for field, path in (("home", user.home), ("shell", user.shell)):
            entry = account_files.check_entry(field, path)
            if path is not None and path != "/" and not entry:
                entry = check_path(field, path)
            problems += entry
        if user.shell == "/":
            problems.append(SpecProblem("shell", "`/` is not a program"))
        problems += account_files.check_entry("comment", user.comment)
        if user.ensure == "absent" and user.name == "root":
            problems.append(SpecProblem("ensure", "a host needs the user `root`"))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the name."""
        del resource_id
        name = spec.get("name")
        return name if isinstance(name, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the files of users and groups."""
        del spec
        return under(self._root, "/etc/passwd"), under(self._root, "/etc/group")

    def runs_code(self, spec: Spec) -> bool:
        """Looking at files runs nothing."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """Only the files' content can tell."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> UserObservation:
        """Return what /etc/passwd and /etc/group say, and whether an asked-for home is there."""
        del verify
        wanted = _spec(spec)
        users = account_files.users(self._root, ports)
        groups = account_files.groups(self._root, ports)
        user = users.get(wanted.name)
        holders = (other.name for other in users.values() if other.uid == wanted.uid)
        holder = next((name for name in holders if name != wanted.name), None)
        if user is None:
            own_group = wanted.name in groups
            return UserObservation(None, own_group=own_group, uid_holder=holder)
        values = _values(wanted, user, groups)
        if wanted.create_home:
            home = wanted.home or user.home
            there = home == "/" or ports.files.stat(under(self._root, home)) is not None
            values["create_home"] = "the home is there" if there else "no home"
        gid = _gid(wanted.primary_group, groups)
        gid = user.gid if gid is None else gid
        return UserObservation(user, values, gid, uid_holder=holder)

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update (also for a deletion) or none, with the steps."""
        del context
        wanted = _spec(spec)
        if not isinstance(observation, UserObservation):
            raise TypeError(f"user-unix was handed {type(observation).__name__}")
        if wanted.ensure == "absent":
            return self._absent(wanted, observation)
        desired = _desired(wanted)
        note = None
        if observation.uid_holder is not None and observation.values.get("uid") != str(wanted.uid):
            note = f"{wanted.uid} is the uid of `{observation.uid_holder}` now"
        if observation.user is None:
            changes = [Change("name", None, wanted.name)]
            changes += [Change(field, None, value) for field, value in desired.items() if value]
            steps = self._create(wanted, own_group=observation.own_group)
            return Difference("create", tuple(changes), note, steps)
        found = observation.values
        changes = [
            Change(field, found[field] or None, value or None)
            for field, value in desired.items()
            if found[field] != value
        ]
        if not changes:
            return Difference("none")
        fields = {change.field for change in changes}
        steps = self._update(wanted, observation.user, observation.gid, fields)
        return Difference("update", tuple(changes), note, steps)

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what the comparison has worked out."""
        del spec
        return difference.steps

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return nothing to do: a user and his files are a person's own."""
        del spec, applied
        gone = isinstance(observation, UserObservation) and observation.user is None
        return Undo(message="already gone" if gone else "kept: users are never deleted this way")

    def _absent(self, wanted: UserUnixSpec, observation: UserObservation) -> Difference:
        if observation.user is None:
            return Difference("none")
        if observation.user.uid == 0:
            return Difference("error", message=f"`{wanted.name}` is the superuser")
        change = Change("ensure", "present", "absent")
        steps = (self._run("userdel", [], wanted.name),)
        return Difference("update", (change,), f"{observation.user.home} is kept", steps)

    def _create(self, wanted: UserUnixSpec, *, own_group: bool) -> tuple[Step, ...]:
        options = ["--create-home" if wanted.create_home else "--no-create-home"]
        if wanted.system:
            options.append("--system")
        group = wanted.primary_group or (wanted.name if own_group else None)
        options += _options(wanted, group, set(_desired(wanted)) | {"primary_group"}, "home-dir")
        return (self._run("useradd", options, wanted.name),)

    def _update(
        self, wanted: UserUnixSpec, user: User, gid: int, fields: set[str]
    ) -> tuple[Step, ...]:
        steps: list[Step] = []
        options = _options(wanted, wanted.primary_group, fields, "home")
        if options:
            steps.append(self._run("usermod", options, wanted.name))
        if "create_home" in fields:
            owner = str(user.uid if wanted.uid is None else wanted.uid)
            home = under(self._root, wanted.home or user.home)
            steps.append(MakeDirectory(home, 0o700, owner, str(gid)))
        return tuple(steps)

    def _run(self, tool: str, options: list[str], name: str) -> RunScript:
        root = [] if self._root == "/" else ["--root", self._root]
        argv = (f"/usr/sbin/{tool}", *root, *options, "--", name)
        return RunScript(ProgramCall(argv, timeout=TIMEOUT), "apply")


def _spec(spec: Spec) -> UserUnixSpec:
    return msgspec.convert(spec, UserUnixSpec)


def _desired(wanted: UserUnixSpec) -> dict[str, str]:
    """Return the managed fields as text, in order."""
    groups = wanted.additional_groups
    pairs = (
        ("uid", None if wanted.uid is None else str(wanted.uid)),
        ("primary_group", wanted.primary_group),
        ("additional_groups", None if groups is None else _listed(groups)),
        ("home", wanted.home),
        ("shell", wanted.shell),
        ("comment", wanted.comment),
        ("create_home", "the home is there" if wanted.create_home else None),
    )
    return {field: value for field, value in pairs if value is not None}


def _values(wanted: UserUnixSpec, user: User, groups: Mapping[str, Group]) -> dict[str, str]:
    """Return the same fields as they are."""
    primary = account_files.group_name(user.gid, groups)
    if wanted.primary_group is not None and _gid(wanted.primary_group, groups) == user.gid:
        primary = wanted.primary_group
    members = [group.name for group in groups.values() if user.name in group.members]
    values = {
        "uid": str(user.uid),
        "primary_group": primary,
        "additional_groups": _listed(members),
        "home": user.home,
        "shell": user.shell,
        "comment": user.comment,
    }
    managed = _desired(wanted)
    return {field: value for field, value in values.items() if field in managed}


def _gid(group: str | None, groups: Mapping[str, Group]) -> int | None:
    if group is None:
        return None
    if group in groups:
        return groups[group].gid
    return int(group) if group.isdigit() else None


def _listed(names: list[str]) -> str:
    return ",".join(sorted(set(names)))


def _options(wanted: UserUnixSpec, group: str | None, fields: set[str], home: str) -> list[str]:
    """Return options in the form that leaves no doubt where a value begins."""
    values = {**_desired(wanted), "primary_group": group}
    words = (
        ("uid", "uid"),
        ("primary_group", "gid"),
        ("additional_groups", "groups"),
        ("home", home),
        ("shell", "shell"),
        ("comment", "comment"),
    )
    return [
        f"--{word}={values[field]}"
        for field, word in words
        if field in fields and values.get(field) is not None
    ]
