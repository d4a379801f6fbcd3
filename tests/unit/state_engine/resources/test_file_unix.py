"""The kind file-unix."""

from __future__ import annotations

import hashlib

import pytest

from protocol.canonical import Json
from state_engine.model import AppliedResource
from state_engine.resources.contract import (
    PLACEHOLDER,
    Context,
    RemoveFile,
    RestoreFile,
    SetAttributes,
    WriteFile,
    WriteSource,
)
from state_engine.resources.file_unix import FileUnix
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import a_file, file

KIND = FileUnix()
PLAIN = Context()


def ports_with(content: bytes = b"old\n", kind: str = "file") -> FakePorts:
    ports = FakePorts()
    node = Node("file", 0o644, 0, 0, content)
    if kind == "directory":
        node = Node("directory", 0o755, 0, 0)
    elif kind == "symlink":
        node = Node("symlink", 0o777, 0, 0)
    ports.files.put("/f", node)
    return ports


def test_content_and_template_exclude_each_other() -> None:
    """And the problem names the field to drop."""
    spec: dict[str, Json] = {"path": "/f", "content": "a", "template": "t"}
    assert [problem.field for problem in KIND.validate(spec)] == ["template"]
    assert KIND.validate(file("/f", "a", mode="0644", owner="root", group="0")) == []


def test_each_bad_field_is_named() -> None:
    """All problems come at once."""
    spec = file("f", "a", mode="rw", owner="a b", group="c d")
    assert [problem.field for problem in KIND.validate(spec)] == ["path", "mode", "owner", "group"]


def test_its_identity_and_what_to_watch_is_the_path() -> None:
    """The id has no part in it."""
    assert KIND.identity(file("/f"), "id") == "/f"
    assert KIND.identity({}, "id") is None
    assert KIND.watches(file("/f")) == ("/f",)
    assert not KIND.runs_code(file("/f"))


def test_a_missing_file_is_created_with_what_is_managed() -> None:
    """One write; the diff is against nothing."""
    spec = file("/f", "new\n", mode="0600")
    difference = KIND.compare(spec, KIND.observe(spec, FakePorts(), verify=False), PLAIN)
    assert difference.action == "create"
    assert [change.field for change in difference.changes] == ["content", "mode"]
    assert difference.changes[0].diff[-1] == "+new"
    assert KIND.steps(spec, difference) == (WriteFile("/f", b"new\n", 0o600),)


def test_only_what_is_managed_can_differ() -> None:
    """A file of which nothing but the path is said is as desired by being there."""
    spec = file("/f")
    difference = KIND.compare(spec, KIND.observe(spec, ports_with(), verify=False), PLAIN)
    assert difference.action == "none"
    assert KIND.steps(spec, difference) == ()


def test_other_content_is_shown_and_replaced() -> None:
    """Digests on both sides, and a diff."""
    spec = file("/f", "new\n")
    difference = KIND.compare(spec, KIND.observe(spec, ports_with(), verify=False), PLAIN)
    [change] = difference.changes
    assert (difference.action, change.field) == ("update", "content")
    assert change.current is not None
    assert change.current.startswith("sha256:")
    assert change.diff[-2:] == ("-old", "+new")
    assert KIND.steps(spec, difference) == (WriteFile("/f", b"new\n"),)


def test_other_attributes_are_set_without_writing() -> None:
    """Content that is right, and that only its owner could write, is not written again."""
    spec = file("/f", "old\n", mode="0600", group="root")
    difference = KIND.compare(spec, KIND.observe(spec, ports_with(), verify=False), PLAIN)
    seen = [(change.field, change.current, change.desired) for change in difference.changes]
    assert seen == [("mode", "0644", "0600")]
    assert KIND.steps(spec, difference) == (SetAttributes("/f", 0o600, None, "root"),)


def test_a_file_of_another_owner_is_made_anew() -> None:
    """He may hold it open: a change of owner alone would leave him writing."""
    spec = file("/f", "old\n", owner="app")
    difference = KIND.compare(spec, KIND.observe(spec, ports_with(), verify=False), PLAIN)
    assert [change.field for change in difference.changes] == ["owner"]
    assert KIND.steps(spec, difference) == (WriteFile("/f", b"old\n", None, "app"),)
    unmanaged = file("/f", None, owner="app")
    assert KIND.steps(unmanaged, difference) == (SetAttributes("/f", None, "app"),)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a\0b"])
def test_binary_content_is_shown_by_digest_only(content: bytes) -> None:
    """No diff of what is not text."""
    spec = file("/f", "new\n")
    difference = KIND.compare(spec, KIND.observe(spec, ports_with(content), verify=False), PLAIN)
    [change] = difference.changes
    assert change.current is not None
    assert change.diff == ()


@pytest.mark.parametrize("kind", ["directory", "symlink"])
def test_something_else_in_its_place_is_an_error(kind: str) -> None:
    """It is never replaced, and the message says what it is."""
    spec = file("/f", "new\n")
    difference = KIND.compare(spec, KIND.observe(spec, ports_with(kind=kind), verify=False), PLAIN)
    assert difference.action == "error"
    assert "not a regular file" in (difference.message or "")


def test_the_state_binds_facts_and_not_the_text() -> None:
    """What a decision binds holds the digest of the content, not the content."""
    spec = file("/f", "new\n")
    observation = KIND.observe(spec, ports_with(b"password"), verify=False)
    assert observation is not None
    assert "password" not in str(observation.state())
    assert observation.captured is None


def test_removal_deletes_ours_and_restores_theirs() -> None:
    """Created: deleted, with a copy if someone edited it. Overwritten: restored. Else: left."""
    spec = file("/f", "old\n")
    resource = a_file("/f", "old\n")
    same = KIND.observe(spec, ports_with(), verify=False)
    edited = KIND.observe(spec, ports_with(b"edited"), verify=False)
    ours = AppliedResource(resource, created=True)
    assert KIND.undo(spec, same, ours).steps == (RemoveFile("/f", backup=False),)
    assert KIND.undo(spec, edited, ours).steps == (RemoveFile("/f", backup=True),)
    theirs = AppliedResource(resource, pre_image="d" * 64, pre_mode=0o600, pre_uid=5, pre_gid=6)
    restore = RestoreFile("/f", "d" * 64, 0o600, 5, 6)
    assert KIND.undo(spec, same, theirs).steps == (restore,)
    assert KIND.undo(spec, same, AppliedResource(resource)).steps == ()
    assert KIND.undo(spec, None, ours).steps == ()
    replaced = KIND.observe(spec, ports_with(kind="directory"), verify=False)
    assert KIND.undo(spec, replaced, ours).steps == ()


def test_a_glance_asks_for_everything_that_is_managed() -> None:
    """So that a glance that holds means: nothing to do."""
    glance = KIND.glance(file("/f", "x", mode="0600", owner="app", group="root"))
    assert (glance.path, glance.type, glance.mode) == ("/f", "file", 0o600)
    assert (glance.owner, glance.group) == ("app", "root")
    assert glance.digest is not None
    assert KIND.glance(file("/f")).digest is None


ABSENT: dict[str, Json] = {"path": "/f", "ensure": "absent"}


def test_an_absent_file_goes_and_a_copy_is_kept() -> None:
    """What is deleted is bound: another content is another decision."""
    found = KIND.observe(ABSENT, ports_with(), verify=False)
    difference = KIND.compare(ABSENT, found, PLAIN)
    assert [change.field for change in difference.changes] == ["ensure"]
    assert KIND.steps(ABSENT, difference) == (RemoveFile("/f", backup=True),)
    other = KIND.observe(ABSENT, ports_with(b"other"), verify=False)
    assert found is not None
    assert other is not None
    assert found.state() != other.state()
    assert KIND.glance(ABSENT) is None
    undo = KIND.undo(ABSENT, found, AppliedResource(a_file("/f"), created=True))
    assert undo.steps == ()


@pytest.mark.parametrize(
    ("ports", "action"),
    [
        (FakePorts(), "none"),
        (ports_with(kind="symlink"), "error"),
        (ports_with(kind="directory"), "error"),
        (ports_with(b"x" * (64 * 1_048_576 + 1)), "error"),
    ],
)
def test_only_a_file_of_which_a_copy_can_be_kept_goes(ports: FakePorts, action: str) -> None:
    """A link, a directory or a huge file is a person's affair."""
    difference = KIND.compare(ABSENT, KIND.observe(ABSENT, ports, verify=False), PLAIN)
    assert difference.action == action
    assert KIND.steps(ABSENT, difference) == ()


def test_what_is_absent_has_no_other_field() -> None:
    """A file that is to be gone and to have an owner is a mistake."""
    assert KIND.validate(ABSENT) == []
    assert [p.field for p in KIND.validate({**ABSENT, "mode": "0644"})] == ["ensure"]


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["visudo", "-cf", PLACEHOLDER],
        ["-c", PLACEHOLDER],
        [f"/bin/{PLACEHOLDER}"],
        ["/bin/true"],
        ["/bin/sh", f"{PLACEHOLDER}\0"],
    ],
)
def test_a_check_names_a_program_and_the_file(command: list[Json]) -> None:
    """A name is not looked up in a search path, and a check of nothing says nothing."""
    spec: dict[str, Json] = {"path": "/f", "content": "a", "validate": command}
    assert [problem.field for problem in KIND.validate(spec)] == ["validate"]


def test_new_content_is_written_with_its_check() -> None:
    """The plan says with which; attributes alone need none."""
    command: list[Json] = ["/usr/sbin/visudo", "-cf", PLACEHOLDER]
    spec: dict[str, Json] = {"path": "/f", "content": "new\n", "validate": command}
    assert KIND.validate(spec) == []
    difference = KIND.compare(spec, KIND.observe(spec, ports_with(), verify=False), PLAIN)
    assert difference.message == "checked first with /usr/sbin/visudo"
    [step] = KIND.steps(spec, difference)
    assert isinstance(step, WriteFile)
    assert step.check == ("/usr/sbin/visudo", "-cf", PLACEHOLDER)
    assert [p.field for p in KIND.validate({"path": "/f", "validate": command})] == ["validate"]


SOURCE = "https://example.org/tool"
SUM = hashlib.sha256(b"tool").hexdigest()


def test_content_by_address_is_written_from_there_and_never_shown() -> None:
    """Looking asks nobody for it: the digest says whether it is there."""
    spec = file("/f", source=SOURCE, sha256=SUM, mode="0755")
    assert KIND.validate(spec) == []
    ports = ports_with()
    difference = KIND.compare(spec, KIND.observe(spec, ports, verify=False), PLAIN)
    content = difference.changes[0]
    assert (content.desired, content.diff) == (f"sha256:{SUM}", ())
    assert KIND.steps(spec, difference) == (WriteSource("/f", SOURCE, SUM, 0o755),)
    assert ports.sources.fetched == []
    same = ports_with(b"tool")
    difference = KIND.compare(spec, KIND.observe(spec, same, verify=False), PLAIN)
    assert [change.field for change in difference.changes] == ["mode"]
    glance = KIND.glance(spec)
    assert glance is not None
    assert glance.digest == SUM


def test_a_source_is_the_only_content_and_has_its_digest() -> None:
    """What is not said twice cannot disagree."""
    for others in ({"content": "x"}, {"template": "t"}):
        spec: dict[str, Json] = {"path": "/f", "source": SOURCE, "sha256": SUM, **others}
        assert [problem.field for problem in KIND.validate(spec)] == ["source"]
    assert [problem.field for problem in KIND.validate(file("/f", source=SOURCE))] == ["source"]
    absent = file("/f", source=SOURCE, sha256=SUM, ensure="absent")
    assert [problem.field for problem in KIND.validate(absent)] == ["ensure"]


def test_removing_what_came_from_a_source_knows_it_again() -> None:
    """Ours goes without a copy, an edited one with one."""
    spec = file("/f", source=SOURCE, sha256=SUM)
    applied = AppliedResource(a_file("/f"), created=True)
    for content, backup in ((b"tool", False), (b"edited", True)):
        found = KIND.observe(spec, ports_with(content), verify=False)
        assert KIND.undo(spec, found, applied).steps == (RemoveFile("/f", backup=backup),)
