"""The kind `script`: a body that is run when its check says so, when triggered, or every time."""

from __future__ import annotations

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

Program = Literal["sh", "bash", "pwsh", "powershell", "cmd"]
DEFAULT_TIMEOUT = 600  # ten minutes
MAX_TIMEOUT = 86_400
# The programs of this platform; the others are valid in a module (a variant may choose them) and
# are refused when a plan meets them.
AVAILABLE = {"sh": "/bin/sh", "bash": "/bin/bash"}


class ScriptSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A script; without `check` and `rerun_on` it runs on every apply."""

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
        list[str] | None, Meta(description="Ids whose change runs `apply` whatever `check` says.")
    ] = None
    timeout: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_TIMEOUT)] | None,
        Meta(description="Seconds each body may take.", examples=[600]),
    ] = None


class ScriptObservation(msgspec.Struct, frozen=True):
    """What the check said; None where there is no check."""

    satisfied: bool | None = None
    captured: CapturedStream | None = None

    def state(self) -> Json:
        """Return what a decision binds: the verdict, not the output."""
        return {"satisfied": self.satisfied}


class Script:
    """Scripts."""

    name = "script"
    spec_type: type[msgspec.Struct] = ScriptSpec
    trigger_fields: Mapping[str, TriggerKind] = {"rerun_on": "rerun"}
    idempotent = False

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of empty bodies and of bodies that no program can be given."""
        script = _spec(spec)
        problems: list[SpecProblem] = []
        bodies = (("apply", script.apply), ("check", script.check), ("undo", script.undo))
        for field, body in bodies:
            if body is not None and not body.strip():
                problems.append(SpecProblem(field, f"`{field}` is empty", "write a command"))
            elif body is not None and "\0" in body:
                problems.append(SpecProblem(field, f"`{field}` holds a NUL byte"))
        if script.manages is not None and not script.manages.strip():
            problems.append(SpecProblem("manages", "`manages` is empty", "name what it manages"))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return `manages`, else the resource's id."""
        manages = spec.get("manages")
        return manages if isinstance(manages, str) else resource_id

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return nothing: what a script depends on is not known."""
        del spec
        return ()

    def runs_code(self, spec: Spec) -> bool:
        """A check is code of the module."""
        return spec.get("check") is not None

    def glance(self, spec: Spec) -> None:
        """Only the check can tell."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> ScriptObservation:
        """Return the verdict of the check; without one, that there is none."""
        del verify
        script = _spec(spec)
        if script.check is None or script.program not in AVAILABLE:
            return ScriptObservation()
        captured = ports.programs.run(_call(script, script.check))
        return ScriptObservation(captured.exit == 0, captured)

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return run or none; error for a program that this platform does not have."""
        script = _spec(spec)
        if script.program not in AVAILABLE:
            message = f"program `{script.program}` does not exist on this platform"
            return Difference("error", message=f"{message}; use sh or bash")
        verdict = observation.satisfied if isinstance(observation, ScriptObservation) else None
        reason = _reason(script, context, satisfied=verdict)
        if reason is None:
            return Difference("none")
        diff = text_diff.unified("", script.apply, "apply", created=True)
        return Difference("run", (Change("apply", None, "run", diff=diff),), reason)

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return the run of `apply`."""
        if difference.action != "run":
            return ()
        script = _spec(spec)
        return (RunScript(_call(script, script.apply), "apply"),)

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return the run of `undo`, if there is one."""
        del observation, applied
        script = _spec(spec)
        if script.undo is None:
            return Undo(message="forgotten: it has no undo")
        diff = text_diff.unified("", script.undo, "undo", created=True)
        change = Change("undo", None, "run", diff=diff)
        return Undo((RunScript(_call(script, script.undo), "undo"),), (change,), "run its undo")


def _spec(spec: Spec) -> ScriptSpec:
    return msgspec.convert(spec, ScriptSpec)


def _call(script: ScriptSpec, body: str) -> ProgramCall:
    program = AVAILABLE.get(script.program, script.program)
    timeout = float(script.timeout or DEFAULT_TIMEOUT)
    return ProgramCall((program,), timeout=timeout, script=body.encode())


def _reason(script: ScriptSpec, context: Context, *, satisfied: bool | None) -> str | None:
    if context.triggers:
        return "triggered"
    if satisfied is not None:
        return None if satisfied else "its check did not exit 0"
    if context.acted:
        return None
    if not script.rerun_on:
        return "it has no check, so it runs on every apply"
    # A trigger may have fired before this script was known: never having succeeded counts as one.
    return None if context.applied else "it has not succeeded on this host yet"
