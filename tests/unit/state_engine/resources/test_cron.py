"""The kind cron."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.engine.steps import Outcome, carry_out
from state_engine.model import AppliedResource
from state_engine.resources.contract import Context, Difference, Spec
from state_engine.resources.cron import HEAD, Cron
from tests.fakes.ports import Node
from tests.fakes.resources import resource
from tests.fakes.shadow import ShadowPorts

KIND = Cron()
PATH = "/etc/cron.d/job"


def wanted(**fields: Json) -> Spec:
    return {"name": "job", "schedule": "@daily", "user": "app", "command": "true", **fields}


def compared(ports: ShadowPorts, spec: Spec) -> Difference:
    return KIND.compare(spec, KIND.observe(spec, ports, verify=False), Context())


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "a.b"}, "name"), ({"name": "../cron"}, "name"), ({"schedule": None}, "schedule"),
        ({"schedule": "@never"}, "schedule"), ({"user": None}, "user"), ({"user": "a b"}, "user"),
        ({"user": "root x\n"}, "user"), ({"command": None}, "command"),
        ({"command": ""}, "command"),
        ({"command": "x\n* * * * * root y"}, "command"), ({"command": "x" * 1000}, "command"),
        ({"command": "%" * 600}, "command"), ({"environment": {"A B": "x"}}, "environment"),
        ({"environment": {"A": "x\n* * * * * root y"}}, "environment"),
    ],
)  # fmt: skip
def test_problems_name_their_fields(fields: Spec, field: str) -> None:
    """Nothing in one field can begin another line."""
    assert [problem.field for problem in KIND.validate(wanted(**fields))] == [field]


def test_a_usual_job_has_no_problem() -> None:
    """One that is not wanted needs a name only."""
    assert KIND.validate(wanted(environment={"MAILTO": ""})) == []
    assert KIND.validate({"name": "job", "ensure": "absent"}) == []
    assert KIND.identity(wanted(), None) == "job"
    assert KIND.identity({}, "id") is None
    assert KIND.watches(wanted()) == (PATH,)
    assert not KIND.runs_code(wanted())
    assert KIND.glance(wanted()) is not None
    assert Cron("/r").watches(wanted()) == ("/r/etc/cron.d/job",)


def test_a_job_is_written_as_cron_reads_it() -> None:
    """Of root's, readable for all; then nothing is left to do."""
    ports, spec = ShadowPorts(), wanted(command="date +%F", environment={"MAILTO": "a@b"})
    difference = compared(ports, spec)
    assert difference.action == "create"
    fields = [change.field for change in difference.changes]
    assert fields == ["schedule", "user", "command", "environment"]
    carry_out(KIND.steps(spec, difference), ports, Outcome())
    assert ports.text(PATH) == f'# {HEAD}\nMAILTO="a@b"\n@daily app date +\\%F\n'
    assert ports.tree()[PATH][1:4] == (0o644, 0, 0)
    assert compared(ports, spec).action == "none"


def test_changes_are_said_field_by_field() -> None:
    """So that a secret in one of them can be masked."""
    ports = ShadowPorts()
    text = "# by hand\nA='x'\n@daily app old %\n".replace(" %", "")
    ports.files.put(PATH, Node("file", 0o644, 0, 0, text.encode()))
    changes = compared(ports, wanted(command="new")).changes
    assert [(c.field, c.current, c.desired) for c in changes] == [
        ("command", "old", "new"), ("environment", 'A="x"', None),
    ]  # fmt: skip
    ports.files.put(PATH, Node("file", 0o644, 0, 0, b"something else"))
    fields = [(c.field, c.current) for c in compared(ports, wanted()).changes]
    assert fields == [("schedule", None), ("user", None), ("command", None)]


def test_an_unwanted_job_goes_and_removal_gives_back() -> None:
    """As with every whole file of ours."""
    ports = ShadowPorts()
    ports.files.put(PATH, Node("file", 0o644, 0, 0, b"theirs"))
    spec: Spec = {"name": "job", "ensure": "absent"}
    carry_out(compared(ports, spec).steps, ports, Outcome())
    assert PATH not in ports.files.nodes
    record = AppliedResource(resource("cron", "job", wanted()), created=True)
    assert KIND.undo(wanted(), None, record).steps == ()
    assert KIND.undo(spec, None, record).message == "nothing to do: it stays absent"
