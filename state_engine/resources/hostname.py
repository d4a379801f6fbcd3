"""The kind `hostname`: the host's own name, now and after the next boot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.reports import Action, Change, TriggerKind
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
    WriteFile,
)
from state_engine.resources.parts import kept_and_live as both
from state_engine.resources.parts.kept_and_live import KeptAndLive

MAX_NAME = 64  # HOST_NAME_MAX of Linux
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


class HostnameSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The host's name: /etc/hostname, and the name of the running kernel.

    /etc/hosts is not touched (`hosts-entry` does that). No longer desired: the host keeps its name.
    """

    name: Annotated[
        str, Meta(description="Letters, digits, `-`, dots between.", examples=["web-1"])
    ]


class Hostname:
    """The host's name."""

    name = "hostname"
    spec_type: type[msgspec.Struct] = HostnameSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def __init__(self, root: str = "/") -> None:
        self._path = f"{root}etc/hostname"
        self._proc = f"{root}proc/sys/kernel/hostname"

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of the name."""
        name = _spec(spec).name
        if len(name) <= MAX_NAME and all(_LABEL.fullmatch(label) for label in name.split(".")):
            return []
        hint = f"at most {MAX_NAME} letters, digits and `-`, dots between"
        return [SpecProblem("name", f"`{name}` is not a host's name", hint)]

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return one word: a host has one name."""
        del resource_id
        return "hostname" if isinstance(spec.get("name"), str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the file; the kernel tells nobody of a changed name."""
        del spec
        return (self._path,)

    def runs_code(self, spec: Spec) -> bool:
        """Looking runs nothing."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """Two places have to be looked at."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> KeptAndLive:
        """Return what the file and the kernel say."""
        del spec, verify
        return KeptAndLive(
            both.look_at(ports, self._path), both.said_by_kernel(ports, self._proc)
        )  # fmt: skip

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update, none; error if something else stands in the file's place."""
        del context
        name, found = _spec(spec).name, both.found_in(observation, self.name)
        if found.kept.problem is not None:
            return Difference("error", message=found.kept.problem)
        written = _first(found.kept.text)
        if written == found.live == name:
            return Difference("none")
        current = written if written == found.live else f"file: {written}; running: {found.live}"
        action: Action = "create" if found.kept.type is None else "update"
        return Difference(action, (Change("name", current, name),))

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return the file and the running kernel's name; each is the same when done twice."""
        if difference.action not in {"create", "update"}:
            return ()
        name = _spec(spec).name
        file = WriteFile(self._path, f"{name}\n".encode(), both.FILE_MODE, "root", "root")
        # The system call works in places where /proc/sys may not be written, as in a container.
        call = ProgramCall(("hostname", name), timeout=30.0)
        return (file, RunScript(call, "apply"))

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return nothing to do."""
        del spec, observation, applied
        return Undo(message="kept: the host keeps its name")


def _spec(spec: Spec) -> HostnameSpec:
    return msgspec.convert(spec, HostnameSpec)


def _first(text: str | None) -> str | None:
    """Return the name that hostname(5) finds: the first line that is no comment."""
    lines = [line.strip() for line in (text or "").splitlines()]
    return next((line for line in lines if line and not line.startswith("#")), None)
