"""The kind `sysctl`: one parameter of the kernel, now and after the next boot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.reports import Action, Change, TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import Ports
from state_engine.resources.contract import (
    Context,
    Difference,
    Observation,
    RemoveFile,
    Spec,
    SpecProblem,
    Step,
    Undo,
    WriteFile,
)
from state_engine.resources.parts import kept_and_live as both
from state_engine.resources.parts.kept_and_live import KeptAndLive

MAX_VALUE = 1024
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.:/@-]{0,199}")


class SysctlSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A parameter of the kernel: a file of its own in /etc/sysctl.d, and its value right now.

    `ensure: absent` deletes the file. No longer desired: the file that we made is deleted. In both
    cases the running kernel keeps the value until the next boot.
    """

    key: Annotated[
        str,
        Meta(
            description="As sysctl.d(5) writes it; with a `/` first, dots stay as they are.",
            examples=["net.ipv4.ip_forward", "net/ipv4/conf/eth0.100/forwarding"],
        ),
    ]
    value: Annotated[
        str | int | None, Meta(description="White space counts once.", examples=[1])
    ] = None
    priority: Annotated[
        Annotated[int, Meta(ge=0, le=99)] | None,
        Meta(description="Begins the file's name; a later name wins. 60 if left out."),
    ] = None
    live: Annotated[
        bool | None, Meta(description="`false`: only the file, not the running kernel.")
    ] = None
    ensure: Annotated[
        Literal["present", "absent"] | None, Meta(description="`absent`: no file of ours.")
    ] = None


class Sysctl:
    """Parameters of the kernel."""

    name = "sysctl"
    spec_type: type[msgspec.Struct] = SysctlSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def __init__(self, root: str = "/") -> None:
        self._root = root

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of the key and of the value."""
        item = _spec(spec)
        problems: list[SpecProblem] = []
        parts = _parts(item.key)
        if not _KEY.fullmatch(item.key) or any(part in {"", ".", ".."} for part in parts):
            hint = "write it as sysctl does: net.ipv4.ip_forward"
            problems.append(SpecProblem("key", f"`{item.key}` is not a kernel parameter", hint))
        if item.ensure == "absent":
            return problems
        if item.value is None:
            problems.append(SpecProblem("value", "a present parameter needs a value"))
        elif isinstance(item.value, str) and (
            not item.value.strip()
            or len(item.value) > MAX_VALUE
            or not item.value.isascii()
            or not item.value.replace("\t", " ").isprintable()
        ):
            message = "the value is empty, too long, or holds more than printable ASCII"
            problems.append(SpecProblem("value", message))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the key in the one form that each parameter has."""
        del resource_id
        key = spec.get("key")
        return _plain(key) if isinstance(key, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the file; the kernel tells nobody of a changed value."""
        return (self._path(_spec(spec)),)

    def runs_code(self, spec: Spec) -> bool:
        """Looking runs nothing."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """Two places have to be looked at."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> KeptAndLive:
        """Return what the file and the kernel say."""
        del verify
        item = _spec(spec)
        live: str | None = None
        if item.live is not False and item.ensure != "absent":
            live = both.said_by_kernel(ports, self._proc(item))
        return KeptAndLive(both.look_at(ports, self._path(item)), live)

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update, none; error if something else stands in the file's place."""
        del context
        item, found = _spec(spec), both.found_in(observation, self.name)
        kept = found.kept
        if kept.problem is not None:
            return Difference("error", message=kept.problem)
        if item.ensure == "absent":
            gone = Change("ensure", "present", "absent")
            return Difference("none" if kept.type is None else "update", (gone,) * bool(kept.type))
        wanted = _value(item)
        lasting = kept.text == _content(item)
        running = item.live is False or found.live == wanted
        if lasting and running:
            return Difference("none")
        shown = [] if lasting else [f"file: {_in_file(kept.text)}"]
        if not running:
            shown.append(f"kernel: {'unknown' if found.live is None else found.live}")
        note = None
        if not running and found.live is None:
            note = "the kernel has no such parameter yet; a module may have to be loaded first"
        action: Action = "create" if kept.type is None else "update"
        return Difference(action, (Change("value", "; ".join(shown), wanted),), note)

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return the file and the write to the kernel; each is the same when done twice."""
        if difference.action not in {"create", "update"}:
            return ()
        item = _spec(spec)
        if item.ensure == "absent":
            return (RemoveFile(self._path(item), backup=True),)
        file = WriteFile(
            self._path(item), _content(item).encode(), both.FILE_MODE, "root", "root"
        )  # fmt: skip
        if item.live is False:
            return (file,)
        # The kernel first: a value that it refuses must not wait in a file for the next boot.
        return (both.tell_kernel(self._proc(item), _value(item)), file)

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: delete or restore the file; the running kernel keeps its value."""
        item, found = _spec(spec), both.found_in(observation, self.name)
        if item.ensure == "absent":
            return Undo(message="nothing to take back: it was wished away")
        rest = "the running kernel keeps the value"
        return both.undo_file(found.kept, _content(item), applied, rest)

    def _path(self, item: SysctlSpec) -> str:
        number = 60 if item.priority is None else item.priority
        name = _plain(item.key).replace("/", "-")
        return f"{self._root}etc/sysctl.d/{number:02}-{name}.conf"

    def _proc(self, item: SysctlSpec) -> str:
        return f"{self._root}proc/sys/{'/'.join(_parts(item.key))}"


def _spec(spec: Spec) -> SysctlSpec:
    return msgspec.convert(spec, SysctlSpec)


def _parts(key: str) -> list[str]:
    """Return the parts of a key: its first separator is the one that separates."""
    dot, slash = key.find("."), key.find("/")
    if slash >= 0 and (dot < 0 or slash < dot):
        return key.split("/")
    return [part.replace("/", ".") for part in key.split(".")]


def _plain(key: str) -> str:
    parts = _parts(key)
    return "/".join(parts) if any("." in part for part in parts) else ".".join(parts)


def _value(item: SysctlSpec) -> str:
    return " ".join(str(item.value).split())


def _content(item: SysctlSpec) -> str:
    return f"# Written by Standfast.\n{_plain(item.key)} = {_value(item)}\n"


def _in_file(text: str | None) -> str:
    lines = [] if text is None else [line for line in text.splitlines() if "=" in line]
    return lines[-1].partition("=")[2].strip() if lines else "nothing"
