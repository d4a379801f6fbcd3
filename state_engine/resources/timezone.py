"""The kind `timezone`: what the host's local time is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import CapturedStream, Change, TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import FileType, Ports, ProgramCall
from state_engine.resources.contract import (
    Context,
    Difference,
    MakeSymlink,
    Observation,
    RemoveFile,
    RunScript,
    Spec,
    SpecProblem,
    Step,
    Undo,
    WriteFile,
)
from state_engine.resources.parts import kept_and_live as both
from state_engine.resources.parts.kept_and_live import Kept

_ZONES = "usr/share/zoneinfo"
_NAME = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,3}")
MAX_NAME = 100


class TimezoneSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The host's time zone: where /etc/localtime leads, and /etc/timezone where there is one.

    Running programs may go on with the old zone until they are restarted. No longer desired: the
    host keeps its zone.
    """

    name: Annotated[
        str, Meta(description="As in /usr/share/zoneinfo.", examples=["Europe/Berlin", "UTC"])
    ]


class ZoneObservation(msgspec.Struct, frozen=True):
    """The link and the file as found; `there`: the host has the desired zone's data."""

    type: FileType | None
    target: str | None
    kept: Kept
    there: bool

    @property
    def captured(self) -> CapturedStream | None:
        """Looking runs nothing."""
        return None

    def state(self) -> Json:
        """Return what a decision binds: what is replaced."""
        return {"type": self.type, "target": self.target, "file": self.kept.text}


class Timezone:
    """The host's time zone."""

    name = "timezone"
    spec_type: type[msgspec.Struct] = TimezoneSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def __init__(self, root: str = "/") -> None:
        self._root = root
        self._link = f"{root}etc/localtime"
        self._file = f"{root}etc/timezone"

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of the name."""
        name = _spec(spec).name
        if _NAME.fullmatch(name) and len(name) <= MAX_NAME and not name.startswith("-"):
            return []
        hint = "write it as /usr/share/zoneinfo has it, for example Europe/Berlin"
        return [SpecProblem("name", f"`{name}` is not a time zone's name", hint)]

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return one word: a host has one zone."""
        del resource_id
        return "timezone" if isinstance(spec.get("name"), str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the link and the file."""
        del spec
        return (self._link, self._file)

    def runs_code(self, spec: Spec) -> bool:
        """Looking runs nothing."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """Where a link leads takes more than a glance."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> ZoneObservation:
        """Return where the link leads, and what the file says."""
        del verify
        stat = ports.files.stat(self._link)
        link = stat is not None and stat.type == "symlink"
        return ZoneObservation(
            None if stat is None else stat.type,
            ports.files.read_link(self._link) if link else None,
            both.look_at(ports, self._file),
            ports.files.stat(self._zone(_spec(spec).name)) is not None,
        )

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return update or none; error for a directory in the link's place."""
        del context
        name, found = _spec(spec).name, _found(observation)
        if found.type in {"directory", "other"}:
            return Difference("error", message=f"{self._link} is a {found.type}; move it away")
        if found.kept.problem is not None:
            return Difference("error", message=found.kept.problem)
        changes: list[Change] = []
        current = _zone_of(found.target)
        if current != name:
            changes.append(Change("name", current or found.target, name))
        if found.type == "file":
            changes.append(Change("localtime", "a copy of some zone", "a link, with a copy kept"))
        if found.kept.text is not None and found.kept.text.strip() != name:
            changes.append(Change("timezone", found.kept.text.strip()[:MAX_NAME], name))
        note = None if found.there else "this host has no such zone yet: tzdata has to bring it"
        if not changes:
            # A link that leads nowhere means UTC, whatever its name.
            return Difference("none") if found.there else Difference("error", message=note)
        return Difference("update", tuple(changes), note)

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return the look whether there is such a zone, the link, and the file where it is due."""
        if difference.action != "update":
            return ()
        name = _spec(spec).name
        fields = {change.field for change in difference.changes}
        there = ProgramCall(("test", "-e", self._zone(name)), timeout=30.0)
        steps: list[Step] = [RunScript(there, "apply")]
        if "localtime" in fields:
            steps.append(RemoveFile(self._link, backup=True))
        if fields & {"name", "localtime"}:
            steps.append(MakeSymlink(self._link, self._zone(name), "root", "root"))
        if "timezone" in fields:
            content = f"{name}\n".encode()
            steps.append(WriteFile(self._file, content, both.FILE_MODE, "root", "root"))
        return tuple(steps)

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return nothing to do."""
        del spec, observation, applied
        return Undo(message="kept: the host keeps its zone")

    def _zone(self, name: str) -> str:
        return f"{self._root}{_ZONES}/{name}"


def _spec(spec: Spec) -> TimezoneSpec:
    return msgspec.convert(spec, TimezoneSpec)


def _found(observation: Observation | None) -> ZoneObservation:
    if not isinstance(observation, ZoneObservation):
        raise TypeError(f"timezone was handed {type(observation).__name__}")
    return observation


def _zone_of(target: str | None) -> str | None:
    """Return the zone that a link's target names, written absolute or relative."""
    _, marker, name = (target or "").partition("share/zoneinfo/")
    return name if marker else None
