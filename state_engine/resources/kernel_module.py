"""The kind `kernel-module`: a module of the kernel, loaded now and at the next boot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.reports import Change, TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import Ports, ProgramCall
from state_engine.resources.contract import (
    Context,
    Difference,
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
from state_engine.resources.parts.kept_and_live import KeptAndLive

LOADED, BUILT_IN = "loaded", "built in"
# /proc/modules and modules.builtin have a line per module: a few hundred KB at most.
MAX_LIST = 4 * 1_048_576
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,55}")


class KernelModuleSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A module of the kernel: a file of its own in /etc/modules-load.d, and loaded right now.

    `ensure: absent` deletes the file and unloads the module (it may still be loaded on demand). No
    longer desired: the file that we made is deleted, and the module stays loaded.
    """

    name: Annotated[str, Meta(description="As modprobe takes it.", examples=["br_netfilter"])]
    ensure: Annotated[
        Literal["present", "absent"] | None, Meta(description="`absent`: unloaded.")
    ] = None


class KernelModule:
    """Modules of the kernel."""

    name = "kernel-module"
    spec_type: type[msgspec.Struct] = KernelModuleSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def __init__(self, root: str = "/") -> None:
        self._root = root

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of the name."""
        name = _spec(spec).name
        if _NAME.fullmatch(name):
            return []
        hint = "letters, digits, `_` and `-`"
        return [SpecProblem("name", f"`{name}` is not a kernel module's name", hint)]

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the name in the kernel's form, with `_`."""
        del resource_id
        name = spec.get("name")
        return name.replace("-", "_") if isinstance(name, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the file; the kernel tells nobody of a module that goes."""
        return (self._path(_spec(spec)),)

    def runs_code(self, spec: Spec) -> bool:
        """Looking runs nothing."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """Two places have to be looked at."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> KeptAndLive:
        """Return what the file says, and how the module stands in the kernel."""
        del verify
        item = _spec(spec)
        return KeptAndLive(both.look_at(ports, self._path(item)), self._live(item, ports))

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update, none; error for what the kernel holds for good."""
        del context
        item, found = _spec(spec), both.found_in(observation, self.name)
        kept = found.kept
        if kept.problem is not None:
            return Difference("error", message=kept.problem)
        changes: list[Change] = []
        if item.ensure == "absent":
            if found.live == BUILT_IN:
                message = f"{item.name} is built into this kernel and cannot be unloaded"
                return Difference("error", message=message)
            if kept.type is not None:
                changes.append(Change("at boot", "loaded", "not loaded"))
            if found.live is not None:
                changes.append(Change("now", "loaded", "not loaded"))
            return Difference("update" if changes else "none", tuple(changes))
        if kept.text != _content(item):
            changes.append(Change("at boot", "otherwise" if kept.type else None, "loaded"))
        if found.live is None:
            changes.append(Change("now", "not loaded", "loaded"))
        if not changes:
            return Difference("none")
        return Difference("create" if kept.type is None else "update", tuple(changes))

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return modprobe first: a module that there is none of must not wait for the boot."""
        if difference.action not in {"create", "update"}:
            return ()
        item = _spec(spec)
        absent = item.ensure == "absent"
        fields = {change.field for change in difference.changes}
        steps: list[Step] = []
        if "now" in fields:
            remove = ("--remove",) if absent else ()
            call = ProgramCall(("modprobe", *remove, "--", item.name), timeout=120.0)
            steps.append(RunScript(call, "apply"))
        if "at boot" in fields:
            path, content = self._path(item), _content(item).encode()
            file = WriteFile(path, content, both.FILE_MODE, "root", "root")
            steps.append(RemoveFile(path, backup=True) if absent else file)
        return tuple(steps)

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: delete or restore the file; what is loaded stays."""
        item, found = _spec(spec), both.found_in(observation, self.name)
        if item.ensure == "absent":
            return Undo(message="nothing to take back: it was wished away")
        return both.undo_file(found.kept, _content(item), applied, "the module stays loaded")

    def _path(self, item: KernelModuleSpec) -> str:
        return f"{self._root}etc/modules-load.d/{_word(item)}.conf"

    def _live(self, item: KernelModuleSpec, ports: Ports) -> str | None:
        word = _word(item)
        proc = f"{self._root}proc"
        if ports.files.stat(f"{proc}/modules") is not None:
            listed = ports.files.read(f"{proc}/modules", MAX_LIST).decode(errors="replace")
            if any(line.partition(" ")[0] == word for line in listed.splitlines()):
                return LOADED
        release = both.said_by_kernel(ports, f"{proc}/sys/kernel/osrelease")
        path = f"{self._root}lib/modules/{release}/modules.builtin"
        if release and ports.files.stat(path) is not None:
            listed = ports.files.read(path, MAX_LIST).decode(errors="replace")
            names = (line.rpartition("/")[2].partition(".")[0] for line in listed.splitlines())
            if any(name.replace("-", "_") == word for name in names):
                return BUILT_IN
        return None


def _spec(spec: Spec) -> KernelModuleSpec:
    return msgspec.convert(spec, KernelModuleSpec)


def _word(item: KernelModuleSpec) -> str:
    return item.name.replace("-", "_")


def _content(item: KernelModuleSpec) -> str:
    return f"# Written by Standfast.\n{_word(item)}\n"
