"""What git prints and writes, and what it is told."""

from __future__ import annotations

import pytest

from protocol.reports import CapturedStream
from state_engine.ports import PortError, ProgramCall
from state_engine.resources.parts import git_tools
from state_engine.resources.parts.git_tools import Git, Worktree
from tests.fakes.ports import FakePorts, FakePrograms, Node


def test_short_status_is_read_with_any_name() -> None:
    """Renames have two names; a name may hold spaces, arrows and newlines."""
    text = " M a b\0R  new -> x\0old\0?? n\nl\0A  c\0?? d/\0"
    assert git_tools.parse_status(text) == (("a b", "new -> x", "c"), 2)
    assert git_tools.parse_status("") == ((), 0)


def test_packed_refs_are_read() -> None:
    """Comments and the commits behind tag objects are passed over."""
    one, two = "1" * 40, "2" * 40
    text = f"# pack-refs with: peeled\n{one} refs/heads/main\n{two} refs/tags/v1\n^{one}\nbad x\n"
    assert git_tools.parse_packed_refs(text) == {"refs/heads/main": one, "refs/tags/v1": two}


@pytest.mark.parametrize(
    "repo",
    [
        "https://git.example.org/a.git",
        "ssh://git@example.org:2222/a",
        "git@example.org:team/a.git",
        "file:///srv/a",
    ],
)
def test_addresses_that_git_may_be_given(repo: str) -> None:
    """Encrypted, or on this host."""
    assert git_tools.check_address(repo) == []


@pytest.mark.parametrize("name", ["main", "v1.2", "feature/x", "a@b", "1"])
def test_names_of_branches_and_tags(name: str) -> None:
    """As people use them."""
    assert git_tools.is_ref_name(name)


@pytest.mark.parametrize(
    "name", ["", "-x", "a..b", "a b", "a/", "a.lock", "@{0}", "a@{1}", "a:b", "a*", "/a", "a\n"]
)
def test_names_that_would_be_something_else(name: str) -> None:
    """Options, ranges, patterns, refspecs."""
    assert not git_tools.is_ref_name(name)


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        (Worktree("h", "o"), None),
        (Worktree("h", "o", ("f",)), "f is changed"),
        (Worktree("h", "o", (), 2), "2 files"),
        (Worktree("h", "o", (), 0, ("mine",)), "branch mine"),
    ],
)
def test_what_is_somebodys_work(tree: Worktree, reason: str | None) -> None:
    """Changes, unknown files, local branches."""
    assert tree.work is None if reason is None else reason in (tree.work or "")


def test_what_stands_there_has_to_be_a_tree() -> None:
    """A file, a directory with something in it, a worktree of another repository: refused."""
    ports = FakePorts()
    ports.files.put("/t", Node("directory", 0o755, 0, 0))
    for inner in (None, Node("file", 0o644, 0, 0), Node("symlink", 0o777, 0, 0, b"/etc")):
        if inner is not None:
            ports.files.put("/t/.git", inner)
        with pytest.raises(PortError, match="no git working tree"):
            Git("/t", None).look(ports)
    assert Git("/u", None).look(ports) is None
    assert ports.programs.calls == []


def test_a_tree_of_another_owner_is_not_given_to_git() -> None:
    """Whose settings would be obeyed with our rights."""
    ports = FakePorts()
    ports.files.put("/t", Node("directory", 0o755, 1000, 1000))
    ports.files.put("/t/.git", Node("directory", 0o755, 1000, 1000))
    ports.files.put("/t/.git/HEAD", Node("file", 0o644, 1000, 1000, b"a" * 40))
    assert Git("/t", "root").look(ports) == Worktree("a" * 40, "app", foreign=True)
    assert ports.programs.calls == []


def test_a_branch_is_asked_by_its_whole_name() -> None:
    """A branch of another name that ends in it is not the answer; none is an error."""
    ports = FakePorts()
    ports.programs = Answers(f"{'b' * 40}\trefs/heads/x/main\n{'c' * 40}\trefs/heads/main\n")
    git = Git("/t", None)
    assert git.remote_branch("https://x/y", "main", ports) == "c" * 40
    ports.programs = Answers("")
    with pytest.raises(PortError, match="no branch"):
        git.remote_branch("https://x/y", "main", ports)


class Answers(FakePrograms):
    """A git that says one thing."""

    def __init__(self, answer: str) -> None:
        super().__init__()
        self._answer = answer

    def run(self, call: ProgramCall) -> CapturedStream:
        self.calls.append(" ".join(call.argv))
        return CapturedStream(0, self._answer, "")


def test_every_call_has_the_safe_settings() -> None:
    """No hook, no monitor, no `ext::`, no prompt; the tree is this one and no other."""
    git = Git("/srv/t", "app")
    steps = (
        git.fetch("v1", None, 1),
        git.checkout("a" * 40),
        git.restore(),
        git.verify("a" * 40, "/k"),
        git.set_origin("https://x/y"),
        git.init(),
    )
    for step in steps:
        argv, env = " ".join(step.call.argv), dict(step.call.env)
        assert "core.hooksPath=/dev/null" in argv
        assert "core.fsmonitor=false" in argv
        assert "protocol.allow=never" in argv
        assert env["GIT_TERMINAL_PROMPT"] == "0"
        assert step.call.user == "app"
        assert step is steps[-1] or env["GIT_WORK_TREE"] == "/srv/t"
        assert "safe.directory= " in argv  # nobody's `*` lets us obey another user's settings
