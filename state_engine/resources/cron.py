"""The kind `cron`: one command on a schedule, as a file of /etc/cron.d."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import starmap
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.reports import TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import Ports
from state_engine.resources.contract import (
    Context,
    Difference,
    Glance,
    Observation,
    Spec,
    SpecProblem,
    Step,
    Undo,
)
from state_engine.resources.parts import cron_lines, whole_file
from state_engine.resources.parts.account_files import check_name, under
from state_engine.resources.parts.cron_lines import Job
from state_engine.resources.parts.whole_file import FoundFile, WholeFile

MODE = 0o644
DIRECTORY = "/etc/cron.d"
HEAD = "Written by standfast: a change made here is undone."
# cron passes over a file whose name holds a dot.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")


class CronSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One command on a schedule: a file in /etc/cron.d that belongs to root with mode 0644.

    Every user of the host can read the file, so put no password in it. When the resource is
    removed, a file that we made is deleted and one that we overwrote comes back. A daemon that
    reads /etc/cron.d must be installed; this kind installs none.
    """

    name: Annotated[
        str, Meta(description="File name in /etc/cron.d, without a dot.", examples=["backup"])
    ]
    schedule: Annotated[
        str | None,
        Meta(
            description="Minute, hour, day of the month, month, day of the week; or a keyword such"
            " as `@daily`. Needed unless absent.",
            examples=["15 3 * * mon-fri", "@reboot"],
        ),
    ] = None
    user: Annotated[
        str | None,
        Meta(description="Who runs the command. Needed unless absent.", examples=["root"]),
    ] = None
    command: Annotated[
        str | None,
        Meta(
            description="One line for the shell; `%` stands for itself. Needed unless absent.",
            examples=["/usr/local/bin/backup --date $(date +%F)"],
        ),
    ] = None
    environment: Annotated[
        dict[str, str] | None,
        Meta(description="Variables of the command.", examples=[{"MAILTO": "ops@example.org"}]),
    ] = None
    ensure: Annotated[
        Literal["present", "absent"], Meta(description="Whether the file exists.")
    ] = "present"


class Cron:
    """Files of /etc/cron.d; `root` is the root directory of the system they belong to."""

    name = "cron"
    spec_type: type[msgspec.Struct] = CronSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def __init__(self, root: str = "/") -> None:
        self._directory = under(root, DIRECTORY)

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of the name, the five fields, the user, the command, the environment."""
        item = _spec(spec)
        problems: list[SpecProblem] = []
        if not _NAME.fullmatch(item.name):
            hint = "use letters, digits, `_` and `-`; cron passes over a name with a dot"
            problems.append(SpecProblem("name", f"`{item.name}` is not a usable file name", hint))
        if item.ensure == "absent":
            return problems
        needed = (("schedule", item.schedule), ("user", item.user), ("command", item.command))
        problems += [
            SpecProblem(field, f"`cron` needs the field `{field}`")
            for field, value in needed
            if value is None
        ]
        found: list[tuple[str, str | None]] = []
        if item.schedule is not None:
            found.append(("schedule", cron_lines.schedule_problem(item.schedule)))
        if item.user is not None:
            problems += check_name("user", item.user)
        if item.command is not None:
            found.append(("command", _command_problem(item.command)))
        for name, value in (item.environment or {}).items():
            found.append(("environment", cron_lines.environment_problem(name, value)))
        problems += [SpecProblem(field, message) for field, message in found if message]
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the file name."""
        del resource_id
        name = spec.get("name")
        return name if isinstance(name, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the file's path."""
        return (self._wanted(_spec(spec)).path,)

    def runs_code(self, spec: Spec) -> bool:
        """Looking at a file runs nothing."""
        del spec
        return False

    def glance(self, spec: Spec) -> Glance | None:
        """Return the whole desired state."""
        return whole_file.glance(self._wanted(_spec(spec)))

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> FoundFile | None:
        """Return what stands at the path."""
        return whole_file.look(self._wanted(_spec(spec)), ports, verify=verify)

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update (also for a deletion) or none, field by field."""
        del context
        item = _spec(spec)
        found = observation if isinstance(observation, FoundFile) else None
        fields = {} if item.ensure == "absent" else _fields(_job(item))
        job = None if found is None or found.text is None else cron_lines.parse(found.text)
        known = None if job is None else _fields(job)
        return whole_file.compare(self._wanted(item), found, fields, known)

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what the comparison has worked out."""
        del spec
        return difference.steps

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return: delete what we made, restore what we overwrote."""
        found = observation if isinstance(observation, FoundFile) else None
        return whole_file.undo(self._wanted(_spec(spec)), found, applied)

    def _wanted(self, item: CronSpec) -> WholeFile:
        content = None if item.ensure == "absent" else cron_lines.render(_job(item), HEAD)
        return WholeFile(f"{self._directory}/{item.name}", content, MODE)


def _spec(spec: Spec) -> CronSpec:
    return msgspec.convert(spec, CronSpec)


def _job(item: CronSpec) -> Job:
    return Job(item.schedule or "", item.user or "", item.command or "", item.environment or {})


def _fields(job: Job) -> dict[str, str]:
    fields = {"schedule": job.schedule, "user": job.user, "command": job.command}
    if job.environment:
        pairs = sorted(job.environment.items())
        fields["environment"] = ", ".join(starmap(cron_lines.setting, pairs))
    return fields


def _command_problem(command: str) -> str | None:
    line = cron_lines.render(Job("", "", command, {}), "")
    if len(line.encode("utf-8", "replace")) > cron_lines.MAX_LINE:
        return f"the command is longer than {cron_lines.MAX_LINE} bytes; call a script instead"
    return cron_lines.command_problem(command)
