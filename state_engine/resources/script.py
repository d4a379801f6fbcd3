"""The kind `script`: a body that is run when its check says so, when triggered, or every time."""

from __future__ import annotations

import re
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
    Observation,
    RunScript,
    Spec,
    SpecProblem,
    Step,
    Undo,
)
from state_engine.resources.parts import text_diff
from state_engine.resources.parts.unix_paths import check_account, check_path

Program = Literal["sh", "bash", "pwsh", "powershell", "cmd"]
DEFAULT_TIMEOUT = 600  # ten minutes
MAX_TIMEOUT = 86_400
# A result with three phases of two streams stays well under the limits of what carries it.
MAX_OUTPUT = 1_048_576
Seconds = Annotated[int, Meta(ge=1, le=MAX_TIMEOUT)]
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
# The programs of this platform; the others are valid in a module (a variant may choose them) and
# are refused when a plan meets them.
AVAILABLE = {"sh": "/bin/sh", "bash": "/bin/bash"}


class ScriptSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A script; without `check`, `creates`, `unless` and `rerun_on` it runs on every apply.

    `check` and `unless` cannot write to the file system: root's run with every mount read-only and
    under landlock; without root landlock alone holds them (modes, owners and times it leaves open),
    and a line in their error output says what a host cannot give. What they ask of a service over a
    socket is not held. They may write to `$TMPDIR`, which is theirs alone and goes with them.
    A removal runs `undo`; without one nothing is done.
    """

    program: Annotated[Program, Meta(description="What runs the bodies.", examples=["sh"])]
    apply: Annotated[str, Meta(description="The body that brings the state about.")]
    check: Annotated[
        str | None, Meta(description="A body that exits 0 if the state is as desired.")
    ] = None
    undo: Annotated[
        str | None, Meta(description="A body that runs when the resource is removed.")
    ] = None
    manages: Annotated[
        str | None, Meta(description="What the script manages; its identity in place of the id.")
    ] = None
    rerun_on: Annotated[
        list[str] | None,
        Meta(description="Ids whose change runs `apply` whatever the conditions say."),
    ] = None
    creates: Annotated[
        str | None,
        Meta(
            description="Absolute path that `apply` makes: while it is there, nothing is to do.",
            examples=["/srv/example/built"],
        ),
    ] = None
    unless: Annotated[
        str | None,
        Meta(
            description=(
                "A body that exits 0 if `apply` is not to run. Unlike `check`, it is a condition"
                " and no state: `apply` has not failed if it still says no afterwards."
            )
        ),
    ] = None
    user: Annotated[
        str | None,
        Meta(
            description="User who runs the bodies, with his groups and home and nothing of root's.",
            examples=["app"],
        ),
    ] = None
    cwd: Annotated[
        str | None,
        Meta(description="Directory in which the bodies run; `/` if left out.", examples=["/srv"]),
    ] = None
    env: Annotated[
        dict[str, str] | None,
        Meta(description="Variables beside PATH, HOME, LANG (and USER, LOGNAME with `user`)."),
    ] = None
    timeout: Annotated[
        Seconds | None,
        Meta(description="Seconds each body may take.", examples=[600]),
    ] = None
    check_timeout: Annotated[
        Seconds | None, Meta(description="Seconds for `check` and for `unless`, if other.")
    ] = None
    undo_timeout: Annotated[Seconds | None, Meta(description="Seconds for `undo`, if other.")] = (
        None
    )
    max_output: Annotated[
        Annotated[int, Meta(ge=1_024, le=MAX_OUTPUT)] | None,
        Meta(description="Bytes kept of each stream, half from its start and half from its end."),
    ] = None
    check_writes: Annotated[
        bool | None, Meta(description="Let `check` and `unless` write; false if left out.")
    ] = None


class ScriptObservation(msgspec.Struct, frozen=True):
    """What `check`, `creates` and `unless` said; None where the script has no such condition."""

    satisfied: bool | None = None
    captured: CapturedStream | None = None
    created: bool | None = None
    excused: bool | None = None

    def state(self) -> Json:
        """Return what a decision binds: the verdicts, not the output."""
        verdicts = {"created": self.created, "excused": self.excused}
        given: dict[str, Json] = {key: said for key, said in verdicts.items() if said is not None}
        return {"satisfied": self.satisfied, **given}


class Script:
    """Scripts."""

    name = "script"
    spec_type: type[msgspec.Struct] = ScriptSpec
    trigger_fields: Mapping[str, TriggerKind] = {"rerun_on": "rerun"}
    idempotent = False

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of bodies, paths, user and variables that no program can be given."""
        script = _spec(spec)
        problems: list[SpecProblem] = []
        bodies = {"apply": script.apply, "check": script.check, "undo": script.undo}
        bodies["unless"] = script.unless
        for field, body in bodies.items():
            if body is not None and not body.strip():
                problems.append(SpecProblem(field, f"`{field}` is empty", "write a command"))
            elif body is not None and "\0" in body:
                problems.append(SpecProblem(field, f"`{field}` holds a NUL byte"))
        if script.manages is not None and not script.manages.strip():
            problems.append(SpecProblem("manages", "`manages` is empty", "name what it manages"))
        for field, path in (("creates", script.creates), ("cwd", script.cwd)):
            if path is not None and not (field == "cwd" and path == "/"):
                problems += check_path(field, path)
        problems += check_account("user", script.user)
        for name, value in (script.env or {}).items():
            if not _VARIABLE.fullmatch(name):
                message = f"`{name}` is not the name of a variable"
                problems.append(SpecProblem("env", message, "letters, digits and `_`"))
            elif "\0" in value:
                problems.append(SpecProblem("env", f"the value of `{name}` holds a NUL byte"))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return `manages`, else the resource's id."""
        manages = spec.get("manages")
        return manages if isinstance(manages, str) else resource_id

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return what it creates; what else a script depends on is not known."""
        creates = spec.get("creates")
        return (creates,) if isinstance(creates, str) else ()

    def runs_code(self, spec: Spec) -> bool:
        """A check is code of the module."""
        return spec.get("check") is not None or spec.get("unless") is not None

    def glance(self, spec: Spec) -> None:
        """Only the check can tell."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> ScriptObservation:
        """Return what the conditions say, each asked only if those before it did not settle it."""
        del verify
        script = _spec(spec)
        if script.program not in AVAILABLE:
            return ScriptObservation()
        found = ScriptObservation()
        if script.creates is not None:
            there = ports.files.stat(script.creates) is not None
            found = msgspec.structs.replace(found, created=there)
        if script.check is not None and not found.created:
            captured = ports.programs.run(_question(script, script.check))
            found = msgspec.structs.replace(found, satisfied=captured.exit == 0, captured=captured)
        if script.unless is not None and not (found.created or found.satisfied):
            captured = ports.programs.run(_question(script, script.unless))
            found = msgspec.structs.replace(
                found, excused=captured.exit == 0, captured=found.captured or captured
            )
        return found

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return run or none; error for a program that this platform does not have."""
        script = _spec(spec)
        if script.program not in AVAILABLE:
            message = f"program `{script.program}` does not exist on this platform"
            return Difference("error", message=f"{message}; use sh or bash")
        found = observation if isinstance(observation, ScriptObservation) else ScriptObservation()
        reason = _reason(script, context, found)
        if reason is None:
            return Difference("none")
        diff = text_diff.unified("", script.apply, "apply", created=True)
        return Difference("run", (Change("apply", None, "run", diff=diff),), reason)

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return the run of `apply`."""
        if difference.action != "run":
            return ()
        script = _spec(spec)
        return (RunScript(_call(script, script.apply, script.timeout), "apply"),)

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return the run of `undo`, if there is one."""
        del observation, applied
        script = _spec(spec)
        if script.undo is None:
            return Undo(message="forgotten: it has no undo")
        diff = text_diff.unified("", script.undo, "undo", created=True)
        change = Change("undo", None, "run", diff=diff)
        call = _call(script, script.undo, script.undo_timeout or script.timeout)
        return Undo((RunScript(call, "undo"),), (change,), "run its undo")


def _spec(spec: Spec) -> ScriptSpec:
    return msgspec.convert(spec, ScriptSpec)


def _call(script: ScriptSpec, body: str, timeout: int | None) -> ProgramCall:
    program = AVAILABLE.get(script.program, script.program)
    return ProgramCall(
        (program,),
        timeout=float(timeout or DEFAULT_TIMEOUT),
        keep=script.max_output or MAX_OUTPUT,
        script=body.encode(),
        user=script.user,
        cwd=script.cwd or "/",
        env=tuple(sorted((script.env or {}).items())),
    )


def _question(script: ScriptSpec, body: str) -> ProgramCall:
    call = _call(script, body, script.check_timeout or script.timeout)
    return msgspec.structs.replace(call, read_only=not script.check_writes)


def _reason(script: ScriptSpec, context: Context, found: ScriptObservation) -> str | None:
    """Return why the script has to run, or None."""
    if context.triggers:
        return "triggered"
    if found.created or found.satisfied:
        return None
    if found.excused and not context.acted:
        return None
    if found.satisfied is not None:
        return "its check did not exit 0"
    if found.created is not None:
        return f"{script.creates} is not there"
    if context.acted:
        return None
    if found.excused is not None:
        return "its `unless` did not exit 0"
    if not script.rerun_on:
        return "it has no check, so it runs on every apply"
    # A trigger may have fired before this script was known: never having succeeded counts as one.
    return None if context.applied else "it has not succeeded on this host yet"
