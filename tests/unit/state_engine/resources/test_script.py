"""The kind script."""

from __future__ import annotations

import functools

import msgspec
import pytest

from protocol.canonical import Json
from protocol.reports import CapturedStream
from state_engine.model import AppliedResource
from state_engine.ports import ProgramCall
from state_engine.resources.contract import Context, RunScript
from state_engine.resources.script import Script, ScriptSpec
from tests.fakes.ports import FakePorts, FakePrograms, Node
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


@pytest.mark.parametrize(
    ("fields", "there", "exits", "context", "expected"),
    [
        # `creates`: a state that is looked at, not run.
        ({"creates": "/made"}, True, {}, Context(), "none"),
        ({"creates": "/made"}, False, {}, Context(applied=True), "run"),
        ({"creates": "/made"}, False, {}, Context(acted=True), "run"),
        ({"creates": "/made"}, True, {}, Context(triggers=("rerun",)), "run"),
        # `unless`: a condition; it is no failure if it still says no afterwards.
        ({"unless": "u"}, False, {"u": 0}, Context(), "none"),
        ({"unless": "u"}, False, {"u": 1}, Context(applied=True), "run"),
        ({"unless": "u"}, False, {"u": 1}, Context(acted=True), "none"),
        ({"unless": "u"}, False, {"u": 0}, Context(triggers=("rerun",)), "run"),
        # Together: any one of them says that there is nothing to do.
        ({"unless": "u", "check": "c"}, False, {"u": 0, "c": 1}, Context(), "none"),
        ({"unless": "u", "check": "c"}, False, {"u": 1, "c": 0}, Context(), "none"),
        ({"unless": "u", "check": "c"}, False, {"u": 0, "c": 1}, Context(acted=True), "run"),
        ({"creates": "/made", "check": "c"}, True, {"c": 1}, Context(), "none"),
        ({"creates": "/made", "check": "c"}, False, {"c": 0}, Context(), "none"),
    ],
)
def test_conditions_keep_a_script_from_running(
    fields: dict[str, Json], there: bool, exits: dict[str, int], context: Context, expected: str
) -> None:
    """Before it has acted each may excuse it; afterwards only a state counts."""
    ports = FakePorts()
    if there:
        ports.files.put("/made", Node("file", 0o644, 0, 0))
    for name, code in exits.items():
        ports.programs.known[name] = functools.partial(int, code)
    observation = KIND.observe(spec(**fields), ports, verify=False)
    assert KIND.compare(spec(**fields), observation, context).action == expected


def test_what_creates_settles_runs_nothing() -> None:
    """A look at the file is enough: neither `check` nor `unless` is run."""
    ports = FakePorts()
    ports.files.put("/made", Node("file", 0o644, 0, 0))
    KIND.observe(spec(creates="/made", check="c", unless="u"), ports, verify=False)
    assert ports.programs.calls == []


def test_user_place_variables_and_limits_reach_every_body() -> None:
    """`check_timeout` and `undo_timeout` are for their phases; only questions are read-only."""
    fields = spec(
        undo="back",
        check="c",
        user="app",
        cwd="/srv",
        env={"B": "2", "A": "1"},
        timeout=9,
        check_timeout=3,
        undo_timeout=4,
        max_output=2048,
    )
    (step,) = KIND.steps(fields, KIND.compare(fields, None, Context()))
    (back,) = KIND.undo(fields, None, AppliedResource(a_script("x"))).steps
    ports = RecordingPorts()
    KIND.observe(fields, ports, verify=False)
    KIND.observe({**fields, "check_writes": True}, ports, verify=False)
    assert isinstance(step, RunScript)
    assert isinstance(back, RunScript)
    calls = [step.call, back.call, *ports.seen]
    assert {(call.user, call.cwd, call.env, call.keep) for call in calls} == {
        ("app", "/srv", (("A", "1"), ("B", "2")), 2048)
    }
    assert [call.timeout for call in calls] == [9.0, 4.0, 3.0, 3.0]
    assert [call.read_only for call in calls] == [False, False, True, False]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"creates": "made"}, "creates"),
        ({"cwd": "a/../b"}, "cwd"),
        ({"user": "-x"}, "user"),
        ({"env": {"A=B": "x"}}, "env"),
        ({"env": {"A": "x\0"}}, "env"),
        ({"unless": " "}, "unless"),
    ],
)
def test_values_that_no_program_can_be_given_are_refused(
    fields: dict[str, Json], field: str
) -> None:
    """With the field that is wrong."""
    assert [problem.field for problem in KIND.validate(spec(**fields))] == [field]
    assert KIND.validate(spec(creates="/a", cwd="/", user="app", env={"A_1": ""}, unless="x")) == []


class RecordingPorts(FakePorts):
    """Ports whose programs only note how they were called."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[ProgramCall] = []
        self.programs = Recorder(self.seen)


class Recorder(FakePrograms):
    def __init__(self, seen: list[ProgramCall]) -> None:
        super().__init__()
        self._seen = seen

    def run(self, call: ProgramCall) -> CapturedStream:
        self._seen.append(call)
        return CapturedStream(0, "", "")
