"""Taking an operation back."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from protocol.reports import ApplyResult
from state_engine.engine.apply import apply_plan
from state_engine.engine.plan import make_plan
from state_engine.engine.rollback import RollbackError, apply_rollback, plan_rollback
from state_engine.model import ResolvedResource, Snapshot
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import a_directory, a_file, a_script, resource


def host() -> FakePorts:
    """Return a host with a file, a directory, a link and a text of which a part is ours."""
    ports = FakePorts()
    ports.files.put("/old", Node("file", 0o640, 1000, 1000, b"theirs"))
    ports.files.put("/dir", Node("directory", 0o700, 1000, 0))
    ports.files.put("/link", Node("symlink", 0o777, 0, 0, b"/old"))
    ports.files.put("/text", Node("file", 0o644, 0, 0, b"one\n"))
    return ports


def link(path: str, target: str) -> ResolvedResource:
    return resource("symlink-unix", path, {"path": path, "target": target})


def line(text: str) -> ResolvedResource:
    return resource("line-in-file", f"/text: {text}", {"path": "/text", "line": text})


EVERYTHING = (
    a_file("/old", "ours", mode="0600"),
    a_directory("/dir", mode="0755", owner="root"),
    a_directory("/new", mode="0700"),
    a_file("/new/file", "new"),
    link("/link", "/new"),
    link("/other", "/new"),
    line("two"),
    line("three"),
    a_file("/gone-before", ensure="absent"),
)


def apply(
    ports: FakePorts, name: str, resources: Sequence[ResolvedResource], snapshot: Snapshot
) -> Snapshot:
    outcome = apply_plan(name, "n", resources, snapshot, ports, approved=None)
    assert outcome.result.status == "succeeded"
    return outcome.snapshot


def statuses(result: ApplyResult) -> dict[str, str]:
    return {item.identity: item.status for item in result.resources}


def test_a_first_apply_is_taken_back_whole() -> None:
    """What was there is there again, what was not is not, and nothing is believed to be applied."""
    ports = host()
    before = ports.tree()
    snapshot = apply(ports, "op1", EVERYTHING, Snapshot())
    plan = plan_rollback("op1", "n", snapshot, ports)
    approved = frozenset(item.digest for item in plan.resources if item.digest)
    assert (plan.summary.error, plan.summary.update, plan.summary.remove) == (0, 3, 5)
    outcome = apply_rollback("back", "op1", "n", snapshot, ports, approved=approved)
    assert outcome.result.status == "succeeded"
    assert outcome.result.plan_digest == plan.digest
    assert ports.tree() == before
    assert (outcome.snapshot.applied, outcome.snapshot.operation_id) == (
        outcome.snapshot.applied[:1],
        "back",
    )


def test_a_later_apply_is_taken_back_to_the_one_before() -> None:
    """Updates, removals and new resources; the plan of the earlier modules is empty then."""
    ports = host()
    first = (a_file("/a", "1"), a_file("/b", "1", mode="0600"), link("/l", "/1"))
    snapshot = apply(ports, "op1", first, Snapshot())
    before = ports.tree()
    second = (a_file("/a", "2"), a_file("/c", "2"), link("/l", "/2"))
    later = apply(ports, "op2", second, snapshot)
    assert ports.files.stat("/b") is None
    outcome = apply_rollback("back", "op2", "n", later, ports, approved=None)
    assert outcome.result.status == "succeeded"
    assert ports.tree() == before
    assert make_plan("n", first, outcome.snapshot, ports).summary.none == 3
    assert {held.resource.identity for held in outcome.snapshot.applied} == {"/a", "/b", "/l"}
    again = apply_rollback("forth", "back", "n", outcome.snapshot, ports, approved=None)
    assert again.result.status == "succeeded"
    assert ports.files.nodes["/a"].content == b"2"
    assert make_plan("n", second, again.snapshot, ports).summary.none == 3


def test_what_was_changed_since_is_refused_and_the_rest_goes_back() -> None:
    """Somebody's edit after the apply is not lost, and what stands below it stays too."""
    ports = host()
    snapshot = apply(ports, "op1", EVERYTHING, Snapshot())
    ports.files.put("/old", Node("file", 0o600, 0, 0, b"edited since"))
    plan = plan_rollback("op1", "n", snapshot, ports)
    [refused] = [item for item in plan.resources if item.action == "error"]
    assert (refused.identity, refused.digest) == ("/old", "")
    assert "/old was changed" in str(refused.message)
    outcome = apply_rollback("back", "op1", "n", snapshot, ports, approved=None)
    assert outcome.result.status == "failed"
    assert statuses(outcome.result)["/old"] == "failed"
    assert ports.files.nodes["/old"].content == b"edited since"
    assert "/new" not in ports.files.nodes
    assert [held.resource.identity for held in outcome.snapshot.applied if held.pre_image]  # /old


def test_what_was_changed_after_the_plan_is_stale() -> None:
    """A decision covers what was shown: a second look decides."""
    ports = host()
    snapshot = apply(ports, "op1", (a_file("/a", "1"), a_file("/b", "1")), Snapshot())
    plan = plan_rollback("op1", "n", snapshot, ports)
    some = frozenset(item.digest for item in plan.resources if item.identity == "/a")
    outcome = apply_rollback("back", "op1", "n", snapshot, ports, approved=some)
    assert statuses(outcome.result) == {"/b": "stale", "/a": "changed"}
    assert "/b" in ports.files.nodes


def test_what_depends_on_something_that_stays_keeps_it() -> None:
    """A directory does not go from under a file that was edited in it."""
    ports = FakePorts()
    top = a_directory("/d")
    snapshot = apply(ports, "op1", (top, a_file("/d/f", depends_on=(top,))), Snapshot())
    ports.files.put("/d/f", Node("file", 0o644, 0, 0, b"edited"))
    outcome = apply_rollback("back", "op1", "n", snapshot, ports, approved=None)
    assert statuses(outcome.result) == {"/d/f": "failed", "/d": "skipped"}


def test_whoever_reacts_to_it_acts_again() -> None:
    """A service goes on with the old configuration; and it is in the plan."""
    ports = FakePorts()
    ports.programs.known["up apply"] = lambda: 0
    one, two = a_file("/f", "1", id="f"), a_file("/f", "2", id="f")
    snapshot = apply(ports, "op1", (one, a_script("up", rerun_on=(one,))), Snapshot())
    later = apply(ports, "op2", (two, a_script("up", rerun_on=(two,))), snapshot)
    ports.programs.calls.clear()
    plan = plan_rollback("op2", "n", later, ports)
    approved = frozenset(item.digest for item in plan.resources if item.digest)
    assert [(item.identity, item.action) for item in plan.resources] == [
        ("up", "none"),
        ("/f", "update"),
        ("up", "run"),
    ]
    outcome = apply_rollback("back", "op2", "n", later, ports, approved=approved)
    assert outcome.result.status == "succeeded"
    assert (ports.programs.calls, ports.files.nodes["/f"].content) == (["up apply"], b"1")


def test_a_command_stays_done_and_that_is_said() -> None:
    """Nothing is known of how to take it back."""
    ports = FakePorts()
    ports.programs.known["s apply"] = lambda: 0
    snapshot = apply(ports, "op1", (a_script("s"),), Snapshot())
    [item] = plan_rollback("op1", "n", snapshot, ports).resources
    assert (item.action, item.digest) == ("none", "")
    assert "stays" in str(item.message)
    outcome = apply_rollback("back", "op1", "n", snapshot, ports, approved=None)
    assert outcome.snapshot.applied == snapshot.applied


def test_doing_it_twice_does_it_once() -> None:
    """As after a crash in the middle of it."""
    ports = host()
    before = ports.tree()
    snapshot = apply(ports, "op1", EVERYTHING, Snapshot())
    apply_rollback("back", "op1", "n", snapshot, ports, approved=None)
    writes = len(ports.files.writes)
    outcome = apply_rollback("back", "op1", "n", snapshot, ports, approved=None)
    assert outcome.result.status == "succeeded"
    assert (ports.tree(), len(ports.files.writes)) == (before, writes)
    assert len(outcome.snapshot.applied) == 1  # what was as desired before, and is


def test_an_operation_that_died_half_way_is_taken_back() -> None:
    """The log is written before each item acts; nobody saw how the last one ended."""

    class Killed(BaseException):
        pass

    ports = host()
    before = ports.tree()

    def die() -> int:
        raise Killed

    ports.programs.known["s apply"] = die
    resources = (*EVERYTHING, a_script("s"), a_file("/late"))
    with pytest.raises(Killed):
        apply_plan("op1", "n", resources, Snapshot(), ports, approved=None)
    assert ports.tree() != before
    outcome = apply_rollback("back", "op1", "n", Snapshot(), ports, approved=None)
    assert outcome.result.status == "succeeded"
    assert ports.tree() == before


def test_anyway_is_for_when_nobody_is_there_to_ask() -> None:
    """Even what was changed since goes back, and a copy of it is kept."""
    ports = host()
    before = ports.tree()
    snapshot = apply(ports, "op1", EVERYTHING, Snapshot())
    ports.files.put("/old", Node("file", 0o600, 0, 0, b"edited since"))
    outcome = apply_rollback("back", "op1", "n", snapshot, ports, approved=None, anyway=True)
    assert outcome.result.status == "succeeded"
    assert ports.tree() == before
    assert b"edited since" in ports.backups.kept.values()


def test_an_operation_of_which_nothing_is_kept_cannot_be_taken_back() -> None:
    for call in (
        lambda ports: plan_rollback("no", "n", Snapshot(), ports),
        lambda ports: apply_rollback("b", "no", "n", Snapshot(), ports, approved=None),
    ):
        with pytest.raises(RollbackError, match="operation no"):
            call(FakePorts())


def test_a_secret_is_in_no_copy_and_no_note() -> None:
    """What held one is not put back; what was made for one goes without a copy."""
    ports = FakePorts()
    one, two = a_file("/f", "hunter2", sensitive=("content",)), a_file("/f", "plain")
    snapshot = apply(ports, "op1", (one,), Snapshot())
    later = apply(ports, "op2", (two,), snapshot)
    assert b"hunter2" not in ports.backups.kept.values()
    [item] = plan_rollback("op2", "n", later, ports).resources
    assert (item.action, "secret" in str(item.message)) == ("none", True)
    ports = FakePorts()
    snapshot = apply(ports, "op1", (one,), Snapshot())
    apply_rollback("back", "op1", "n", snapshot, ports, approved=None)
    assert ("/f" in ports.files.nodes, ports.backups.kept) == (False, {})


def test_it_can_be_cancelled() -> None:
    ports = host()
    snapshot = apply(ports, "op1", EVERYTHING, Snapshot())
    after = ports.tree()
    outcome = apply_rollback(
        "back", "op1", "n", snapshot, ports, approved=None, cancelled=lambda: True
    )
    assert (outcome.result.status, ports.tree()) == ("cancelled", after)
    assert outcome.snapshot == msgspec.structs.replace(snapshot)


def test_a_disk_that_is_full_stops_an_act_before_it_is_done() -> None:
    """What could not be taken back is not begun."""
    ports = host()
    before = ports.tree()
    ports.reverts.full = True
    outcome = apply_plan("op1", "n", EVERYTHING, Snapshot(), ports, approved=None)
    assert (outcome.result.status, ports.tree()) == ("failed", before)
