"""The kind `service-systemd`: a service's unit file, and whether it is enabled, running, masked.

Written or adopted. The unit file's text is `service_unit_file`; talking to systemd `systemd_units`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

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
from state_engine.resources.parts import service_unit_file as unit_file
from state_engine.resources.parts import systemd_units as units
from state_engine.resources.parts.service_unit_file import ServiceSystemdSpec
from state_engine.resources.parts.systemd_units import UnitLook, systemctl
from state_engine.resources.parts.unix_paths import mode_text

# The one service that cannot wait for its own restart: the apply runs in it.
_OURSELVES = "standfast-agent"
# Changes that are no part of the unit file.
_CONDUCT = frozenset({"loaded", "enabled", "running", "masked", "reload", "restart", "ensure"})


class ServiceObservation(msgspec.Struct, frozen=True):
    """A service as found; `bound` is the part that a decision binds."""

    look: UnitLook
    bound: dict[str, Json]

    @property
    def captured(self) -> CapturedStream | None:
        """Looking runs nothing of a module."""
        return None

    def state(self) -> Json:
        """Return what could be lost: the file that is replaced, what is stopped or disabled.

        How far the host is already on its way to what was approved is no part of it: the package
        that brings the unit, or a person, may start it between the plan and the apply.
        """
        return self.bound


class ServiceSystemd:
    """Services of systemd."""

    name = "service-systemd"
    spec_type: type[msgspec.Struct] = ServiceSystemdSpec
    trigger_fields: Mapping[str, TriggerKind] = {"reload_on": "reload", "restart_on": "restart"}
    idempotent = True

    def __init__(self, root: str = "/") -> None:
        self._root = root

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of the name, of values that no unit can hold, of wishes that collide."""
        return unit_file.check(_spec(spec))

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the name."""
        del resource_id
        name = spec.get("name")
        return name if isinstance(name, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the unit file, its link for the boot, and the sign that it runs."""
        return units.watched(self._root, _unit(_spec(spec)))

    def runs_code(self, spec: Spec) -> bool:
        """Asking systemd runs nothing of a module."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """Only systemd can tell."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> ServiceObservation:
        """Return what systemd and the disk say of the unit."""
        del verify
        service = _spec(spec)
        absent = service.ensure == "absent"
        asked = absent or service.enabled is not None or service.masked is not None
        found = units.look(ports, self._root, _unit(service), enablement=asked)
        bound: dict[str, Json] = {"masked": found.masked}
        if absent or service.exec_start is not None:
            bound["unit"] = _fingerprint(found)
        if absent or service.running is False:
            bound["running"] = found.running
        if absent or service.enabled is False:
            bound["enabled"] = found.enabled
        return ServiceObservation(found, bound)

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update, none; error for what systemd cannot do with this unit."""
        service, found = _spec(spec), _found(observation)
        absent = service.ensure == "absent"
        triggered = found.running and bool(context.triggers)
        error = _refusal(service, found, triggered=triggered)
        if error is not None:
            return Difference("error", message=error)
        changes = _leaving(found) if absent else _wanted(service, found, context)
        if not changes and service.exec_start is not None and found.load in units.BAD:
            return Difference("error", message=_bad(_unit(service), found))
        if not changes:
            return Difference("none")
        if (error := _no_reload(service, found, changes)) is not None:
            return Difference("error", message=error)
        create = service.exec_start is not None and found.place is None and not absent
        note: str | None = None
        if not found.known and service.exec_start is None:
            note = "there is no such unit yet; something that this depends on has to bring it"
        if context.acted and service.running and not found.running:
            note = _last_words(_unit(service), found)
        return Difference("create" if create else "update", changes, note)

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what to do, in the order in which systemd needs it."""
        if difference.action not in {"create", "update"}:
            return ()
        service = _spec(spec)
        unit = _unit(service)
        changes = {change.field: change for change in difference.changes}
        steps: list[Step] = []
        if (change := changes.get("masked")) and change.desired == "false":
            steps.append(systemctl("unmask", unit=unit))
        if difference.action == "create" or changes.keys() - _CONDUCT:
            path = units.unit_path(self._root, unit)
            content = unit_file.render(service).encode()
            steps += [
                WriteFile(path, content, units.UNIT_MODE, "root", "root"),
                systemctl("daemon-reload"),
            ]
        elif "loaded" in changes:
            steps.append(systemctl("daemon-reload"))
        if (change := changes.get("enabled")) is not None:
            steps.append(_enablement(unit, change))
        steps += _conduct(unit, changes)
        if "ensure" in changes:
            path = units.unit_path(self._root, unit)
            steps += [RemoveFile(path, backup=True), systemctl("daemon-reload")]
        if (change := changes.get("masked")) and change.desired == "true":
            steps.append(systemctl("mask", unit=unit))
        return tuple(steps)

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: take away the unit that we created, restore what we overwrote, else nothing."""
        service, found = _spec(spec), _found(observation)
        unit = _unit(service)
        path = units.unit_path(self._root, unit)
        reload = systemctl("daemon-reload")
        if service.ensure == "absent":
            return Undo(message="nothing to take back: it was wished away")
        if found.place not in {None, "file"}:
            return Undo(message="kept: something else stands in the place of its unit file now")
        if applied.created:
            return _taken_away(service, found, path)
        if applied.pre_image is not None and found.place == "file":
            restore = RestoreFile(
                path, applied.pre_image, applied.pre_mode, applied.pre_uid, applied.pre_gid
            )
            change = Change("unit", "ours", "as it was before")
            message = "restore the unit file that was there before; what runs is left to run"
            return Undo((restore, reload), (change,), message)
        return Undo(message="kept as it is: the unit was there before us")


def _spec(spec: Spec) -> ServiceSystemdSpec:
    return msgspec.convert(spec, ServiceSystemdSpec)


def _unit(service: ServiceSystemdSpec) -> str:
    return f"{service.name}.service"


def _found(observation: Observation | None) -> UnitLook:
    if not isinstance(observation, ServiceObservation):
        raise TypeError(f"service-systemd was handed {type(observation).__name__}")
    return observation.look


def _fingerprint(found: UnitLook) -> Json:
    if found.stat is None:
        return None
    text = "" if found.text is None else hashlib.sha256(found.text.encode()).hexdigest()
    return {"type": found.stat.type, "mode": found.stat.mode, "uid": found.stat.uid, "text": text}


def _refusal(service: ServiceSystemdSpec, found: UnitLook, *, triggered: bool) -> str | None:
    """Return why what is wished cannot be done on this host as it is."""
    unit = _unit(service)
    starts = bool(service.exec_start or service.enabled or service.running) or triggered
    if found.masked:
        if service.ensure == "absent":
            return f"{unit} is masked, which is as good as absent; or run systemctl unmask {unit}"
        if service.exec_start and found.place == "symlink":
            return f"{unit} is masked where its unit file would stand; run systemctl unmask {unit}"
        if starts and service.masked is None:
            return (
                f"{unit} is masked, so that nothing may start it; `masked: false` takes that back"
            )
        return None
    if found.place not in {None, "file"} and (service.exec_start or service.ensure == "absent"):
        return f"the unit file of {unit} is a {found.place}, not a regular file; move it away"
    if service.ensure == "absent":
        if found.vendor:
            return f"{unit} comes with a package; remove the package, or use `masked: true`"
        return None
    if service.masked and found.place is not None:
        return f"{unit} has a unit file in /etc/systemd/system, which a mask cannot replace"
    if service.exec_start is None:
        return _refusal_of_adopted(service, found, unit)
    return None


def _refusal_of_adopted(service: ServiceSystemdSpec, found: UnitLook, unit: str) -> str | None:
    if service.enabled and found.enablement in {"static", "indirect", "generated", "transient"}:
        return f"{unit} is {found.enablement}: it has no [Install] section to enable it by"
    if service.running and found.type == "oneshot" and not found.remains:
        message = "is a oneshot that does not remain after it has run"
        return f"{unit} {message}; leave out `running`, or run it by a timer or a script"
    if found.load in units.BAD and not found.outdated:
        return _bad(unit, found)
    return None


def _last_words(unit: str, found: UnitLook) -> str:
    """Return how a unit ended that was left running."""
    state = f"{found.active} ({found.result})" if found.result else found.active
    words = f"; its last words: {found.log}" if found.log else ""
    return f"{unit} is {state}{words}"


def _bad(unit: str, found: UnitLook) -> str:
    return f"systemd refuses the unit file of {unit}: {found.load}; see systemctl status {unit}"


def _no_reload(
    service: ServiceSystemdSpec, found: UnitLook, changes: tuple[Change, ...]
) -> str | None:
    """Return why a reload that is due cannot be had."""
    fields = {change.field for change in changes}
    if "reload" not in fields:
        return None
    if service.exec_start is not None:
        # A unit that is ours says so itself, else a drop-in that is there already may.
        possible = found.can_reload and "exec_reload" not in fields
        possible = possible or service.exec_reload is not None
    else:
        # What systemd holds is not the unit on disk, or there is none yet: the reload will tell.
        possible = found.can_reload or found.outdated or found.masked or not found.known
    if possible:
        return None
    hint = "use `restart_on`" + (", or add `exec_reload`" if service.exec_start else "")
    return f"{_unit(service)} cannot be reloaded: it has no ExecReload=; {hint}"


def _leaving(found: UnitLook) -> tuple[Change, ...]:
    changes: list[Change] = []
    if found.running:
        changes.append(Change("running", found.active, "inactive"))
    if found.enabled:
        changes.append(Change("enabled", found.enablement, "disabled"))
    if found.place == "file":
        changes.append(Change("ensure", "present", "absent"))
    return tuple(changes)


def _wanted(service: ServiceSystemdSpec, found: UnitLook, context: Context) -> tuple[Change, ...]:
    changes: list[Change] = []
    if service.masked is not None and service.masked != found.masked:
        changes.append(Change("masked", _word(found.masked), _word(service.masked)))
    written = _unit_changes(service, found)
    changes += written
    conduct = _conduct_changes(service, found, context, {change.field for change in written})
    due = service.exec_start is not None or bool(conduct)
    if found.outdated and not written and due:
        changes.append(Change("loaded", "an older version", "the unit as it is on disk"))
    return (*changes, *conduct)


def _unit_changes(service: ServiceSystemdSpec, found: UnitLook) -> list[Change]:
    if service.exec_start is None:
        return []
    current = "" if found.masked else found.text or ""
    changes = list(unit_file.differences(current, unit_file.render(service)))
    if found.stat is not None and found.stat.type == "file":
        if found.stat.mode != units.UNIT_MODE:
            changes.append(Change("mode", mode_text(found.stat.mode), mode_text(units.UNIT_MODE)))
        if (found.stat.uid, found.stat.gid) != (0, 0):
            changes.append(Change("owner", f"{found.stat.uid}:{found.stat.gid}", "root:root"))
    return changes


def _conduct_changes(
    service: ServiceSystemdSpec, found: UnitLook, context: Context, written: set[str]
) -> list[Change]:
    changes: list[Change] = []
    if service.enabled is not None and service.enabled != _is_enabled(service, found):
        changes.append(
            Change(
                "enabled", found.enablement or None, "enabled" if service.enabled else "disabled"
            )
        )
    if service.running is not None and service.running != found.running:
        desired = "active" if service.running else "inactive"
        changes.append(Change("running", found.active or None, desired))
        return changes
    known = found.known or service.exec_start is not None
    unfinished = unit_file.changed_since(None if context.acted else context.left, service)
    if service.running is False or (known and not found.running):
        return changes  # what does not run reads everything anew when it is started
    when = "run" if known else "run, once the unit is there"
    if "restart" in context.triggers:
        changes.append(Change("restart", None, when))
    elif service.running and (written | unfinished) & unit_file.RESTARTING:
        changes.append(Change("restart", None, "run, for what it runs has changed"))
    elif "reload" in context.triggers:
        changes.append(Change("reload", None, when))
    return changes


def _is_enabled(service: ServiceSystemdSpec, found: UnitLook) -> bool:
    if service.enabled:
        return found.enabled
    # A link for the boot may wait for a unit that is about to appear, or to be unmasked.
    if not found.known:
        return service.exec_start is not None
    if found.masked and service.masked is False:
        return True
    return found.enablement not in units.NOT_ENABLED


def _conduct(unit: str, changes: Mapping[str, Change]) -> tuple[Step, ...]:
    change = changes.get("running")
    if change is not None and change.desired == "active":
        return units.started(unit, change.current or "")
    if change is not None:
        return (systemctl("stop", unit=unit),)
    if "restart" in changes:
        if unit == f"{_OURSELVES}.service":
            return (systemctl("restart", "--no-block", unit=unit),)
        return (systemctl("restart", unit=unit), systemctl("is-active", unit=unit))
    if "reload" in changes:
        return (systemctl("reload", unit=unit),)
    return ()


def _enablement(unit: str, change: Change) -> Step:
    if change.desired == "enabled":
        return systemctl("enable", unit=unit)
    runtime = ("--runtime",) if (change.current or "").endswith("-runtime") else ()
    return systemctl("disable", *runtime, unit=unit)


def _taken_away(service: ServiceSystemdSpec, found: UnitLook, path: str) -> Undo:
    unit = _unit(service)
    if found.place is None:
        return Undo(message="already gone")
    reload = systemctl("daemon-reload")
    ours = service.exec_start is not None and found.text == unit_file.render(service)
    remove = RemoveFile(path, backup=not ours)
    copy = "" if ours else ", keeping a copy"
    if found.vendor:
        again = (systemctl("try-restart", unit=unit),)
        message = f"delete our unit file{copy}; the one that a package brings takes its place"
        return Undo((remove, reload, *again), message=message)
    end: tuple[Step, ...] = ()
    if found.active == "failed":
        end = (systemctl("reset-failed", unit=unit),)
    elif found.active != "inactive":
        end = (systemctl("stop", unit=unit),)
    disable = systemctl("disable", unit=unit)
    message = f"stop and disable it, and delete its unit file{copy}"
    return Undo((*end, disable, remove, reload), message=message)


def _word(value: bool) -> str:
    return "true" if value else "false"
