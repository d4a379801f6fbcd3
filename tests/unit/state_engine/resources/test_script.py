"""The kind script."""

from __future__ import annotations

import msgspec
import pytest

from protocol.canonical import Json
from state_engine.model import AppliedResource
from state_engine.resources.contract import Context, RunScript
from state_engine.resources.script import Script, ScriptSpec
from tests.fakes.ports import FakePorts
from tests.fakes.resources import a_script

KIND = Script()


def spec(**fields: Json) -> dict[str, Json]:
    return {"program": "sh", "apply": "do", **fields}


def action(fields: dict[str, Json], context: Context, *, check_exit: int = 1) -> str:
    ports = FakePorts()
    ports.programs.known["check"] = lambda: check_exit
    observation = KIND.observe(fields, ports, verify=False)
    return KIND.compare(fields, observation, context).action


@pytest.mark.parametrize(
    ("fields", "context", "check_exit", "expected"),
    [
        # With a check: its verdict, unless triggered.
        (spec(check="check"), Context(), 0, "none"),
        (spec(check="check"), Context(), 1, "run"),
        (spec(check="check"), Context(triggers=("rerun",)), 0, "run"),
        (spec(check="check"), Context(acted=True), 0, "none"),
        (spec(check="check"), Context(acted=True), 1, "run"),
        # Without: every time, or only when triggered, but once at least.
        (spec(), Context(applied=True), 0, "run"),
        (spec(), Context(acted=True), 0, "none"),
        (spec(rerun_on=["a"]), Context(applied=True), 0, "none"),
        (spec(rerun_on=["a"]), Context(applied=True, triggers=("rerun",)), 0, "run"),
        (spec(rerun_on=["a"]), Context(applied=False), 0, "run"),
    ],
)
def test_when_a_script_runs(
    fields: dict[str, Json], context: Context, check_exit: int, expected: str
) -> None:
    """The table of the published format, and: never having succeeded counts as triggered."""
    assert action(fields, context, check_exit=check_exit) == expected


@pytest.mark.parametrize("program", ["pwsh", "powershell", "cmd"])
def test_programs_of_other_platforms_are_an_error_of_the_plan(program: str) -> None:
    """Valid in a module, for a variant may choose it; here it cannot run, and no check does."""
    fields = {**spec(check="check"), "program": program}
    ports = FakePorts()
    observation = KIND.observe(fields, ports, verify=False)
    difference = KIND.compare(fields, observation, Context())
    assert (difference.action, ports.programs.calls) == ("error", [])
    assert program in (difference.message or "")
    assert KIND.validate(fields) == []


def test_bodies_that_cannot_mean_anything_are_refused() -> None:
    """Empty ones and NUL bytes; each field by name."""
    fields = spec(apply=" \n", check="a\0b", undo="", manages=" ")
    found = [problem.field for problem in KIND.validate(fields)]
    assert found == ["apply", "check", "undo", "manages"]


@pytest.mark.parametrize("timeout", [0, -1, 86_401, "10m", 1.5])
def test_a_timeout_is_whole_seconds_up_to_a_day(timeout: object) -> None:
    """Anything else does not fit the field."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**spec(), "timeout": timeout}, ScriptSpec)


def test_identity_is_what_it_manages_else_its_id() -> None:
    """And a script with neither has none."""
    assert KIND.identity(spec(manages="swap"), "id") == "swap"
    assert KIND.identity(spec(), "id") == "id"
    assert KIND.identity(spec(), None) is None
    assert KIND.watches(spec()) == ()
    assert KIND.glance(spec()) is None


def test_only_a_check_is_code_that_observing_runs() -> None:
    """So an unsigned script without one can be planned."""
    assert KIND.runs_code(spec(check="check"))
    assert not KIND.runs_code(spec())


def test_bodies_never_stand_in_argv() -> None:
    """The step hands the body over as a private file, with the time that it may take."""
    fields = spec(apply="secret", timeout=7)
    difference = KIND.compare(fields, None, Context())
    [step] = KIND.steps(fields, difference)
    assert isinstance(step, RunScript)
    assert (step.call.argv, step.call.script, step.call.timeout) == (("/bin/sh",), b"secret", 7.0)


def test_removal_runs_undo_or_forgets() -> None:
    """Without an undo there is nothing to take back."""
    applied = AppliedResource(a_script("s"))
    [step] = KIND.undo(spec(undo="back"), None, applied).steps
    assert isinstance(step, RunScript)
    assert (step.phase, step.call.script) == ("undo", b"back")
    assert KIND.undo(spec(), None, applied).steps == ()


def test_the_state_is_the_verdict_and_not_the_output() -> None:
    """Output may vary from run to run; an approval must not burn for it."""
    ports = FakePorts()
    ports.programs.known["check"] = lambda: 5
    observation = KIND.observe(spec(check="check"), ports, verify=False)
    assert observation.state() == {"satisfied": False}
    assert observation.captured is not None
    assert observation.captured.exit == 5
