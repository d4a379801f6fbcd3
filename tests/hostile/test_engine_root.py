"""A user of the managed host, or a module's author, tries to get from the engine what is root's."""

from __future__ import annotations

import os
import resource as limits
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from state_engine.engine.apply import apply_plan
from state_engine.engine.plan import make_plan
from state_engine.engine.progress import ApplyOutcome
from state_engine.host import walk
from state_engine.host.files import LinuxFiles
from state_engine.host.linux import LinuxPorts
from state_engine.host.programs import LinuxPrograms
from state_engine.host.state_directory import StateDirectory
from state_engine.language.validate import check_text
from state_engine.model import AppliedResource, ResolvedResource, Snapshot
from state_engine.ports import MAX_CONTENT, PortError, ProgramCall
from tests.fakes.resources import a_file

pytestmark = pytest.mark.hostile
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="plays root and another user: needs root")
NOBODY = 65534


@pytest.fixture
def ports(tmp_path: Path) -> LinuxPorts:
    return LinuxPorts(tmp_path / "state", b"k" * 32)


def apply(
    ports: LinuxPorts, *resources: ResolvedResource, snapshot: Snapshot | None = None
) -> ApplyOutcome:
    return apply_plan("op", "n", resources, snapshot or Snapshot(), ports, approved=None)


def given_to_nobody(path: Path, content: bytes, mode: int) -> Path:
    path.write_bytes(content)
    os.chown(path, NOBODY, NOBODY)
    path.chmod(mode)
    return path


@needs_root
def test_a_users_program_does_not_become_set_uid_root(ports: LinuxPorts, tmp_path: Path) -> None:
    """`owner: root` over a user's own set-user-id program: the bit goes, as the kernel wants."""
    path = given_to_nobody(tmp_path / "tool", b"theirs", 0o6755)
    outcome = apply(ports, a_file(str(path), None, owner="root", group="root"))
    assert outcome.result.status == "succeeded"
    found = path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 0, 0o755)


@needs_root
@pytest.mark.parametrize(
    ("mode", "fields"),
    [(0o644, {"owner": "root", "group": "root"}), (0o666, {"mode": "0644"})],
)
def test_who_held_a_file_open_cannot_write_to_what_it_became(
    ports: LinuxPorts, tmp_path: Path, mode: int, fields: dict[str, str]
) -> None:
    """Where others could write, the file is made anew: their open handles end at the old one."""
    path = given_to_nobody(tmp_path / "unit", b"right\n", mode)
    with path.open("r+b", buffering=0) as held:
        apply(ports, a_file(str(path), "right\n", **fields))
        held.write(b"WRONG\n")
    assert path.read_bytes() == b"right\n"


SWAP = """
import os, sys
os.chdir(sys.argv[1])
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print("ready", flush=True)
while True:
    try:
        os.rename("new", "aside")
    except OSError:
        continue
    os.rename("secret", "new")
    os.rename("new", "secret")
    try:
        os.rmdir("aside")
    except OSError:
        os.rename("aside", "secret")
"""


@needs_root
def test_a_directory_swapped_in_for_the_new_one_is_not_given_away(tmp_path: Path) -> None:
    """Between making and opening, the user puts root's directory in its place: it stays root's."""
    (tmp_path / "secret").mkdir(mode=0o700)
    (tmp_path / "secret" / "key").write_bytes(b"root's")
    before = (tmp_path / "secret").stat()
    os.chown(tmp_path, NOBODY, NOBODY)
    command = [sys.executable, "-c", SWAP, str(tmp_path)]
    files, path = LinuxFiles(), str(tmp_path / "new")
    done = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as racer:
        try:
            assert racer.stdout is not None
            assert racer.stdout.readline() == b"ready\n"
            for _ in range(5_000):
                with suppress(PortError):
                    files.make_directory(path, 0o755, NOBODY, NOBODY)
                    done += 1
                with suppress(PortError):
                    files.remove(path)
        finally:
            racer.kill()
    [found] = [child.stat() for child in tmp_path.iterdir() if child.stat().st_ino == before.st_ino]
    assert done > 0
    assert (found.st_uid, found.st_mode) == (before.st_uid, before.st_mode)


@needs_root
def test_roots_link_below_a_users_directory_is_not_followed(tmp_path: Path) -> None:
    """The user can move the directory of root's that holds the link: it leads where he likes."""
    home, secret = tmp_path / "home", tmp_path / "secret"
    (home / "tree").mkdir(parents=True)
    secret.mkdir()
    (home / "tree" / "run").symlink_to(secret)
    os.chown(home, NOBODY, NOBODY)
    with pytest.raises(PortError) as caught:
        LinuxFiles().write(str(home / "tree" / "run" / "file"), b"ours", 0o644, -1, -1)
    assert caught.value.code == "ELOOP"
    assert list(secret.iterdir()) == []


@needs_root
def test_a_hard_link_below_a_users_directory_is_not_given_away(tmp_path: Path) -> None:
    """The directory is root's own, but the user can put it there."""
    (tmp_path / "home" / "tree").mkdir(parents=True)
    (tmp_path / "home" / "tree" / "one").write_bytes(b"root's")
    os.link(tmp_path / "home" / "tree" / "one", tmp_path / "home" / "tree" / "two")
    os.chown(tmp_path / "home", NOBODY, NOBODY)
    with pytest.raises(PortError) as caught:
        LinuxFiles().set_owner(str(tmp_path / "home" / "tree" / "two"), NOBODY, NOBODY)
    assert caught.value.code == "EMLINK"


@pytest.mark.parametrize("resident", [True, False])
def test_a_huge_file_in_a_managed_place_costs_no_reading(
    ports: LinuxPorts, tmp_path: Path, resident: bool
) -> None:
    """A sparse file of a terabyte is seen to differ; a plan does not read it."""
    path = tmp_path / "big"
    with path.open("wb") as file:
        file.truncate(10**12 if resident else MAX_CONTENT + 1)
    item = make_plan("n", (a_file(str(path)),), Snapshot(), ports, verify_content=True).resources[0]
    assert item.action == "update"
    assert "larger than" in (item.changes[0].current or "")
    other = path.stat().st_size + 1
    os.truncate(path, other)
    again = make_plan("n", (a_file(str(path)),), Snapshot(), ports).resources[0]
    assert again.digest != item.digest


def test_a_huge_file_that_is_ours_is_put_right(ports: LinuxPorts, tmp_path: Path) -> None:
    """Content that we wrote ourselves needs no copy before it is written again."""
    path = tmp_path / "big"
    first = apply(ports, a_file(str(path)))
    os.truncate(path, 10**12)
    again = apply(ports, a_file(str(path)), snapshot=first.snapshot)
    assert again.result.status == "succeeded"
    assert path.read_bytes() == b"x\n"


def test_a_removal_through_another_spelling_keeps_what_is_desired(
    ports: LinuxPorts, tmp_path: Path
) -> None:
    """`/var/run/x` becomes `/run/x`, the same file: removing one would delete the other."""
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to("run")
    old, new = str(tmp_path / "link" / "x"), str(tmp_path / "run" / "x")
    first = apply(ports, a_file(old))
    second = apply(ports, a_file(new, "new\n"), snapshot=first.snapshot)
    assert second.result.status == "succeeded"
    assert Path(new).read_bytes() == b"new\n"
    removed = next(item for item in second.result.resources if item.action == "remove")
    assert removed.status == "unchanged"
    assert [held.resource.identity for held in second.snapshot.applied] == [new]


@pytest.fixture
def no_handles() -> Iterator[None]:
    """A process that may open nothing more."""
    before = limits.getrlimit(limits.RLIMIT_NOFILE)
    held: list[int] = []
    limits.setrlimit(limits.RLIMIT_NOFILE, (64, before[1]))
    try:
        while True:
            held.append(os.open("/", os.O_RDONLY))
    except OSError:
        yield
    finally:
        for handle in held:
            os.close(handle)
        limits.setrlimit(limits.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("no_handles")
def test_running_out_of_handles_is_a_refusal_like_any_other() -> None:
    """EMFILE comes as a `PortError`, so that one item fails and the apply goes on."""
    with pytest.raises(PortError) as caught, walk.parent_of("/etc/passwd"):
        pass
    assert caught.value.code == "EMFILE"
    with pytest.raises(PortError):
        LinuxPrograms().run(ProgramCall(("/bin/sh",), script=b"true"))


def test_a_readable_state_directory_does_not_give_its_journal_away(tmp_path: Path) -> None:
    """The journal holds contents of files: it is ours alone, whatever the directory's mode."""
    (tmp_path / "state").mkdir(mode=0o755)
    state = StateDirectory(tmp_path / "state")
    with state.locked(), state.journalling() as journal:
        journal.add(b"secret")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in state.path.iterdir()}
    assert modes == {"lock": 0o600, "journal.jsonl": 0o600}


def test_a_text_cannot_be_multiplied_by_aliases() -> None:
    """A text of 100 KB that is used 2,000 times is 200 MB: refused before it is looked at."""
    big = "${{ node.name }}" * 6_000
    head = (
        f"name: b\nsupports: [{{platform: linux}}]\ntemplates:\n- {{id: t, content: &a '{big}'}}\n"
    )
    items = [f"- resource: {{file-unix: {{path: /a{i}, content: *a}}}}" for i in range(2_000)]
    data = (head + "resources:\n" + "\n".join(items)).encode()
    module, problems = check_text(data)
    assert module is None
    assert [problem.code for problem in problems] == ["too-many-values"]


def test_what_appears_between_the_look_and_the_act_is_not_overwritten(
    ports: LinuxPorts, tmp_path: Path
) -> None:
    """A `create` that finds something there when it acts is no create any more."""
    path = tmp_path / "f"
    clock = ports.clock

    def appear() -> float:  # asked between the look and the act
        if len(calls) == 1:
            path.write_bytes(b"a person's")
        calls.append(None)
        return clock()

    calls: list[None] = []
    ports.clock = appear
    outcome = apply(ports, a_file(str(path)))
    assert outcome.result.status == "failed"
    assert path.read_bytes() == b"a person's"


def test_a_kept_record_cannot_make_a_removal_restore_other_attributes(ports: LinuxPorts) -> None:
    """What a restored file's mode and owner will be is part of what is approved."""
    held = AppliedResource(a_file("/nowhere"), pre_image="0" * 64, pre_mode=0o600, pre_uid=0)
    digests = {
        make_plan("n", (), Snapshot(applied=(record,)), ports).digest
        for record in (
            held,
            AppliedResource(held.resource, pre_image="0" * 64, pre_mode=0o4755, pre_uid=0),
            AppliedResource(held.resource, pre_image="0" * 64, pre_mode=0o600, pre_uid=NOBODY),
        )
    }
    assert len(digests) == 3
