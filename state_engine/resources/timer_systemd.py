"""The kind `timer-systemd`: a timer's unit file, and whether it is enabled and waiting."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import CapturedStream, Change, TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import Ports
from state_engine.resources.contract import (
    Context,
    Difference,
    Observation,
    RemoveFile,
    RestoreFile,
    Spec,
    SpecProblem,
    Step,
    Undo,
    WriteFile,
)
from state_engine.resources.parts import systemd_text as text
from state_engine.resources.parts import systemd_units as units
from state_engine.resources.parts.systemd_units import UnitLook, systemctl
from state_engine.resources.parts.unix_paths import mode_text

TARGET = "timers.target"
Seconds = Annotated[int, Meta(ge=0, le=31_622_400)]


class TimerSystemdSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A timer of systemd: its unit file in /etc/systemd/system, enabled, and waiting.

    It starts the service of the same name unless `unit` says otherwise. A timer whose file changed
    is restarted if `running` is true. No longer desired: a timer that we created is stopped,
    disabled and deleted; what it starts stays as it is.
    """

    name: Annotated[str, Meta(description="The unit's name without `.timer`.", examples=["backup"])]
    description: Annotated[
        str | None, Meta(description="One line for people.", examples=["Backs up"])
    ] = None
    on_calendar: Annotated[
        list[str] | None,
        Meta(description="When, as systemd.time(7) writes it.", examples=[["*-*-* 03:00:00"]]),
    ] = None
    on_boot: Annotated[Seconds | None, Meta(description="Seconds after the boot.")] = None
    every: Annotated[
        Seconds | None, Meta(description="Seconds after its unit was last started.")
    ] = None
    randomized_delay: Annotated[
        Seconds | None, Meta(description="Up to so many seconds later, by chance.")
    ] = None
    persistent: Annotated[
        bool | None, Meta(description="Whether a time missed while off is made up for.")
    ] = None
    unit: Annotated[
        str | None, Meta(description="What it starts, with its suffix.", examples=["b.service"])
    ] = None
    enabled: Annotated[
        bool | None, Meta(description="Whether it waits after each boot (timers.target).")
    ] = None
    running: Annotated[bool | None, Meta(description="Whether it waits now.")] = None
    ensure: Annotated[
        Literal["present", "absent"] | None,
        Meta(description="`absent`: stopped, disabled, deleted, with a copy kept."),
    ] = None


class TimerObservation(msgspec.Struct, frozen=True):
    """A timer as found; `bound` is the part that a decision binds."""

    look: UnitLook
    bound: dict[str, Json]

    @property
    def captured(self) -> CapturedStream | None:
        """Looking runs nothing of a module."""
        return None

    def state(self) -> Json:
        """Return what would be lost: the file that is replaced, what is stopped or disabled."""
        return self.bound


class TimerSystemd:
    """Timers of systemd."""

    name = "timer-systemd"
    spec_type: type[msgspec.Struct] = TimerSystemdSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def __init__(self, root: str = "/") -> None:
        self._root = root

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of the name, and of times and values that no unit can hold."""
        timer = _spec(spec)
        problems = text.check_name("name", timer.name, ".timer")
        if timer.description is not None:
            problems += text.check_bare("description", timer.description, "the description")
        if timer.unit is not None:
            problems += text.check_unit("unit", timer.unit)
            if not timer.unit.endswith(text.SUFFIXES):
                problems.append(SpecProblem("unit", f"`{timer.unit}` lacks its suffix"))
        for when in timer.on_calendar or ():
            problems += text.check_bare("on_calendar", when, "a time")
            if not when or "%" in when:
                problems.append(SpecProblem("on_calendar", f"`{when}` is not a time"))
        when_at_all = (timer.on_calendar or None, timer.on_boot, timer.every)
        if timer.ensure == "absent":
            if timer.enabled is not None or timer.running is not None:
                message = "`ensure: absent` stops, disables and deletes it"
                problems.append(SpecProblem("ensure", message, "leave the other fields out"))
        elif all(value is None for value in when_at_all):
            message = "a timer needs `on_calendar`, `on_boot` or `every`"
            problems.append(SpecProblem("on_calendar", message))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the name."""
        del resource_id
        name = spec.get("name")
        return name if isinstance(name, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the unit file, its link for the boot, and the sign that it waits."""
        return units.watched(self._root, _unit(_spec(spec)), TARGET)

    def runs_code(self, spec: Spec) -> bool:
        """Asking systemd runs nothing of a module."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """Only systemd can tell."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> TimerObservation:
        """Return what systemd and the disk say of the timer."""
        del verify
        timer = _spec(spec)
        absent = timer.ensure == "absent"
        asked = absent or timer.enabled is not None
        found = units.look(ports, self._root, _unit(timer), enablement=asked)
        content = "" if found.text is None else hashlib.sha256(found.text.encode()).hexdigest()
        mode = None if found.stat is None else found.stat.mode
        bound: dict[str, Json] = {"place": found.place, "text": content, "mode": mode}
        if absent or timer.running is False:
            bound["running"] = found.running
        if absent or timer.enabled is False:
            bound["enabled"] = found.enabled
        return TimerObservation(found, bound)

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update, none; error for a mask, or a timer that a package brings."""
        timer, found = _spec(spec), _found(observation)
        unit = _unit(timer)
        if found.masked:
            return Difference("error", message=f"{unit} is masked; run systemctl unmask {unit}")
        if found.place not in {None, "file"}:
            return Difference("error", message=f"the file of {unit} is a {found.place}")
        if timer.ensure == "absent":
            if found.vendor:
                return Difference("error", message=f"{unit} comes with a package; remove that")
            changes = _leaving(found)
        else:
            changes = _wanted(timer, found)
        if not changes:
            if found.load in units.BAD:
                message = f"systemd refuses {unit}: {found.load}; see systemctl status {unit}"
                return Difference("error", message=message)
            return Difference("none")
        create = found.place is None and timer.ensure != "absent"
        note = f"{unit} is {found.active}; {found.log}" if context.acted and found.log else None
        return Difference("create" if create else "update", changes, note)

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what to do, in the order in which systemd needs it."""
        if difference.action not in {"create", "update"}:
            return ()
        timer = _spec(spec)
        unit = _unit(timer)
        path = units.unit_path(self._root, unit)
        changes = {change.field: change for change in difference.changes}
        steps: list[Step] = []
        if difference.action == "create" or "unit" in changes or "mode" in changes:
            content = render(timer).encode()
            steps.append(WriteFile(path, content, units.UNIT_MODE, "root", "root"))
        if difference.action == "create" or changes.keys() & {"unit", "mode", "loaded"}:
            steps.append(systemctl("daemon-reload"))
        if (change := changes.get("enabled")) is not None:
            verb = "enable" if change.desired == "enabled" else "disable"
            steps.append(systemctl(verb, unit=unit))
        if (change := changes.get("running")) is not None:
            if change.desired == "active":
                steps += units.started(unit, change.current or "")
            else:
                steps.append(systemctl("stop", unit=unit))
        elif "restart" in changes:
            steps += [systemctl("restart", unit=unit), systemctl("is-active", unit=unit)]
        if "ensure" in changes:
            steps += [RemoveFile(path, backup=True), systemctl("daemon-reload")]
        return tuple(steps)

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: take away the timer that we created, restore the file that we replaced."""
        timer, found = _spec(spec), _found(observation)
        unit = _unit(timer)
        path = units.unit_path(self._root, unit)
        reload = systemctl("daemon-reload")
        if timer.ensure == "absent":
            return Undo(message="nothing to take back: it was wished away")
        if found.place is None:
            return Undo(message="already gone")
        if found.place != "file":
            return Undo(message=f"kept: its file is a {found.place} now")
        if applied.created:
            stop = (systemctl("stop", unit=unit),) if found.running else ()
            remove = RemoveFile(path, backup=found.text != render(timer))
            message = "stop and disable it, and delete its unit file"
            disable = systemctl("disable", unit=unit)
            return Undo((*stop, disable, remove, reload), message=message)
        if applied.pre_image is not None:
            restore = RestoreFile(
                path, applied.pre_image, applied.pre_mode, applied.pre_uid, applied.pre_gid
            )
            return Undo((restore, reload), message="restore the unit file that was there before")
        return Undo(message="kept as it is: it was so before us")


def render(timer: TimerSystemdSpec) -> str:
    """Return the unit file; equal specifications give equal bytes."""
    lines = [f"# Written by Standfast (timer-systemd {timer.name}). Changes made here are drift."]
    lines.append("[Unit]")
    if timer.description:
        lines.append(f"Description={text.specifiers_escaped(timer.description)}")
    persistent = None if timer.persistent is None else "yes" if timer.persistent else "no"
    settings = (
        *(("OnCalendar", when) for when in timer.on_calendar or ()),
        ("OnBootSec", timer.on_boot),
        ("OnUnitActiveSec", timer.every),
        ("RandomizedDelaySec", timer.randomized_delay),
        ("Persistent", persistent),
        ("Unit", timer.unit),
    )
    lines += ["", "[Timer]"]
    lines += [f"{key}={value}" for key, value in settings if value is not None]
    return "\n".join([*lines, "", "[Install]", f"WantedBy={TARGET}", ""])


def _spec(spec: Spec) -> TimerSystemdSpec:
    return msgspec.convert(spec, TimerSystemdSpec)


def _unit(timer: TimerSystemdSpec) -> str:
    return f"{timer.name}.timer"


def _found(observation: Observation | None) -> UnitLook:
    if not isinstance(observation, TimerObservation):
        raise TypeError(f"timer-systemd was handed {type(observation).__name__}")
    return observation.look


def _leaving(found: UnitLook) -> tuple[Change, ...]:
    changes: list[Change] = []
    if found.running:
        changes.append(Change("running", found.active, "inactive"))
    if found.enabled:
        changes.append(Change("enabled", found.enablement, "disabled"))
    if found.place is not None:
        changes.append(Change("ensure", "present", "absent"))
    return tuple(changes)


def _wanted(timer: TimerSystemdSpec, found: UnitLook) -> tuple[Change, ...]:
    changes: list[Change] = []
    new = found.place is None
    if found.text != render(timer):
        shown = None if new else " ".join(_times(found.text or "")) or "other lines"
        changes.append(Change("unit", shown, " ".join(_times(render(timer)))))
    elif found.outdated:
        changes.append(Change("loaded", "an older version", "the unit as it is on disk"))
    if found.stat is not None and (found.stat.mode, found.stat.uid) != (units.UNIT_MODE, 0):
        owner = f"{mode_text(found.stat.mode)} of {found.stat.uid}"
        changes.append(Change("mode", owner, f"{mode_text(units.UNIT_MODE)} of root"))
    # A link for the boot may wait for a timer that is about to appear.
    wrong = not found.enabled if timer.enabled else new or found.enablement not in units.NOT_ENABLED
    if timer.enabled is not None and wrong:
        desired = "enabled" if timer.enabled else "disabled"
        changes.append(Change("enabled", found.enablement or None, desired))
    if timer.running is not None and timer.running != found.running:
        desired = "active" if timer.running else "inactive"
        changes.append(Change("running", found.active or None, desired))
    elif timer.running and found.text != render(timer):
        changes.append(Change("restart", None, "run, for its times have changed"))
    return tuple(changes)


def _times(content: str) -> list[str]:
    """Return the settings of [Timer] as the file writes them."""
    parsed = text.parse(content)
    return [
        f"{key}={value}"
        for (section, key), values in parsed.items()
        if section == "Timer"
        for value in values
    ]
