"""The kind authorized-key."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol.canonical import Json
from state_engine.engine.steps import Outcome, carry_out
from state_engine.model import AppliedResource
from state_engine.ports import PortError
from state_engine.resources.authorized_key import AuthorizedKey
from state_engine.resources.contract import Context, Difference, EditFile, Spec
from tests.fakes.keys import public_key
from tests.fakes.ports import Node
from tests.fakes.resources import resource
from tests.fakes.shadow import ShadowPorts

KIND = AuthorizedKey()
FILE = "/home/app/.ssh/authorized_keys"
OTHERS = f"# theirs\n{public_key(7, 'theirs')}\n"


def host(content: str | None = None, mode: int = 0o600, owner: int = 70) -> ShadowPorts:
    ports = ShadowPorts("app:x:70:71::/home/app:/bin/sh\n")
    ports.files.put("/home/app", Node("directory", 0o755, 70, 71))
    if content is not None:
        ports.files.put("/home/app/.ssh", Node("directory", 0o700, 70, 71))
        ports.files.put(FILE, Node("file", mode, owner, 71, content.encode()))
    return ports


def wanted(number: int = 1, comment: str = "", **fields: Json) -> Spec:
    return {"user": "app", "key": public_key(number, comment), **fields}


def compared(ports: ShadowPorts, spec: Spec, *, acted: bool = False) -> Difference:
    found = KIND.observe(spec, ports, verify=False)
    return KIND.compare(spec, found, Context(acted=acted))


def applied(ports: ShadowPorts, spec: Spec) -> Difference:
    difference = compared(ports, spec)
    carry_out(KIND.steps(spec, difference), ports, Outcome())
    assert compared(ports, spec, acted=True).action == "none"
    return difference


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"path": "/f"}, "user"), ({"user": None}, "user"), ({"user": "-x"}, "user"),
        ({"user": None, "path": "f"}, "path"), ({"key": "nonsense"}, "key"),
        ({"options": ["nonsense"]}, "options"), ({"comment": "a\nb"}, "comment"),
        ({"options": [f'command="{"x" * 3000}"']}, "options"),
    ],
)  # fmt: skip
def test_problems_name_their_fields(fields: Spec, field: str) -> None:
    """Of the place, the key, its options and its comment."""
    assert [problem.field for problem in KIND.validate({**wanted(), **fields})] == [field]


def test_a_key_is_named_by_its_user_and_its_bytes() -> None:
    """Two comments are one key; one key of two users is two resources."""
    assert KIND.validate(wanted(options=["restrict"], comment="x")) == []
    assert KIND.identity(wanted(1, "a"), None) == KIND.identity(wanted(1, "b"), None)
    assert KIND.identity(wanted(1), None) != KIND.identity(wanted(2), None)
    assert str(KIND.identity({"path": "/f", "key": "bad"}, None)) == "/f bad"
    assert KIND.identity({}, "id") is None
    assert KIND.watches(wanted())[0] == FILE
    assert KIND.watches(wanted(user="root"))[0] == str(Path("/root") / ".ssh/authorized_keys")
    assert KIND.watches({"path": "/f", "key": ""}) == ("/f",)
    assert not KIND.runs_code(wanted())


def test_directory_and_file_are_made_for_their_user_alone() -> None:
    """Modes 0700 and 0600, his uid and gid."""
    ports = host()
    difference = applied(ports, wanted(1, "anna@desk", options=["restrict"]))
    assert difference.action == "create"
    assert [change.field for change in difference.changes] == ["key", "options", "comment"]
    tree = ports.tree()
    assert tree["/home/app/.ssh"][:4] == ("directory", 0o700, 70, 71)
    assert tree[FILE][:4] == ("file", 0o600, 70, 71)
    assert ports.text(FILE) == f"restrict {public_key(1)} anna@desk\n"


@pytest.mark.parametrize("end", ["\n", ""])
def test_other_lines_stay_and_a_cut_off_line_is_completed(end: str) -> None:
    """The key is put at the end."""
    ports = host(OTHERS.rstrip("\n") + end, 0o644)
    applied(ports, wanted())
    assert ports.text(FILE) == f"{OTHERS}{public_key(1)}\n"
    assert ports.tree()[FILE][1] == 0o644


def test_a_line_of_the_key_is_corrected_in_its_place() -> None:
    """What is not managed stays; a second line of the key goes."""
    old = f'no-pty,from="a, b" {public_key(1)} old'
    ports = host(f"{old}\n{OTHERS}{public_key(1)}\n")
    assert [c.field for c in compared(ports, wanted()).changes] == ["lines of this key"]
    difference = applied(ports, wanted(1, "new", options=["restrict"]))
    assert difference.action == "update"
    shown = [(c.field, c.current, c.desired) for c in difference.changes]
    assert shown[:2] == [("options", 'no-pty,from="a, b"', "restrict"), ("comment", "old", "new")]
    assert ports.text(FILE) == f"restrict {public_key(1)} new\n{OTHERS}"
    assert compared(host(f"{old}\n"), wanted()).action == "none"


def test_what_others_can_write_is_closed() -> None:
    """The server would not read it, and the others could add keys."""
    ports = host(f"{public_key(1)}\n", 0o664)
    ports.files.nodes["/home/app/.ssh"].mode = 0o775
    difference = applied(ports, wanted())
    assert [c.field for c in difference.changes] == ["mode of the directory", "mode"]
    assert ports.tree()[FILE][1] == 0o600
    assert ports.tree()["/home/app/.ssh"][1] == 0o700


def test_a_key_that_must_not_be_there_is_taken_out() -> None:
    """Every line of it, and no other."""
    line = public_key(1)
    ports = host(f'{line} a\n{OTHERS}command="x" {line}\n')
    assert applied(ports, wanted(ensure="absent")).action == "update"
    assert ports.text(FILE) == OTHERS
    assert compared(host(), wanted(ensure="absent")).action == "none"
    assert compared(ShadowPorts(), wanted(ensure="absent")).action == "none"


def test_a_user_may_come_into_being_in_the_same_apply() -> None:
    """A plan can be made and approved before; without him, the apply says so."""
    difference = compared(ShadowPorts(), wanted())
    assert (difference.action, difference.steps) == ("create", ())
    assert "no local user `app`" in (difference.message or "")
    assert compared(ShadowPorts(), wanted(), acted=True).action == "error"
    states = [
        KIND.observe(wanted(), ports, verify=False).state() for ports in (ShadowPorts(), host())
    ]
    assert states[0] == states[1]


@pytest.mark.parametrize(
    ("path", "node"),
    [
        ("/home/app/.ssh", Node("symlink", 0o777, 70, 71)),
        ("/home/app/.ssh", Node("directory", 0o700, 1, 71)),
        (FILE, Node("symlink", 0o777, 70, 71)),
        (FILE, Node("directory", 0o700, 70, 71)),
        (FILE, Node("file", 0o640, 0, 42, b"root's")),
        (FILE, Node("file", 0o600, 70, 71, b"x" * 2_000_000)),
    ],
)
def test_nothing_is_read_or_written_through_what_is_not_the_users_own(
    path: str, node: Node
) -> None:
    """A link, or a second name of a file of somebody else's."""
    ports = host("")
    ports.files.put(path, node)
    with pytest.raises(PortError):
        KIND.observe(wanted(), ports, verify=False)


def test_a_home_that_can_hold_no_keys_is_an_error() -> None:
    """Not a directory of the host itself, nor one that is no path."""
    for home in ("", "relative", "/a/../b"):
        ports = ShadowPorts(f"app:x:70:71::{home}:/bin/sh\n")
        with pytest.raises(PortError, match="hold no keys"):
            KIND.observe(wanted(), ports, verify=False)


def test_a_file_by_its_path_keeps_its_owner() -> None:
    """A new one is root's, and sshd can read it as the user."""
    spec: Spec = {"path": "/etc/keys", "key": public_key(1)}
    ports = host()
    applied(ports, spec)
    assert ports.tree()["/etc/keys"] == ("file", 0o644, 0, 0, f"{public_key(1)}\n".encode())
    ports.files.put("/etc/keys", Node("file", 0o666, 5, 5, OTHERS.encode()))
    applied(ports, spec)
    assert ports.tree()["/etc/keys"][:4] == ("file", 0o666, 5, 5)


def test_a_file_changed_meanwhile_is_not_overwritten() -> None:
    """Somebody else's new key is not lost."""
    ports = host(OTHERS)
    (step,) = compared(ports, wanted()).steps
    assert isinstance(step, EditFile)
    ports.files.put(FILE, Node("file", 0o600, 70, 71, b"more"))
    with pytest.raises(PortError, match="meanwhile"):
        carry_out((step,), ports, Outcome())
    assert ports.text(FILE) == "more"


def test_removal_takes_out_only_a_line_that_we_added() -> None:
    """Others stay, and so does what the file was for."""
    spec = wanted()
    record = AppliedResource(resource("authorized-key", "x", spec), created=True)
    ports = host(f"{OTHERS}{public_key(1)} edited since\n")
    found = KIND.observe(spec, ports, verify=False)
    assert found.captured is None
    carry_out(KIND.undo(spec, found, record).steps, ports, Outcome())
    assert ports.text(FILE) == OTHERS
    before = AppliedResource(resource("authorized-key", "x", spec))
    assert KIND.undo(spec, found, before).steps == ()
    assert KIND.undo({**spec, "ensure": "absent"}, found, record).steps == ()
    gone = KIND.observe(spec, ports, verify=False)
    assert KIND.undo(spec, gone, record).steps == ()


def test_bytes_that_are_not_text_survive_and_are_shown_escaped() -> None:
    """A message can carry UTF-8 only."""
    ports = host("")
    ports.files.put(FILE, Node("file", 0o600, 70, 71, public_key(1).encode() + b" \xff\n\xfe\n"))
    assert compared(ports, wanted()).action == "none"
    difference = compared(ports, wanted(comment="new"))
    assert difference.changes[0].current == "\\xff"
    carry_out(compared(ports, wanted(options=["pty"])).steps, ports, Outcome())
    assert ports.files.nodes[FILE].content == b"pty " + public_key(1).encode() + b" \xff\n\xfe\n"
