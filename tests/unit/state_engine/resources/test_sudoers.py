"""The kind sudoers."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.engine.steps import Outcome, carry_out
from state_engine.model import AppliedResource
from state_engine.ports import PortError
from state_engine.resources.contract import (
    Context,
    Difference,
    RunScript,
    SetAttributes,
    Spec,
    WriteFile,
)
from state_engine.resources.sudoers import Sudoers
from tests.fakes.ports import Node
from tests.fakes.resources import resource
from tests.fakes.shadow import ShadowPorts

KIND = Sudoers()
PATH = "/etc/sudoers.d/app"
TEXT = "app ALL=(ALL) ALL\n"


def wanted(**fields: Json) -> Spec:
    return {"name": "app", "content": TEXT, **fields}


def rule(**fields: Json) -> Spec:
    return {"name": "app", "who": "%ops", "commands": ["/bin/ls"], **fields}


def compared(ports: ShadowPorts, spec: Spec, left: Spec | None = None) -> Difference:
    found = KIND.observe(spec, ports, verify=False)
    return KIND.compare(spec, found, Context(left=left))


def written(spec: Spec) -> str:
    ports = ShadowPorts()
    carry_out(KIND.steps(spec, compared(ports, spec)), ports, Outcome())
    assert ports.tree()[PATH][1:4] == (0o440, 0, 0)
    return ports.text(PATH)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (wanted(name="a.b"), "name"), (wanted(name="../sudoers"), "name"),
        (wanted(name="a~"), "name"), (wanted(name="-c"), "name"), (wanted(name=""), "name"),
        (wanted(content="app ALL=(ALL) ALL"), "content"), (wanted(content="a\0\n"), "content"),
        (wanted(content="@include /etc/shadow\n"), "content"),
        (wanted(content="x\n  #includedir /root\n"), "content"),
        (wanted(content="#inc\\ \nlude /etc/shadow\n"), "content"),
        (wanted(content="app ALL = \\\n@include /etc/shadow\n"), "content"),
        (wanted(content="#" * 70_000 + "\n"), "content"),
        (wanted(who="app"), "who"), (wanted(commands=["/x"]), "commands"),
        (wanted(run_as="x"), "run_as"), (wanted(no_password=False), "no_password"),
        ({"name": "app"}, "content"), (rule(commands=[]), "commands"), (rule(who=None), "who"),
        (rule(commands=None), "commands"), (rule(commands=["ls"]), "commands"),
        (rule(commands=["/bin/ls\napp ALL=(ALL) ALL"]), "commands"),
        (rule(commands=["/bin/ls \\"]), "commands"), (rule(commands=["!/bin/su"]), "commands"),
        (rule(commands=["/"]), "commands"), (rule(who="a,b"), "who"), (rule(who="%"), "who"),
        (rule(who="a ALL=(ALL) ALL\nb"), "who"), (rule(run_as="a, b"), "run_as"),
        (rule(run_as="ALL) NOPASSWD: ALL"), "run_as"),
    ],
)  # fmt: skip
def test_problems_name_their_fields(spec: Spec, field: str) -> None:
    """Nothing in a part of a rule can begin another part, and no text reads other files."""
    assert [problem.field for problem in KIND.validate(spec)] == [field]


def test_a_usual_file_has_no_problem() -> None:
    """A text, a rule, or nothing but a name for one that is not wanted."""
    assert KIND.validate(wanted(content="# include nothing\n" + TEXT)) == []
    assert KIND.validate(rule(who="ALL", run_as="app:ops", commands=["ALL", "/a *"])) == []
    assert KIND.validate({"name": "app", "ensure": "absent"}) == []
    assert KIND.identity(wanted(), None) == "app"
    assert KIND.identity({}, "id") is None
    assert KIND.watches(wanted()) == (PATH,)
    assert not KIND.runs_code(wanted())
    glance = KIND.glance(wanted())
    assert glance is not None
    assert (glance.path, glance.mode, glance.owner) == (PATH, 0o440, "root")


def test_a_rule_becomes_one_line_with_its_signs_escaped() -> None:
    """A comma, a colon, an equals sign or a number sign would end the command."""
    assert written(rule()) == "%ops ALL=(ALL) /bin/ls\n"
    text = written(rule(commands=["/bin/a b=c,d:e #f *", "ALL"], run_as="db:ops", no_password=True))
    assert text == "%ops ALL=(db:ops) NOPASSWD: /bin/a b\\=c\\,d\\:e \\#f *, ALL\n"


def test_visudo_reads_the_text_before_it_stands_there() -> None:
    """From its standard input, in the plan and again just before the write."""
    ports = ShadowPorts()
    difference = compared(ports, wanted())
    assert ports.shadow.argvs == [("/usr/sbin/visudo", "-c", "-f", "-")]
    check, write = difference.steps
    assert isinstance(check, RunScript)
    assert (check.call.stdin, check.phase) == (TEXT.encode(), "check")
    assert write == WriteFile(PATH, TEXT.encode(), 0o440, "root", "root")


def test_what_visudo_refuses_is_an_error_that_quotes_nothing() -> None:
    """Its first complaint, without the line that it quotes; the old file stays."""
    difference = compared(ShadowPorts(), wanted(content="nonsense\n"))
    assert (difference.action, difference.steps) == ("error", ())
    assert "stdin:1:7: syntax error" in (difference.message or "")
    assert "secret words" not in (difference.message or "")
    unchecked = compared(ShadowPorts(), wanted(content="nonsense\n", validate=False))
    assert [type(step) for step in unchecked.steps] == [WriteFile]


def test_without_visudo_a_plan_says_so_and_an_apply_refuses() -> None:
    """It may be installed by the same apply, which then asks it."""
    ports = ShadowPorts(visudo=False)
    difference = compared(ports, wanted())
    assert difference.action == "create"
    assert "/usr/sbin/visudo is not here" in (difference.message or "")
    with pytest.raises(PortError, match="visudo"):
        carry_out(difference.steps, ports, Outcome())
    assert PATH not in ports.files.nodes
    carry_out(compared(ports, wanted(validate=False)).steps, ports, Outcome())
    assert ports.text(PATH) == TEXT


def test_whether_visudo_is_there_does_not_burn_an_approval() -> None:
    """What stands at the path does."""
    absent = KIND.observe(wanted(), ShadowPorts(visudo=False), verify=False)
    ports = ShadowPorts()
    assert absent.state() == KIND.observe(wanted(), ports, verify=False).state()
    ports.files.put(PATH, Node("file", 0o440, 0, 0, b"theirs"))
    assert absent.state() != KIND.observe(wanted(), ports, verify=False).state()
    assert absent.captured is None


def test_a_text_that_stands_there_is_not_asked_about_again() -> None:
    """Only a mode may be wrong."""
    ports = ShadowPorts()
    ports.files.put(PATH, Node("file", 0o444, 0, 0, TEXT.encode()))
    assert compared(ports, wanted()).steps == (SetAttributes(PATH, 0o440),)
    assert ports.shadow.argvs == []


def test_what_an_earlier_apply_left_is_shown_and_nothing_else() -> None:
    """Only root can read the file."""
    ports = ShadowPorts()
    ports.files.put(PATH, Node("file", 0o440, 0, 0, TEXT.encode()))
    new = wanted(content="app ALL=(ALL) NOPASSWD: ALL\n")
    assert compared(ports, new).changes[0].diff == ()
    assert f"-{TEXT.strip()}" in compared(ports, new, left=wanted()).changes[0].diff
    assert compared(ports, new, left={"unknown": 1}).changes[0].diff == ()
    fields = [(c.field, c.current) for c in compared(ports, rule(), left=wanted()).changes]
    assert ("who", None) in fields


def test_an_unwanted_file_goes_and_removal_gives_back() -> None:
    """As with every whole file of ours."""
    ports = ShadowPorts()
    ports.files.put(PATH, Node("file", 0o440, 0, 0, TEXT.encode()))
    spec: Spec = {"name": "app", "ensure": "absent"}
    carry_out(compared(ports, spec).steps, ports, Outcome())
    assert PATH not in ports.files.nodes
    assert compared(ports, spec).action == "none"
    record = AppliedResource(resource("sudoers", "app", wanted()), created=True)
    assert KIND.undo(wanted(), None, record).steps == ()
    ports.files.put(PATH, Node("file", 0o440, 0, 0, TEXT.encode()))
    found = KIND.observe(wanted(), ports, verify=False)
    assert len(KIND.undo(wanted(), found, record).steps) == 1


def test_another_root_has_its_own_directory() -> None:
    """The host's own visudo reads the text."""
    assert Sudoers("/r").watches(wanted()) == ("/r/etc/sudoers.d/app",)
