"""The kind user-unix."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.model import AppliedResource
from state_engine.resources.contract import Context, Difference, MakeDirectory, RunScript, Spec
from state_engine.resources.user_unix import UserUnix
from tests.fakes.ports import Node
from tests.fakes.resources import resource
from tests.fakes.shadow import ShadowPorts

KIND = UserUnix()
APP = "app:x:70:50:the app:/srv/app:/bin/sh\n"
GROUPS = "staff:x:50:\nadm:x:4:app\nweb:x:71:app,root\n"


def compared(spec: Spec, passwd: str = "") -> Difference:
    found = KIND.observe(spec, ShadowPorts(passwd, GROUPS), verify=False)
    return KIND.compare(spec, found, Context())


def argv(difference: Difference) -> tuple[str, ...]:
    step = KIND.steps({}, difference)[0]
    assert isinstance(step, RunScript)
    return step.call.argv


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "-o"), ("name", "a\nb"), ("primary_group", "a,b"), ("primary_group", ""),
        ("additional_groups", ["adm", "-G"]), ("additional_groups", ["a,b"]),
        ("home", "relative"), ("home", "/a:b"), ("home", "/a/../b"), ("shell", "/bin/sh\n"),
        ("shell", "sh"), ("shell", "/"), ("comment", "a:0:0"), ("comment", "a\nroot2:x:0:0:::"),
    ],
)  # fmt: skip
def test_what_the_account_files_cannot_hold_is_a_problem(field: str, value: Json) -> None:
    """The problem is the field's own."""
    spec: Spec = {"name": "app", field: value}
    assert [problem.field for problem in KIND.validate(spec)] == [field]


def test_a_usual_user_has_no_problem() -> None:
    """Root, too, may be managed, but never be absent."""
    spec: Spec = {"name": "app", "home": "/", "shell": "/bin/sh", "comment": "a, b", "uid": 0}
    assert KIND.validate(spec) == []
    problems = KIND.validate({"name": "root", "ensure": "absent"})
    assert [problem.field for problem in problems] == ["ensure"]
    assert KIND.identity({"name": "app"}, None) == "app"
    assert KIND.identity({}, "id") is None
    assert KIND.watches({}) == ("/etc/passwd", "/etc/group")
    assert not KIND.runs_code({})


def test_a_missing_user_is_added_without_a_home_unless_asked() -> None:
    """Every value is one word with its option, so that none can be taken for another."""
    difference = compared({"name": "app"})
    assert (difference.action, [c.field for c in difference.changes]) == ("create", ["name"])
    assert argv(difference) == ("/usr/sbin/useradd", "--no-create-home", "--", "app")
    spec: Spec = {
        "name": "app", "uid": 70, "primary_group": "staff", "additional_groups": ["web", "adm"],
        "home": "/srv/app", "shell": "/bin/sh", "comment": "-o", "system": True,
        "create_home": True,
    }  # fmt: skip
    assert argv(compared(spec)) == (
        "/usr/sbin/useradd", "--create-home", "--system", "--uid=70", "--gid=staff",
        "--groups=adm,web", "--home-dir=/srv/app", "--shell=/bin/sh", "--comment=-o", "--", "app",
    )  # fmt: skip


def test_a_group_of_his_name_becomes_his_own() -> None:
    """The tool would refuse to make it; whether it is there yet is no part of what is approved."""
    spec: Spec = {"name": "web"}
    assert "--gid=web" in argv(compared(spec))
    states = [
        KIND.observe(spec, ShadowPorts(group=group), verify=False).state() for group in ("", GROUPS)
    ]
    assert states[0] == states[1] == {"user": None}


def test_only_what_differs_is_changed() -> None:
    """What is not managed is neither compared nor named."""
    spec: Spec = {
        "name": "app", "uid": 70, "primary_group": "50", "additional_groups": ["web"],
        "shell": "/bin/zsh",
    }  # fmt: skip
    difference = compared(spec, APP)
    assert [(c.field, c.current, c.desired) for c in difference.changes] == [
        ("additional_groups", "adm,web", "web"),
        ("shell", "/bin/sh", "/bin/zsh"),
    ]
    words = ("/usr/sbin/usermod", "--groups=web", "--shell=/bin/zsh", "--", "app")
    assert argv(difference) == words
    assert compared({"name": "app", "primary_group": "staff"}, APP).action == "none"
    assert argv(compared({"name": "app", "additional_groups": []}, APP))[1] == "--groups="


def test_an_asked_for_home_is_made_private_and_nothing_is_moved() -> None:
    """For the user's numbers as they will be."""
    spec: Spec = {"name": "app", "home": "/srv/new", "primary_group": "web", "create_home": True}
    difference = compared(spec, APP)
    steps = KIND.steps(spec, difference)
    assert steps[1] == MakeDirectory("/srv/new", 0o700, "70", "71")
    assert "--move-home" not in str(steps)
    ports = ShadowPorts(APP)
    ports.files.put("/srv/app", Node("directory", 0o755, 70, 50))
    spec = {"name": "app", "create_home": True}
    assert KIND.compare(spec, KIND.observe(spec, ports, verify=False), Context()).action == "none"
    assert compared(spec, "app:x:70:50::/:/bin/sh\n").action == "none"


def test_a_uid_that_somebody_has_is_said_beforehand() -> None:
    """The tool will refuse it, unless the other one changes first."""
    assert "`root`" in (compared({"name": "app", "uid": 0}).message or "")
    assert compared({"name": "app", "uid": 1}).message is None


def test_an_unwanted_user_is_deleted_and_his_home_is_kept() -> None:
    """No option of userdel that removes files; never the superuser by another name."""
    spec: Spec = {"name": "app", "ensure": "absent"}
    difference = compared(spec, APP)
    assert argv(difference) == ("/usr/sbin/userdel", "--", "app")
    assert difference.message == "/srv/app is kept"
    assert compared(spec).action == "none"
    assert compared({**spec, "name": "toor"}, "toor:x:0:0:::\n").action == "error"


def test_a_user_stays_on_removal() -> None:
    """Also one that we made."""
    spec: Spec = {"name": "app"}
    applied = AppliedResource(resource("user-unix", "app", spec), created=True)
    for passwd, word in ((APP, "kept"), ("", "gone")):
        found = KIND.observe(spec, ShadowPorts(passwd), verify=False)
        undo = KIND.undo(spec, found, applied)
        assert undo.steps == ()
        assert word in (undo.message or "")
        assert found.captured is None


def test_managed_fields_burn_an_approval_and_others_do_not() -> None:
    """Another shell is none of the business of who manages the comment."""
    spec: Spec = {"name": "app", "comment": "x"}
    before = KIND.observe(spec, ShadowPorts(APP), verify=False).state()
    same = KIND.observe(spec, ShadowPorts(APP.replace("/bin/sh", "/z")), verify=False).state()
    other = KIND.observe(spec, ShadowPorts(APP.replace("the app", "y")), verify=False).state()
    assert before == same != other
