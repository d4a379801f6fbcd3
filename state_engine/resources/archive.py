"""The kind `archive`: what an archive holds, unpacked into a directory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol import canonical
from protocol.canonical import Json
from protocol.reports import Action, CapturedStream, Change, TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import PortError, Ports
from state_engine.resources.contract import (
    Context,
    Difference,
    MakeDirectory,
    Observation,
    RemoveDirectory,
    Spec,
    SpecProblem,
    Step,
    Undo,
    Unpack,
)
from state_engine.resources.parts import archive_files
from state_engine.resources.parts.archive_files import ArchiveError, Member
from state_engine.resources.parts.archive_source import archive_bytes, archive_digest
from state_engine.resources.parts.archive_tree import Differing, Wish, differences, is_ours
from state_engine.resources.parts.source_address import check_source
from state_engine.resources.parts.unix_paths import check_account, check_mode, check_path, mode_bits

_SHA256 = re.compile(r"[0-9a-f]{64}")
# How many files a plan names.
_NAMED = 20


class ArchiveSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of a tar (plain, gzip, xz, bzip2) or zip archive, unpacked into a directory.

    Every file of it is managed: one that is missing or changed is drift, and is brought back (a
    copy of what stood there is kept). A directory has one archive; other files in it stay, those of
    an earlier archive too. An archive is refused as a whole if a name or a link in it leads out of
    the directory, if it holds a device, or if it unpacks to more than 20,000 members or 512 MiB.
    Removal and `ensure: absent` take out what is still as the archive has it.
    """

    path: Annotated[
        str,
        Meta(description="Absolute path of the directory; it is made.", examples=["/opt/example"]),
    ]
    source: Annotated[
        str,
        Meta(
            description=(
                "Absolute path of the archive on the host, or its address: `https://`, `file://`,"
                " `artifact:` and its SHA-256."
            ),
            examples=["https://example.org/app-1.2.tar.gz"],
        ),
    ]
    sha256: Annotated[
        str | None,
        Meta(description="The archive's SHA-256; a path on the host may do without."),
    ] = None
    strip: Annotated[
        Annotated[int, Meta(ge=0, le=16)] | None,
        Meta(description="How many leading components of each name to leave out.", examples=[1]),
    ] = None
    owner: Annotated[str | None, Meta(description="Owner of what is unpacked.")] = None
    group: Annotated[str | None, Meta(description="Group of what is unpacked.")] = None
    mode: Annotated[
        str | None,
        Meta(
            description=(
                "Mode of the files; a directory may be searched by whoever may read it. The"
                " archive's own if left out, but only the owner may write."
            ),
            examples=["0640"],
        ),
    ] = None
    creates: Annotated[
        str | None,
        Meta(description="Absolute path: while it is there, the archive is not looked at."),
    ] = None
    ensure: Annotated[
        Literal["present", "absent"] | None,
        Meta(description="`present` (the default) or `absent`."),
    ] = None


class ArchiveObservation(msgspec.Struct, frozen=True):
    """An unpacked archive as found; `done` means that `creates` is there, so nothing was looked at.

    `ours` counts what is still as the archive has it, where it is to be absent. `count` is the
    number of members.
    """

    digest: str = ""
    directory: bool = False
    differing: tuple[Differing, ...] = ()
    count: int = 0
    ours: int = 0
    done: bool = False

    @property
    def captured(self) -> CapturedStream | None:
        """No command is run."""
        return None

    def state(self) -> Json:
        """Return what a decision binds: the archive, and what of it is not as it should be."""
        found: list[Json] = [[item.path, item.what, item.digest] for item in self.differing]
        return {
            "archive": self.digest,
            "directory": self.directory,
            "differing": canonical.digest(found),
            "ours": self.ours,
            "done": self.done,
        }


class Archive:
    """Unpacked archives."""

    name = "archive"
    spec_type: type[msgspec.Struct] = ArchiveSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of paths, source, digest and attributes."""
        wish = _spec(spec)
        problems = check_path("path", wish.path)
        if wish.creates is not None:
            problems += check_path("creates", wish.creates)
        if wish.sha256 is not None and not _SHA256.fullmatch(wish.sha256):
            hint = "64 digits, as `sha256sum` prints them"
            problems.append(SpecProblem("sha256", f"`{wish.sha256}` is no SHA-256", hint))
        if wish.source.startswith("/"):
            problems += check_path("source", wish.source)
        else:
            problems += _check_address(wish)
        problems += check_account("owner", wish.owner) + check_account("group", wish.group)
        return problems + check_mode(wish.mode)

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the directory: its next version has another source and is no other resource.

        Else the one before would be removed after it, with all that both hold.
        """
        del resource_id
        path = spec.get("path")
        return path if isinstance(path, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the directory, `creates`, and an archive on this host."""
        wish = _spec(spec)
        source = (wish.source,) if wish.source.startswith("/") else ()
        return (wish.path, *source, *([] if wish.creates is None else [wish.creates]))

    def runs_code(self, spec: Spec) -> bool:
        """To know what is in it, an archive from elsewhere has to be fetched."""
        return not _spec(spec).source.startswith("/")

    def glance(self, spec: Spec) -> None:
        """Many files have to be looked at."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> ArchiveObservation:
        """Return what differs from the archive; it is read only if it is a new one."""
        wish = _spec(spec)
        present = wish.ensure != "absent"
        if present and wish.creates is not None and ports.files.stat(wish.creates) is not None:
            return ArchiveObservation(done=True)
        digest = archive_digest(wish.source, _digest(wish), ports)
        members = _members(wish, digest, ports)
        stat = ports.files.stat(wish.path)
        if stat is not None and stat.type != "directory":
            raise PortError(f"{wish.path} is a {stat.type} and no directory", "ENOTDIR")
        if not present:
            ours = sum(is_ours(f"{wish.path}/{item.path}", item, ports) for item in members)
            return ArchiveObservation(digest, stat is not None, count=len(members), ours=ours)
        if stat is None:
            found = tuple(Differing(member.path, "missing") for member in members)
        else:
            tree = Wish(wish.path, mode_bits(wish.mode), wish.owner, wish.group)
            found = differences(members, tree, ports, verify=verify)
        return ArchiveObservation(digest, stat is not None, found, len(members))

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update or none; error where something of another type is in the way."""
        del context
        wish, found = _spec(spec), _found(observation)
        if wish.ensure == "absent":
            if not found.ours:
                return Difference("none")
            changes = (Change("ensure", "present", "absent"), Change("members", str(found.ours)))
            return Difference("update", changes, steps=(_step(wish, found, remove=True),))
        if not found.differing:
            return Difference("none")
        blocked = next((item for item in found.differing if item.blocked), None)
        if blocked is not None:
            message = f"{wish.path}/{blocked.path} is {blocked.what}, which is not replaced"
            return Difference("error", _changes(found), message)
        missing = sum(item.what == "missing" for item in found.differing)
        action: Action = "create" if missing == found.count else "update"
        steps: list[Step] = []
        if not found.directory:
            steps.append(MakeDirectory(wish.path, owner=wish.owner, group=wish.group))
        steps.append(_step(wish, found))
        return Difference(action, _changes(found), steps=tuple(steps))

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what comparing has found to be done."""
        del spec
        return difference.steps

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: take out what is still as the archive has it; what somebody changed stays."""
        wish = _spec(spec)
        digest = _digest(wish)
        if isinstance(observation, ArchiveObservation) and observation.digest:
            digest = observation.digest
        if not applied.created:
            return Undo(message="kept: some of it was there before us")
        if digest is None:
            return Undo(message="kept: which archive it was is not known any more")
        found = ArchiveObservation(digest)
        change = Change("members", "as in the archive")
        return Undo((_step(wish, found, remove=True),), (change,), "take out what was unpacked")

    def revert(
        self, spec: Spec, observation: Observation | None, copies: Mapping[str, str]
    ) -> tuple[Step, ...]:
        """Return: take out again what was not there at all, or put back what was; else ()."""
        del copies
        wish, found = _spec(spec), _found(observation)
        if wish.ensure == "absent":
            return (_step(wish, found),) if found.ours == found.count else ()
        if not found.differing or any(item.what != "missing" for item in found.differing):
            return ()
        if len(found.differing) != found.count:
            return ()
        away = () if found.directory else (RemoveDirectory(wish.path),)
        return (_step(wish, found, remove=True), *away)


def _spec(spec: Spec) -> ArchiveSpec:
    return msgspec.convert(spec, ArchiveSpec)


def _found(observation: Observation | None) -> ArchiveObservation:
    if not isinstance(observation, ArchiveObservation):
        raise TypeError(f"archive was handed {type(observation).__name__}")
    return observation


def _digest(wish: ArchiveSpec) -> str | None:
    if wish.sha256 is None and wish.source.startswith("artifact:"):
        return wish.source.removeprefix("artifact:")
    return wish.sha256


def _check_address(wish: ArchiveSpec) -> list[SpecProblem]:
    digest = _digest(wish)
    found = check_source(wish.source, digest or "0" * 64)
    problems = [problem for problem in found if problem.field == "source"]
    if digest is None and not problems:
        message = "what comes from elsewhere needs its `sha256`"
        problems.append(SpecProblem("sha256", message, "as `sha256sum` prints it"))
    return problems


def _members(wish: ArchiveSpec, digest: str, ports: Ports) -> tuple[Member, ...]:
    strip = wish.strip or 0
    members = archive_files.known(digest, strip)
    if members is not None:
        return members
    data = archive_bytes(wish.source, digest, ports)
    try:
        return archive_files.manifest(data, digest, strip)
    except ArchiveError as error:
        raise PortError(f"{wish.source}: {error}") from error


def _step(wish: ArchiveSpec, found: ArchiveObservation, *, remove: bool = False) -> Unpack:
    return Unpack(
        wish.source,
        found.digest,
        wish.path,
        wish.strip or 0,
        tuple(item.path for item in found.differing),
        mode_bits(wish.mode),
        wish.owner,
        wish.group,
        remove=remove,
    )


def _changes(found: ArchiveObservation) -> tuple[Change, ...]:
    changes = [Change(item.path, item.what, "unpacked") for item in found.differing[:_NAMED]]
    more = len(found.differing) - _NAMED
    if more > 0:
        changes.append(Change("members", f"{more} more differ", "unpacked"))
    return tuple(changes)
