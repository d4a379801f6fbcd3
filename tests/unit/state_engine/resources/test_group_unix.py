"""The kind group-unix."""

from __future__ import annotations

from protocol.canonical import Json
from state_engine.model import AppliedResource
from state_engine.resources.contract import Context, Difference, RunScript
from state_engine.resources.group_unix import GroupUnix
from tests.fakes.resources import resource
from tests.fakes.shadow import ShadowPorts

KIND = GroupUnix()


def compared(group: str = "", **spec: Json) -> Difference:
    found = KIND.observe(spec, ShadowPorts(group=group), verify=False)
    return KIND.compare(spec, found, Context())


def argv(difference: Difference, kind: GroupUnix = KIND, **spec: Json) -> tuple[str, ...]:
    (step,) = kind.steps(spec, difference)
    assert isinstance(step, RunScript)
    return step.call.argv


def test_problems_name_their_fields() -> None:
    """A name that could be an option, and the one group that every host needs."""
    assert [problem.field for problem in KIND.validate({"name": "-g"})] == ["name"]
    problems = KIND.validate({"name": "root", "ensure": "absent"})
    assert [problem.field for problem in problems] == ["ensure"]
    assert KIND.validate({"name": "app", "gid": 1}) == []
    assert KIND.identity({"name": "app"}, None) == "app"
    assert KIND.identity({}, "id") is None
    assert KIND.watches({"name": "app"}) == ("/etc/group",)
    assert not KIND.runs_code({})


def test_a_missing_group_is_added() -> None:
    """With the wanted number, or in the range of the system's own."""
    difference = compared(name="app", gid=70)
    assert difference.action == "create"
    assert argv(difference, name="app", gid=70) == ("/usr/sbin/groupadd", "--gid=70", "--", "app")
    words = argv(compared(name="app"), GroupUnix("/r"), name="app", system=True)
    assert words == ("/usr/sbin/groupadd", "--root", "/r", "--system", "--", "app")


def test_another_number_is_changed_and_says_who_has_it() -> None:
    """The message names what the tool would only refuse."""
    difference = compared("app:x:5:\nweb:x:70:\n", name="app", gid=70)
    assert [(c.field, c.current, c.desired) for c in difference.changes] == [("gid", "5", "70")]
    assert "`web`" in (difference.message or "")
    assert argv(difference, name="app", gid=70)[:2] == ("/usr/sbin/groupmod", "--gid=70")
    assert compared("app:x:5:\n", name="app").action == "none"
    assert compared("app:x:5:\n", name="app", gid=5).action == "none"
    assert KIND.steps({"name": "app"}, Difference("none")) == ()


def test_an_unwanted_group_is_deleted_but_not_the_superusers() -> None:
    """Whatever it is called."""
    difference = compared("app:x:5:\n", name="app", ensure="absent")
    assert difference.action == "update"
    words = argv(difference, name="app", ensure="absent")
    assert words == ("/usr/sbin/groupdel", "--", "app")
    assert compared(name="app", ensure="absent").action == "none"
    assert compared("toor:x:0:\n", name="toor", ensure="absent").action == "error"


def test_the_number_burns_an_approval_and_the_group_stays_on_removal() -> None:
    """Files may belong to it."""
    spec: dict[str, Json] = {"name": "app"}
    found = KIND.observe(spec, ShadowPorts(group="app:x:5:\n"), verify=False)
    assert found is not None
    assert found.state() == {"gid": 5}
    assert found.captured is None
    applied = AppliedResource(resource("group-unix", "app", spec), created=True)
    assert KIND.undo(spec, found, applied).steps == ()
    assert KIND.undo(spec, None, applied).steps == ()
