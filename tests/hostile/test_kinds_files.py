"""A user of the host tries to turn links, lines and settings against files that are not his."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.plan import make_plan
from state_engine.engine.progress import ApplyOutcome
from state_engine.host.handles import temporary_name
from state_engine.host.linux import LinuxPorts
from state_engine.model import ResolvedResource, Snapshot
from state_engine.ports import PortError
from state_engine.resources.registry import KINDS
from tests.fakes.resources import resource

pytestmark = pytest.mark.hostile
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="plays root and another user: needs root")
NOBODY = 65534
PARTS: list[tuple[str, dict[str, Json]]] = [
    ("line-in-file", {"line": "ours"}),
    ("block-in-file", {"marker": "m", "block": "ours"}),
    ("ini-setting", {"section": "a", "key": "ours", "value": "1"}),
    ("hosts-entry", {"ip": "192.0.2.1", "names": ["ours"]}),
]
PART_NAMES = [kind for kind, _ in PARTS]


@pytest.fixture
def ports(tmp_path: Path) -> LinuxPorts:
    return LinuxPorts(tmp_path / "state", b"k" * 32)


def made(kind: str, fields: dict[str, Json], path: Path) -> ResolvedResource:
    spec = {**fields, "path": str(path)}
    identity = KINDS[kind].identity(spec, None)
    assert identity is not None
    assert KINDS[kind].validate(spec) == []
    return resource(kind, identity, spec)


def apply(ports: LinuxPorts, item: ResolvedResource) -> ApplyOutcome:
    return apply_plan("op", "n", [item], Snapshot(), ports, approved=None)


@pytest.mark.parametrize(("kind", "fields"), PARTS, ids=PART_NAMES)
def test_a_real_file_is_edited_and_given_back(
    kind: str, fields: dict[str, Json], ports: LinuxPorts, tmp_path: Path
) -> None:
    """Mode stays, a plan after it is empty, and removal leaves what was there."""
    path = tmp_path / "conf"
    path.write_text("[a]\nx = 1\n")
    path.chmod(0o640)
    item = made(kind, fields, path)
    outcome = apply(ports, item)
    assert outcome.result.status == "succeeded", outcome.result
    assert "ours" in path.read_text()
    assert path.stat().st_mode & 0o7777 == 0o640
    assert make_plan("n", [item], outcome.snapshot, ports).summary.none == 1
    apply_plan("op", "n", [], outcome.snapshot, ports, approved=None)
    assert path.read_text() == "[a]\nx = 1\n"
    assert sorted(each.name for each in tmp_path.iterdir() if each.name != "state") == ["conf"]


@pytest.mark.parametrize(("kind", "fields"), PARTS, ids=PART_NAMES)
def test_a_link_in_the_files_place_is_not_followed(
    kind: str, fields: dict[str, Json], ports: LinuxPorts, tmp_path: Path
) -> None:
    """The file that it leads to is neither changed nor shown."""
    victim = tmp_path / "victim"
    victim.write_text("[a]\nsecret\n")
    path = tmp_path / "conf"
    path.symlink_to(victim)
    item = made(kind, fields, path)
    assert apply(ports, item).result.status == "failed"
    assert path.is_symlink()
    assert victim.read_text() == "[a]\nsecret\n"
    assert "secret" not in str(make_plan("n", [item], Snapshot(), ports))


@needs_root
@pytest.mark.parametrize(("kind", "fields"), PARTS, ids=PART_NAMES)
def test_a_file_of_another_user_stays_his_and_gains_no_privilege(
    kind: str, fields: dict[str, Json], ports: LinuxPorts, tmp_path: Path
) -> None:
    """Owner and group stay; set-user-id does not."""
    path = tmp_path / "conf"
    path.write_text("x\n")
    os.chown(path, NOBODY, NOBODY)
    path.chmod(0o6755)
    assert apply(ports, made(kind, fields, path)).result.status == "succeeded"
    found = path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (NOBODY, NOBODY, 0o755)


def test_what_changes_between_look_and_write_is_not_overwritten(
    ports: LinuxPorts, tmp_path: Path
) -> None:
    """The edit belongs to the content that was read."""
    path = tmp_path / "conf"
    path.write_text("a\n")
    kind = KINDS["line-in-file"]
    spec: dict[str, Json] = {"path": str(path), "line": "ours"}
    [item] = make_plan("n", [made("line-in-file", spec, path)], Snapshot(), ports).resources
    approved = frozenset({item.digest})
    path.write_text("a\nours\nmine\n")
    outcome = apply_plan(
        "op", "n", [made(kind.name, spec, path)], Snapshot(), ports, approved=approved
    )
    assert outcome.result.status == "succeeded"
    assert path.read_text() == "a\nours\nmine\n"


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_only_a_link_gives_way_to_a_link(kind: str, ports: LinuxPorts, tmp_path: Path) -> None:
    """A person's file or directory stays."""
    path = tmp_path / "l"
    if kind == "file":
        path.write_text("theirs")
    else:
        path.mkdir()
    for fields in ({"target": "/etc/passwd"}, {"ensure": "absent"}):
        item = made("symlink-unix", dict(fields), path)
        assert apply(ports, item).result.status == "failed"
    assert not path.is_symlink()
    assert path.exists()


def test_a_real_link_is_made_replaced_and_taken_away(ports: LinuxPorts, tmp_path: Path) -> None:
    """And what it leads to is never touched."""
    target, path = tmp_path / "target", tmp_path / "l"
    target.write_text("theirs")
    first = apply(ports, made("symlink-unix", {"target": "elsewhere"}, path))
    item = made("symlink-unix", {"target": str(target)}, path)
    second = apply_plan("op", "n", [item], first.snapshot, ports, approved=None)
    assert second.result.status == "succeeded"
    assert path.read_text() == "theirs"
    assert make_plan("n", [item], second.snapshot, ports).summary.none == 1
    apply_plan("op", "n", [], second.snapshot, ports, approved=None)
    assert not path.is_symlink()
    assert target.read_text() == "theirs"


@needs_root
def test_an_owner_is_given_to_the_link_and_not_to_its_target(
    ports: LinuxPorts, tmp_path: Path
) -> None:
    """Else a link to the password file would be the way to own it."""
    victim = tmp_path / "victim"
    victim.write_text("root's")
    path = tmp_path / "l"
    item = made("symlink-unix", {"target": str(victim), "owner": str(NOBODY)}, path)
    assert apply(ports, item).result.status == "succeeded"
    assert (path.lstat().st_uid, victim.stat().st_uid) == (NOBODY, 0)


@needs_root
def test_a_planted_temporary_file_is_not_written_through(ports: LinuxPorts, tmp_path: Path) -> None:
    """A hard link to somebody's file under the temporary name loses its name and nothing else."""
    victim = tmp_path / "victim"
    victim.write_text("root's")
    os.link(victim, tmp_path / temporary_name("l"))
    ports.files.make_symlink(str(tmp_path / "l"), "to", NOBODY, NOBODY)
    assert (tmp_path / "l").readlink() == Path("to")
    found = victim.stat()
    assert (found.st_uid, found.st_nlink, victim.read_text()) == (0, 1, "root's")


def test_a_link_on_the_way_is_not_followed_into_another_users_tree(
    ports: LinuxPorts, tmp_path: Path
) -> None:
    """In a directory that everybody may write to."""
    shared, elsewhere = tmp_path / "shared", tmp_path / "elsewhere"
    shared.mkdir()
    elsewhere.mkdir()
    shared.chmod(0o777)
    (shared / "d").symlink_to(elsewhere)
    with pytest.raises(PortError):
        ports.files.make_symlink(str(shared / "d" / "l"), "to", -1, -1)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("line-in-file", {"line": "a\nroot::0:0::/:/bin/sh"}),
        ("block-in-file", {"marker": "m\nx", "block": ""}),
        ("block-in-file", {"marker": "m", "block": "a\n# END m\nb"}),
        ("ini-setting", {"key": "k", "value": "v\n[other]"}),
        ("ini-setting", {"key": "k\n[other]\nx", "value": "v"}),
        ("ini-setting", {"section": "a]\n[b", "key": "k", "value": "v"}),
        ("hosts-entry", {"ip": "192.0.2.1", "names": ["a\n192.0.2.2 bank.example"]}),
        ("hosts-entry", {"ip": "192.0.2.1 bank.example\n192.0.2.1", "names": ["a"]}),
        ("symlink-unix", {"target": "a\nb"}),
    ],
)
def test_a_value_cannot_add_a_line_of_its_own(kind: str, fields: dict[str, Json]) -> None:
    """Values come from tags and facts, which an operator did not sign."""
    assert KINDS[kind].validate({"path": "/f", **fields}) != []


def test_a_real_check_decides_over_a_real_file(ports: LinuxPorts, tmp_path: Path) -> None:
    """A shell script with an error in it never takes the place of one that works."""
    path = tmp_path / "hook"
    command: list[Json] = ["/bin/sh", "-n", "{file}"]
    good = made("file-unix", {"content": "echo one\n", "validate": command}, path)
    assert apply(ports, good).result.status == "succeeded"
    bad = made("file-unix", {"content": "if then (\n", "validate": command}, path)
    outcome = apply(ports, bad)
    assert outcome.result.status == "failed"
    assert "stays as it is" in (outcome.result.resources[0].error or "")
    assert path.read_text() == "echo one\n"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["hook", "state"]


def test_what_is_swapped_while_it_is_checked_does_not_take_the_place(
    ports: LinuxPorts, tmp_path: Path
) -> None:
    """Who can write to the directory can put another file under the checked one's name."""
    path = tmp_path / "conf"
    path.write_text("old")

    def swap(candidate: str) -> None:
        Path(candidate).unlink()
        Path(candidate).write_bytes(b"theirs")

    with pytest.raises(PortError, match="changed meanwhile"):
        ports.files.write(str(path), b"ours", 0o644, -1, -1, swap)
    assert path.read_text() == "old"


@pytest.mark.parametrize("kind", ["file-unix", "directory-unix"])
def test_absent_never_goes_through_a_link(kind: str, ports: LinuxPorts, tmp_path: Path) -> None:
    """Neither the link nor what it leads to is deleted."""
    target, path = tmp_path / "target", tmp_path / "l"
    if kind == "file-unix":
        target.write_text("theirs")
    else:
        target.mkdir()
    path.symlink_to(target)
    assert apply(ports, made(kind, {"ensure": "absent"}, path)).result.status == "failed"
    assert path.is_symlink()
    assert target.exists()


def test_absent_keeps_a_copy_of_a_file_and_a_full_directory(
    ports: LinuxPorts, tmp_path: Path
) -> None:
    """Files first, then the directory that they leave empty, in one apply."""
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "f").write_text("theirs")
    directory = made("directory-unix", {"ensure": "absent"}, folder)
    assert apply(ports, directory).result.status == "failed"
    assert (folder / "f").read_text() == "theirs"
    file = made("file-unix", {"ensure": "absent"}, folder / "f")
    plan = make_plan("n", [file, directory], Snapshot(), ports)
    approved = frozenset(item.digest for item in plan.resources)
    outcome = apply_plan("op", "n", [file, directory], Snapshot(), ports, approved=approved)
    assert outcome.result.status == "succeeded", outcome.result
    assert not folder.exists()
    assert make_plan("n", [file, directory], outcome.snapshot, ports).summary.none == 2
    digest = hashlib.sha256(b"theirs").hexdigest()
    assert ports.backups.content(digest) == b"theirs"
    apply_plan("op", "n", [], outcome.snapshot, ports, approved=None)
    assert not folder.exists()
