"""What every implementation of the ports promises: the fake and the real one."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from state_engine.host.linux import LinuxPorts
from state_engine.ports import PortError, Ports, ProgramCall
from tests.fakes.ports import FakePorts, Node


class World:
    """Ports, and a directory in which a test may do what it likes."""

    def __init__(self, ports: Ports, root: str) -> None:
        self.ports = ports
        self.root = root
        self.uid = os.geteuid() if isinstance(ports, LinuxPorts) else 0
        self.gid = os.getegid() if isinstance(ports, LinuxPorts) else 0

    def write(self, name: str, content: bytes = b"x", mode: int = 0o644) -> str:
        path = f"{self.root}/{name}"
        self.ports.files.write(path, content, mode, -1, -1)
        return path

    def link(self, name: str) -> str:
        path = f"{self.root}/{name}"
        if isinstance(self.ports, FakePorts):
            self.ports.files.put(path, Node("symlink", 0o777, 0, 0))
        else:
            Path(path).symlink_to("/etc/passwd")
        return path


@pytest.fixture(params=["fake", "linux"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    if request.param == "fake":
        fake = FakePorts()
        fake.files.put("/w", Node("directory", 0o755, 0, 0))
        return World(fake, "/w")
    (tmp_path / "w").mkdir()
    return World(LinuxPorts(tmp_path / "state", b"k" * 32), str(tmp_path / "w"))


def refused(world: World, call: str, *arguments: object) -> str:
    """Return the code with which a file call is refused."""
    with pytest.raises(PortError) as caught:
        getattr(world.ports.files, call)(*arguments)
    return caught.value.code


def test_what_is_written_can_be_seen_and_read(world: World) -> None:
    """A write sets content, mode and our own owner, whatever the umask."""
    path = world.write("a", b"hello", 0o640)
    stat = world.ports.files.stat(path)
    assert stat is not None
    assert (stat.type, stat.mode, stat.size) == ("file", 0o640, 5)
    assert (stat.uid, stat.gid) == (world.uid, world.gid)
    assert world.ports.files.read(path, 100) == b"hello"
    assert world.ports.files.read(path, 2) == b"he"
    assert world.ports.files.digest(path) == hashlib.sha256(b"hello").hexdigest()


def test_a_write_replaces_content_and_mode_together(world: World) -> None:
    """The second write leaves nothing of the first."""
    path = world.write("a", b"long content", 0o600)
    before = world.ports.files.stat(path)
    world.write("a", b"b", 0o755)
    after = world.ports.files.stat(path)
    assert before is not None
    assert after is not None
    assert (after.mode, world.ports.files.read(path, 9)) == (0o755, b"b")
    assert after.inode != before.inode
    assert world.ports.files.digest(path) == hashlib.sha256(b"b").hexdigest()


def test_a_write_that_is_not_accepted_leaves_the_old_file(world: World) -> None:
    """The candidate stands beside it, whole and with its mode, and is gone after either answer."""
    files = world.ports.files
    path = world.write("a", b"old", 0o600)
    seen: list[tuple[str, bytes, int]] = []

    def look(candidate: str) -> None:
        stat = files.stat(candidate)
        assert stat is not None
        seen.append((candidate, files.read(candidate, 100), stat.mode))

    def refuse(candidate: str) -> None:
        look(candidate)
        raise PortError("no")

    with pytest.raises(PortError, match="no"):
        files.write(path, b"new", 0o640, -1, -1, refuse)
    assert files.read(path, 100) == b"old"
    files.write(path, b"new", 0o640, -1, -1, look)
    assert files.read(path, 100) == b"new"
    assert [each[1:] for each in seen] == [(b"new", 0o640)] * 2
    for candidate, _, _ in seen:
        assert candidate.rpartition("/")[0] == world.root
        assert files.stat(candidate) is None


@pytest.mark.parametrize("name", ["missing", "missing/below", "file/below"])
def test_nothing_there_is_none_and_not_an_error(world: World, name: str) -> None:
    """Looking for a path that does not exist, on any level, gives None."""
    world.write("file")
    assert world.ports.files.stat(f"{world.root}/{name}") is None


@pytest.mark.parametrize("path", ["relative", "/a/../b", "/a//b", "/a/./b", "/a/"])
def test_only_normalised_absolute_paths_are_walked(world: World, path: str) -> None:
    """A path that could mean another one is refused by every call."""
    assert refused(world, "stat", path) == "EINVAL"
    assert refused(world, "write", path, b"", 0o644, -1, -1) == "EINVAL"
    assert refused(world, "remove", path) == "EINVAL"


def test_a_final_symlink_is_seen_and_never_followed(world: World) -> None:
    """Stat says symlink; reading, writing and changing attributes are refused; removing works."""
    path = world.link("l")
    stat = world.ports.files.stat(path)
    assert stat is not None
    assert stat.type == "symlink"
    assert refused(world, "digest", path) == "EINVAL"
    assert refused(world, "read", path, 10) == "EINVAL"
    assert refused(world, "write", path, b"", 0o644, -1, -1) == "EINVAL"
    assert refused(world, "set_mode", path, 0o777) == "EINVAL"
    assert refused(world, "set_owner", path, 0, 0) == "EINVAL"
    world.ports.files.remove(path)
    assert world.ports.files.stat(path) is None


def test_a_symlink_is_made_read_and_replaced(world: World) -> None:
    """It leads where it was told, in one step in place of another link; nothing need be there."""
    files = world.ports.files
    path = f"{world.root}/l"
    files.make_symlink(path, "no/such/ü", -1, -1)
    stat = files.stat(path)
    assert stat is not None
    assert (stat.type, stat.uid, stat.gid) == ("symlink", world.uid, world.gid)
    assert files.read_link(path) == "no/such/ü"
    files.make_symlink(path, "/etc", world.uid, world.gid)
    assert files.read_link(path) == "/etc"
    files.remove(path)
    assert files.is_empty(world.root)


def test_only_a_symlink_is_read_and_replaced_as_one(world: World) -> None:
    """A file or directory in its place stays; a missing parent is an error."""
    files = world.ports.files
    path = world.write("a", b"theirs")
    assert refused(world, "read_link", path) == "EINVAL"
    assert refused(world, "read_link", f"{world.root}/missing") == "ENOENT"
    assert refused(world, "make_symlink", path, "/etc", -1, -1) == "EEXIST"
    assert refused(world, "make_symlink", f"{world.root}/no/l", "/etc", -1, -1) == "ENOENT"
    files.make_directory(f"{world.root}/d", 0o755, -1, -1)
    assert refused(world, "make_symlink", f"{world.root}/d", "/etc", -1, -1) == "EEXIST"
    assert files.read(path, 10) == b"theirs"


def test_directories_are_made_once_and_removed_when_empty(world: World) -> None:
    """A full directory stays; an existing one is not made again; a missing parent is an error."""
    files = world.ports.files
    path = f"{world.root}/d"
    files.make_directory(path, 0o750, -1, -1)
    stat = files.stat(path)
    assert stat is not None
    assert (stat.type, stat.mode) == ("directory", 0o750)
    assert files.is_empty(path)
    assert refused(world, "make_directory", path, 0o755, -1, -1) == "EEXIST"
    assert refused(world, "make_directory", f"{world.root}/no/d", 0o755, -1, -1) == "ENOENT"
    inside = world.write("d/file")
    assert not files.is_empty(path)
    assert refused(world, "remove", path) == "ENOTEMPTY"
    files.remove(inside)
    files.remove(path)
    assert files.stat(path) is None


def test_attributes_are_set_without_touching_content(world: World) -> None:
    """Mode and owner change, -1 keeps."""
    path = world.write("a", b"x", 0o644)
    world.ports.files.set_mode(path, 0o4711)
    world.ports.files.set_owner(path, -1, -1)
    stat = world.ports.files.stat(path)
    assert stat is not None
    assert (stat.mode, stat.uid, stat.gid) == (0o4711, world.uid, world.gid)
    assert world.ports.files.read(path, 9) == b"x"


def test_only_what_every_user_may_read_is_public(world: World) -> None:
    """The read bit for others decides (and the way there: the root of this test is private)."""
    path = world.write("a", b"hello", 0o640)
    files = world.ports.files
    assert files.read_public(path, 100) is None
    files.set_mode(path, 0o604)
    assert files.read_public(path, 2) == (b"he" if isinstance(world.ports, FakePorts) else None)
    if not isinstance(world.ports, FakePorts):
        assert files.read_public("/proc/version", 5) == b"Linux"


def test_a_directory_names_what_stands_in_it(world: World) -> None:
    """Names only, sorted, of every type, not of what is below; a file has none."""
    files = world.ports.files
    files.make_directory(f"{world.root}/d", 0o755, -1, -1)
    path = world.write("d/b")
    world.link("d/a")
    files.make_directory(f"{world.root}/d/c", 0o755, -1, -1)
    world.write("d/c/below")
    assert files.names(f"{world.root}/d") == ("a", "b", "c")
    assert refused(world, "names", path) == "ENOTDIR"


def test_what_is_missing_cannot_be_read_changed_or_removed(world: World) -> None:
    """Each call names ENOENT."""
    path = f"{world.root}/missing"
    for call, arguments in (
        ("digest", ()),
        ("read", (1,)),
        ("read_public", (1,)),
        ("set_mode", (0o644,)),
        ("set_owner", (0, 0)),
        ("remove", ()),
        ("is_empty", ()),
        ("names", ()),
    ):
        assert refused(world, call, path, *arguments) == "ENOENT"


def test_a_glance_never_says_yes_to_what_is_not_so(world: World) -> None:
    """`matches` may say False at any time, and True only if every asked fact holds."""
    path = world.write("a", b"x", 0o644)
    files = world.ports.files
    good = hashlib.sha256(b"x").hexdigest()
    files.digest(path)
    assert files.matches(path, "file", 0o644, world.uid, world.gid, None)
    assert not files.matches(path, "file", 0o644, None, None, "0" * 64)
    assert not files.matches(path, "file", 0o600, None, None, None)
    assert not files.matches(path, "file", None, world.uid + 1, None, None)
    assert not files.matches(path, "file", None, None, world.gid + 1, None)
    assert not files.matches(path, "directory", None, None, None, None)
    assert not files.matches(f"{world.root}/missing", "file", None, None, None, None)
    assert files.matches(world.root, "directory", None, None, None, None)
    world.write("a", b"y", 0o644)
    assert not files.matches(path, "file", 0o644, None, None, good)


def test_kept_copies_are_found_by_their_digest(world: World) -> None:
    """A copy outlives the file; the same content is kept once; an unknown name is refused."""
    path = world.write("a", b"old")
    digest = world.ports.backups.keep(path)
    assert world.ports.backups.keep(path) == digest
    world.ports.files.remove(path)
    assert world.ports.backups.content(digest) == b"old"
    with pytest.raises(PortError):
        world.ports.backups.content("0" * 64)


def test_programs_give_exit_code_and_both_streams(world: World) -> None:
    """A failing program is an answer; one that cannot be started is a PortError."""
    run = world.ports.programs.run
    assert run(ProgramCall(("/bin/sh",), script=b"exit 3")).exit == 3
    both = run(ProgramCall(("/bin/sh",), script=b"echo out; echo err >&2"))
    assert (both.exit, both.stdout, both.stderr, both.truncated) == (0, "out\n", "err\n", False)
    assert run(ProgramCall(("/bin/sh",), script=b"no-such-command-here")).exit == 127
    with pytest.raises(PortError):
        run(ProgramCall(("/nonexistent/program",)))


def test_accounts_translate_both_ways(world: World) -> None:
    """Names and numbers; what has no name is its number as text."""
    accounts = world.ports.accounts
    assert (accounts.uid("root"), accounts.gid("root")) == (0, 0)
    assert (accounts.user(0), accounts.group(0)) == ("root", "root")
    assert accounts.uid("no-such-user-here") is None
    assert accounts.gid("no-such-group-here") is None
    assert (accounts.user(4_000_000_001), accounts.group(4_000_000_001)) == ("4000000001",) * 2
    accounts.forget()
    assert accounts.uid("root") == 0


def test_fingerprints_are_stable_and_tell_values_apart(world: World) -> None:
    """One value has one fingerprint, which is not its plain digest."""
    one = world.ports.fingerprint(b"one")
    assert one == world.ports.fingerprint(b"one")
    assert one != world.ports.fingerprint(b"two")
    assert one != hashlib.sha256(b"one").hexdigest()


def test_the_clock_gives_seconds(world: World) -> None:
    """It is a number that does not go back in a short test."""
    assert 0 < world.ports.clock() <= world.ports.clock()


def test_content_by_address_has_the_digest_that_was_asked_for(world: World) -> None:
    """And nothing else is ever handed out."""
    sha256 = hashlib.sha256(b"x").hexdigest()
    path = world.write("source", b"x")
    if isinstance(world.ports, FakePorts):
        world.ports.sources.held[f"file://{path}"] = b"x"
    assert world.ports.sources.fetch(f"file://{path}", sha256) == b"x"
    for url, digest in ((f"file://{path}", "0" * 64), (f"file://{path}.gone", "1" * 64)):
        with pytest.raises(PortError):
            world.ports.sources.fetch(url, digest)
