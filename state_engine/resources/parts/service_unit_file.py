"""What `service-systemd` can be told, and the unit file that says it.

Pure text and values. What has to be done about a service is `service_systemd`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import Change
from state_engine.resources.contract import SpecProblem
from state_engine.resources.parts import systemd_text as text
from state_engine.resources.parts import systemd_units as units
from state_engine.resources.parts.unix_paths import check_account, check_path

_RESTART = {"always": "always", "on_failure": "on-failure", "never": "no"}
# A running service that differs in one of these is not the one that is described: start it anew.
RESTARTING = frozenset({"type", "exec_start", "user", "group", "working_directory", "environment"})


class ServiceSystemdSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A service of systemd; with `exec_start`, its unit file in /etc/systemd/system too.

    Without `exec_start` a unit that is there already is adopted: only whether it is enabled,
    running and masked is managed. A service whose unit now says otherwise what to run, or as whom,
    is restarted if `running` is true. Of a `oneshot` service, `running` means that it has run since
    the boot: its unit says `RemainAfterExit=yes`.

    No longer desired: a unit that we created is stopped, disabled and deleted; a unit file that we
    replaced gets its old content back; an adopted unit stays as it is.
    """

    name: Annotated[
        str, Meta(description="The unit's name without `.service`.", examples=["hello"])
    ]
    description: Annotated[
        str | None, Meta(description="One line for people.", examples=["Says hello"])
    ] = None
    type: Annotated[
        Literal["simple", "exec", "forking", "oneshot", "notify", "dbus", "idle"] | None,
        Meta(description="How systemd learns that it has started; `simple` if left out."),
    ] = None
    exec_start: Annotated[
        str | list[str] | None,
        Meta(
            description="What to run. A text is a command line in systemd's own syntax (quotes,"
            " `$VARIABLE`, `%i`); of a list, each entry is one argument, taken literally.",
            examples=["/usr/bin/hello --loud"],
        ),
    ] = None
    exec_reload: Annotated[
        str | list[str] | None,
        Meta(
            description="What makes it read its configuration again; without it, `reload_on` cannot"
            " work on a unit that is written here.",
            examples=["/bin/kill -HUP $MAINPID"],
        ),
    ] = None
    user: Annotated[str | None, Meta(description="Runs as this user.", examples=["hello"])] = None
    group: Annotated[str | None, Meta(description="Runs in this group.", examples=["hello"])] = None
    working_directory: Annotated[
        str | None, Meta(description="Absolute path.", examples=["/srv/hello"])
    ] = None
    environment: Annotated[
        dict[str, str] | None,
        Meta(
            description="Variables, written in the order of their names, taken literally. Every"
            " user of the host can read them.",
            examples=[{"PORT": "8080"}],
        ),
    ] = None
    restart: Annotated[
        Literal["always", "on_failure", "never"] | None,
        Meta(description="When systemd starts it again by itself."),
    ] = None
    dependencies: Annotated[
        list[str] | None,
        Meta(
            description="Units that it needs and is started after (`Requires=` and `After=`).",
            examples=[["network-online.target"]],
        ),
    ] = None
    enabled: Annotated[
        bool | None, Meta(description="Whether it starts with the host (multi-user.target).")
    ] = None
    running: Annotated[bool | None, Meta(description="Whether it runs.")] = None
    masked: Annotated[bool | None, Meta(description="Whether nothing at all may start it.")] = None
    ensure: Annotated[
        Literal["present", "absent"] | None,
        Meta(
            description="`absent`: stopped, disabled, and its unit file in /etc/systemd/system"
            " deleted, with a copy kept. A unit that a package brings is refused."
        ),
    ] = None
    reload_on: Annotated[
        list[str] | None,
        Meta(description="Ids whose change reloads it, if it runs.", examples=[["config"]]),
    ] = None
    restart_on: Annotated[
        list[str] | None,
        Meta(description="Ids whose change restarts it, if it runs.", examples=[["binary"]]),
    ] = None


def check(spec: ServiceSystemdSpec) -> list[SpecProblem]:
    """Return what types cannot say."""
    problems = text.check_name("name", spec.name, ".service")
    problems += _check_wishes(spec)
    if spec.exec_start is None:
        for field, value in _written(spec):
            if value is not None:
                message = f"`{field}` has no effect on a unit that is adopted"
                hint = "add `exec_start` to write the unit, or leave the field out"
                problems.append(SpecProblem(field, message, hint))
    return problems + _check_values(spec)


def render(spec: ServiceSystemdSpec) -> str:
    """Return the unit file; equal specifications give equal bytes."""
    lines = [f"# Written by Standfast (service-systemd {spec.name}). Changes made here are drift."]
    lines += ["[Unit]"]
    if spec.description:
        lines.append(f"Description={text.specifiers_escaped(spec.description)}")
    if spec.dependencies:
        names = " ".join(_with_suffix(unit) for unit in dict.fromkeys(spec.dependencies))
        lines += [f"After={names}", f"Requires={names}"]
    lines += ["", "[Service]"]
    folder = spec.working_directory
    reload, restart = spec.exec_reload, spec.restart
    settings = (
        ("Type", spec.type),
        ("RemainAfterExit", "yes" if spec.type == "oneshot" else None),
        ("User", spec.user),
        ("Group", spec.group),
        ("WorkingDirectory", None if folder is None else text.specifiers_escaped(folder)),
        *(
            ("Environment", text.assignment(name, value))
            for name, value in sorted((spec.environment or {}).items())
        ),
        ("ExecStart", _command(spec.exec_start or "")),
        ("ExecReload", None if reload is None else _command(reload)),
        ("Restart", None if restart is None else _RESTART[restart]),
    )
    lines += [f"{key}={value}" for key, value in settings if value is not None]
    return "\n".join([*lines, "", "[Install]", f"WantedBy={units.TARGET}", ""])


def changed_since(left: dict[str, Json] | None, service: ServiceSystemdSpec) -> set[str]:
    """Return the fields in which a unit differs from the one that the last whole apply left.

    Where the file says it all already, an apply ended before it could restart what runs.
    """
    if left is None or service.exec_start is None:
        return set()
    try:
        before = msgspec.convert(left, ServiceSystemdSpec)
    except msgspec.ValidationError:
        return set()  # applied by another version of the engine
    if before.exec_start is None or not before.running:
        return set()
    return {change.field for change in differences(render(before), render(service))}


def differences(current: str, desired: str) -> tuple[Change, ...]:
    """Return which fields two unit files differ in; a difference beyond them is called `unit`.

    Values are shown as the files write them. Of what no field stands for, only that it differs: it
    may hold what nobody has marked as a secret.
    """
    if current == desired:
        return ()
    old, new = text.parse(current), text.parse(desired)
    changes: dict[str, Change] = {}
    for place in dict.fromkeys((*new, *old)):
        before, after = old.get(place, ()), new.get(place, ())
        field = _FIELDS.get(place)
        if field is not None and field not in changes and before != after:
            shown, wished = " ".join(before), " ".join(after)
            changes[field] = Change(field, shown or None, wished or None)
    others = sorted(
        f"{key}=" for (section, key) in old.keys() ^ new.keys() if (section, key) not in _FIELDS
    )
    if current and (others or not changes):
        # Only the names of other settings: their values may hold what nobody marked as a secret.
        changes["unit"] = Change("unit", " ".join(others) or "other lines", "as described")
    return tuple(changes.values())


_FIELDS = {
    ("Unit", "Description"): "description",
    ("Unit", "After"): "dependencies",
    ("Unit", "Requires"): "dependencies",
    ("Service", "Type"): "type",
    ("Service", "RemainAfterExit"): "type",
    ("Service", "User"): "user",
    ("Service", "Group"): "group",
    ("Service", "WorkingDirectory"): "working_directory",
    ("Service", "Environment"): "environment",
    ("Service", "ExecStart"): "exec_start",
    ("Service", "ExecReload"): "exec_reload",
    ("Service", "Restart"): "restart",
}


def _written(spec: ServiceSystemdSpec) -> tuple[tuple[str, object], ...]:
    """Return the fields that only a unit file can say."""
    return (
        ("type", spec.type),
        ("exec_reload", spec.exec_reload),
        ("user", spec.user),
        ("group", spec.group),
        ("working_directory", spec.working_directory),
        ("environment", spec.environment),
        ("restart", spec.restart),
        ("dependencies", spec.dependencies),
    )


def _check_wishes(spec: ServiceSystemdSpec) -> list[SpecProblem]:
    problems: list[SpecProblem] = []
    if spec.masked:
        starts = (
            ("exec_start", spec.exec_start),
            ("enabled", spec.enabled),
            ("running", spec.running),
            ("reload_on", spec.reload_on),
            ("restart_on", spec.restart_on),
        )
        for field, value in starts:
            if value:
                message = f"`{field}` and `masked` exclude each other"
                problems.append(SpecProblem(field, message, "keep one of the two"))
    if spec.ensure == "absent":
        conduct = (spec.enabled, spec.running, spec.masked)
        others = (spec.exec_start, spec.reload_on, spec.restart_on)
        if any(value is not None for value in conduct) or any(others):
            message = "`ensure: absent` stops, disables and deletes it; the other fields say more"
            problems.append(SpecProblem("ensure", message, "keep only `name`"))
    if spec.type == "oneshot" and spec.restart == "always":
        message = "systemd does not restart a `oneshot` service that has ended well"
        problems.append(SpecProblem("restart", message, "use on_failure or never"))
    return problems


def _check_values(spec: ServiceSystemdSpec) -> list[SpecProblem]:
    problems: list[SpecProblem] = []
    if spec.description is not None:
        problems += text.check_bare("description", spec.description, "the description")
    for field, command in (("exec_start", spec.exec_start), ("exec_reload", spec.exec_reload)):
        problems += _check_command(field, command)
    for field, account in (("user", spec.user), ("group", spec.group)):
        found = check_account(field, account)
        # Names of a directory service may hold backslashes, but none at the end of a line.
        problems += found or text.check_bare(field, account or "", "the name")
    if spec.working_directory is not None:
        what = "the directory"
        if spec.working_directory != "/":
            problems += check_path("working_directory", spec.working_directory)
        problems += text.check_bare("working_directory", spec.working_directory, what)
    for name, value in (spec.environment or {}).items():
        problems += text.check_variable("environment", name)
        problems += text.check_value("environment", value, f"the value of `{name}`")
    for unit in spec.dependencies or ():
        problems += text.check_unit("dependencies", unit)
    return problems


def _check_command(field: str, command: str | list[str] | None) -> list[SpecProblem]:
    if command is None:
        return []
    if isinstance(command, str):
        if not command.strip():
            return [SpecProblem(field, f"`{field}` is empty", "write a command")]
        return text.check_bare(field, command, "a command line")
    if not command or not command[0].startswith("/"):
        message = f"the first entry of `{field}` is not the absolute path of a program"
        return [SpecProblem(field, message, "begin with, for example, /usr/bin/env")]
    problems = check_path(field, command[0])
    if "$" in command[0]:
        problems.append(SpecProblem(field, "systemd replaces nothing in a program's path"))
    for word in command:
        problems += text.check_value(field, word, "an argument")
    return problems


def _command(command: str | list[str]) -> str:
    if isinstance(command, str):
        return command
    return " ".join(text.argument(word) for word in command)


def _with_suffix(unit: str) -> str:
    return unit if unit.endswith(text.SUFFIXES) else f"{unit}.service"
