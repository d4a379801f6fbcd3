"""The kind git-checkout with real git, real trees, and another user."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from pathlib import Path

import pytest

from protocol.canonical import Json
from protocol.reports import PlanResult
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.engine.progress import ApplyOutcome
from state_engine.engine.steps import Outcome, carry_out
from state_engine.host.linux import LinuxPorts
from state_engine.model import Snapshot
from state_engine.resources.git_checkout import GitCheckout
from tests.fakes.git_remote import Remote, git
from tests.fakes.resources import resource

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("git") is None, reason="needs git"),
]


class World:
    """A remote, a place for the tree, and the real ports."""

    def __init__(self, tmp_path: Path) -> None:
        self.remote = Remote(tmp_path / "remote")
        self.tree = tmp_path / "tree"
        self.ports = LinuxPorts(tmp_path / "state", b"k" * 32)

    def spec(self, **fields: Json) -> dict[str, Json]:
        base: dict[str, Json] = {"path": str(self.tree)}
        if fields.get("ensure") != "absent":
            base["repo"] = self.remote.url
        return {**base, **fields}

    def plan(self, spec: dict[str, Json], before: Snapshot | None = None) -> PlanResult:
        item = resource("git-checkout", str(self.tree), spec)
        return make_plan("node", [item], before or Snapshot(), self.ports)

    def apply(self, *specs: dict[str, Json], before: Snapshot | None = None) -> ApplyOutcome:
        items = [resource("git-checkout", str(self.tree), spec) for spec in specs]
        return apply_plan("op", "node", items, before or Snapshot(), self.ports, approved=None)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def starting(world: World, state: str) -> None:
    """Bring the tree into a state that somebody may have left."""
    if state == "nothing":
        return
    if state == "empty":
        world.tree.mkdir()
        return
    world.remote.clone(world.tree, world.remote.first if state == "old" else world.remote.second)
    if state == "changed":
        (world.tree / "file").write_text("mine\n", encoding="utf-8")
    if state == "staged":
        (world.tree / "file").write_text("mine\n", encoding="utf-8")
        git(world.tree, "add", "file")
    if state == "deleted":
        (world.tree / "file").unlink()
    if state == "unknown":
        (world.tree / "notes").write_text("mine\n", encoding="utf-8")
    if state == "other origin":
        git(world.tree, "config", "remote.origin.url", "https://other.example.org/x.git")


@pytest.mark.parametrize("revision", ["commit", "tag", "branch"])
@pytest.mark.parametrize(
    "state",
    ["nothing", "empty", "old", "new", "unknown", "other origin", "changed", "staged", "deleted"],
)
def test_a_tree_converges_from_every_state_or_is_left_alone(
    world: World, revision: str, state: str
) -> None:
    """Local changes stop it, and are as they were; with `force` they go. Unknown files stay."""
    starting(world, state)
    names: dict[str, Json] = {"commit": world.remote.first, "tag": "v1", "branch": "main"}
    spec = world.spec(**{revision: names[revision]})
    if state in {"changed", "staged", "deleted"}:
        before = git(world.tree, "status", "--porcelain")
        plan = world.plan(spec)
        assert plan.resources[0].action == "error"
        assert "file changed in" in (plan.resources[0].message or "")
        assert world.apply(spec).result.status == "failed"
        assert git(world.tree, "status", "--porcelain") == before
        spec["force"] = True
    plan = world.plan(spec)
    outcome = world.apply(spec)
    assert outcome.result.status == "succeeded", outcome.result
    wanted = world.remote.second if revision == "branch" else world.remote.first
    assert git(world.tree, "rev-parse", "HEAD") == wanted
    assert git(world.tree, "config", "remote.origin.url") == world.remote.url
    assert (world.tree / "notes").exists() == (state == "unknown")
    assert world.plan(spec, outcome.snapshot).summary.none == 1
    assert find_drift(outcome.snapshot, world.ports) == ()
    if plan.summary.none == 0:
        again = git(world.tree, "status", "--porcelain", "--untracked-files=no")
        assert not again


def test_a_branch_that_moved_is_pending_and_followed(world: World) -> None:
    """The plan names both commits; cut off from the remote, the tree is still looked at."""
    spec = world.spec(branch="main", depth=1)
    first = world.apply(spec)
    third = world.remote.commit("three")
    (change,) = world.plan(spec, first.snapshot).resources[0].changes
    assert (change.current, change.desired) == (world.remote.second, third)
    second = world.apply(spec, before=first.snapshot)
    assert git(world.tree, "rev-parse", "HEAD") == third
    shutil.rmtree(world.remote.place)
    assert find_drift(second.snapshot, world.ports) == ()
    (world.tree / "file").write_text("mine\n", encoding="utf-8")
    (found,) = find_drift(second.snapshot, world.ports)
    assert [item.field for item in found.changes] == ["changed"]


@pytest.mark.parametrize("state", ["nothing", "empty", "old", "other origin"])
def test_what_was_checked_out_can_be_taken_back(world: World, state: str) -> None:
    """To the commit and the origin that were there, or to nothing at all."""
    starting(world, state)
    spec = world.spec(branch="main") if state == "old" else world.spec(tag="v1")

    def seen() -> object:
        return GitCheckout().observe(spec, world.ports, verify=False).state()

    before = seen()
    observation = GitCheckout().observe(spec, world.ports, verify=False)
    back = GitCheckout().revert(spec, observation, {})
    assert world.apply(spec).result.status == "succeeded"
    assert seen() != before
    carry_out(back, world.ports, Outcome())
    assert seen() == before


def test_only_a_signed_commit_is_taken(world: World) -> None:
    """An unsigned one stops the apply before a file is written."""
    outcome = world.apply(world.spec(tag="v1", verify_commit=True))
    assert outcome.result.status == "failed"
    assert not (world.tree / "file").exists()


def test_a_removed_checkout_goes_if_it_holds_nobodys_work(world: World) -> None:
    """A file of somebody's keeps all of it, until it is gone."""
    spec = world.spec(tag="v1")
    outcome = world.apply(spec)
    notes = world.tree / "notes"
    notes.write_text("mine\n", encoding="utf-8")
    kept = world.apply(before=outcome.snapshot)
    assert (kept.result.resources[0].status, notes.exists()) == ("unchanged", True)
    notes.unlink()
    removed = world.apply(before=outcome.snapshot)
    assert (removed.result.resources[0].status, world.tree.exists()) == ("removed", False)


def test_an_absent_checkout_is_deleted_unless_work_would_be_lost(world: World) -> None:
    """A local branch is work too."""
    world.apply(world.spec(tag="v1"))
    git(world.tree, "branch", "mine")
    spec = world.spec(ensure="absent")
    assert "branch mine" in (world.plan(spec).resources[0].message or "")
    git(world.tree, "branch", "-D", "mine")
    assert world.apply(spec).result.status == "succeeded"
    assert not world.tree.exists()
    assert world.plan(spec).summary.none == 1


WORK = ["ignored file", "ignored directory", "stash", "commit"]


def worked(world: World, how: str) -> None:
    """Do in a checkout what git's short status does not tell of."""
    if how.startswith("ignored"):
        exclude = world.tree / ".git/info/exclude"
        exclude.parent.mkdir(exist_ok=True)
        exclude.write_text("/local*\n", encoding="utf-8")
        (world.tree / "local").mkdir()
        place = world.tree / ("local/db" if "directory" in how else "local.conf")
        place.write_text("mine\n", encoding="utf-8")
        return
    (world.tree / "file").write_text("mine\n", encoding="utf-8")
    words = ("stash", "push", "--quiet") if how == "stash" else ("commit", "-qam", "mine")
    git(world.tree, *words)


@pytest.mark.parametrize("how", WORK)
def test_work_that_the_status_does_not_tell_of_keeps_a_checkout(world: World, how: str) -> None:
    """What git ignores is mostly somebody's settings or data; it stays in both ways of removal."""
    outcome = world.apply(world.spec(tag="v1"))
    worked(world, how)
    kept = world.apply(before=outcome.snapshot)
    assert kept.result.resources[0].status == "unchanged"
    assert world.tree.exists()
    absent = world.spec(ensure="absent")
    assert world.plan(absent).resources[0].action == "error"
    world.apply(absent)
    assert world.tree.exists()
    assert world.apply({**absent, "force": True}).result.status == "succeeded"
    assert not world.tree.exists()


@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("force", [False, True])
def test_a_file_that_git_does_not_know_is_never_overwritten(
    world: World, force: bool, ignored: bool
) -> None:
    """Not by a file of the next commit either, and not by `force`, which is for changes."""
    first = world.apply(world.spec(commit=world.remote.first))
    if ignored:
        (world.tree / ".git/info").mkdir(exist_ok=True)
        (world.tree / ".git/info/exclude").write_text("*.txt\n", encoding="utf-8")
    mine = world.tree / "two.txt"
    mine.write_text("mine\n", encoding="utf-8")
    if force:
        (world.tree / "file").write_text("changed\n", encoding="utf-8")
    spec = world.spec(commit=world.remote.second, force=force)
    failed = world.apply(spec, before=first.snapshot)
    assert failed.result.status == "failed"
    assert "two.txt" in str(failed.result.output) + str(failed.result.resources)
    assert mine.read_text(encoding="utf-8") == "mine\n"
    mine.unlink()
    assert world.apply(spec, before=first.snapshot).result.status == "succeeded"
    assert (world.tree / "file").read_text(encoding="utf-8") == "two\n"


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_tree_that_became_somebody_elses_is_not_deleted_unseen(world: World) -> None:
    """Git is not run in it, so nobody knows what is in it."""
    spec = world.spec(tag="v1", owner="root")
    outcome = world.apply(spec)
    (world.tree / "notes").write_text("mine\n", encoding="utf-8")
    for path in [world.tree, *world.tree.rglob("*")]:
        shutil.chown(path, "nobody")
    kept = world.apply(before=outcome.snapshot)
    assert kept.result.resources[0].status == "unchanged"
    absent = world.spec(ensure="absent", owner="root", force=True)
    assert world.plan(absent).resources[0].action == "error"
    world.apply(absent)
    assert (world.tree / "notes").exists()


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_runs_no_git_where_another_user_could_put_a_tree(tmp_path: Path) -> None:
    """Between the look and the run he could put another tree there, or a link to one."""
    place = tmp_path / "his"
    place.mkdir()
    world = World(place)
    shutil.chown(place, "nobody")
    (item,) = world.plan(world.spec(tag="v1")).resources
    assert item.action == "error"
    assert "`owner: nobody`" in (item.message or "")


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_another_users_tree_is_his() -> None:
    """All of it belongs to him, and his settings run nothing as root."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o777)  # a place of the test's own that another user may write to
        another_users_tree(World(place), place)


def another_users_tree(world: World, tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    shutil.chown(world.remote.place, "nobody")
    for path in world.remote.place.rglob("*"):
        shutil.chown(path, "nobody")
    spec = world.spec(tag="v1", owner="nobody")
    outcome = world.apply(spec)
    assert outcome.result.status == "succeeded", outcome.result
    assert {path.stat().st_uid for path in [world.tree, *world.tree.rglob("*")]} == {nobody}
    seen = tmp_path / "ran"
    config = world.tree / ".git/config"
    hook = world.tree / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nid -u > {seen}.hook\n", encoding="utf-8")
    hook.chmod(0o755)
    text = config.read_text(encoding="utf-8")
    monitor = f"[core]\n\tfsmonitor = id -u > {seen}.monitor\n"
    clean = f"[filter \"x\"]\n\tclean = sh -c 'id -u > {seen}.filter; cat'\n"
    config.write_text(text + monitor + clean, encoding="utf-8")
    (world.tree / ".git/info").mkdir(exist_ok=True)
    (world.tree / ".git/info/attributes").write_text("* filter=x\n", encoding="utf-8")
    (world.tree / "file").write_text("mine\n", encoding="utf-8")
    world.plan(spec, outcome.snapshot)
    world.apply({**spec, "tag": "v1", "force": True}, before=outcome.snapshot)
    ran = {path.name: path.read_text(encoding="utf-8") for path in seen.parent.glob("ran.*")}
    assert set(ran) <= {"ran.filter"}
    assert set(ran.values()) <= {f"{nobody}\n"}
