"""The plan as one value."""

from __future__ import annotations

import pytest

from protocol.reports import Trigger
from state_engine.engine.cancel import StoppedError
from state_engine.engine.plan import make_plan
from state_engine.model import AppliedResource, Snapshot
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import a_directory, a_file, a_script


def test_a_plan_counts_and_orders_its_items() -> None:
    """Apply order first, then removals, last applied first."""
    ports = FakePorts()
    old = (a_file("/old1"), a_file("/old2"))
    snapshot = Snapshot("op1", applied=tuple(AppliedResource(r, created=True) for r in old))
    directory = a_directory("/d")
    resources = [directory, a_file("/d/f", depends_on=(directory,)), a_script("s")]
    plan = make_plan("node", resources, snapshot, ports)
    assert [item.identity for item in plan.resources] == ["/d", "/d/f", "s", "/old2", "/old1"]
    assert [item.action for item in plan.resources] == [
        "create", "create", "run", "remove", "remove"
    ]  # fmt: skip
    assert (plan.summary.create, plan.summary.run, plan.summary.remove) == (2, 1, 2)
    assert (plan.node_id, plan.modules, plan.snapshot_of) == ("node", ("base",), "op1")
    assert len(plan.digest) == 64


def test_an_unrelated_change_on_the_host_does_not_burn_an_approval() -> None:
    """The digest of one item follows from that item only."""
    ports = FakePorts()
    resources = [a_file("/a"), a_file("/b")]
    before = make_plan("node", resources, Snapshot(), ports)
    ports.files.put("/b", Node("file", 0o600, 0, 0, b"edited"))
    after = make_plan("node", resources, Snapshot(), ports)
    assert before.resources[0].digest == after.resources[0].digest
    assert before.resources[1].digest != after.resources[1].digest
    assert before.digest != after.digest


def test_triggers_are_predicted() -> None:
    """A script that reacts to a file that will change is shown with its reason."""
    ports = FakePorts()
    ports.programs.known["check"] = lambda: 0
    source = a_file("/f", id="conf")
    plan = make_plan("node", [source, a_script("s", check="check", rerun_on=(source,))],
                     Snapshot(), ports)  # fmt: skip
    assert plan.resources[1].action == "run"
    assert plan.resources[1].triggers == (Trigger("rerun", ("conf",)),)


def test_a_pending_trigger_is_still_due() -> None:
    """Though its source changes no more."""
    ports = FakePorts()
    ports.files.put("/f", Node("file", 0o644, 0, 0, b"x\n"))
    source = a_file("/f")
    script = a_script("s", rerun_on=(source,))
    applied = tuple(map(AppliedResource, (source, script)))
    calm = make_plan("node", [source, script], Snapshot(applied=applied), ports)
    assert calm.summary.none == 2
    due = make_plan(
        "node", [source, script], Snapshot(applied=applied, pending=(script.key,)), ports
    )
    assert due.resources[1].action == "run"


def test_secrets_are_in_no_part_of_a_plan() -> None:
    """Neither the new value nor the old content of the same field."""
    ports = FakePorts()
    ports.files.put("/f", Node("file", 0o644, 0, 0, b"old-secret"))
    resources = [
        a_file("/f", "new-secret", sensitive=("content",)),
        a_script("s", apply="use new-secret", sensitive=("apply",)),
    ]
    plan = make_plan("node", resources, Snapshot(), ports)
    assert not any(f"{age}-secret" in str(plan) for age in ("old", "new"))
    assert all(change.sensitive for item in plan.resources for change in item.changes)


def test_verify_content_reads_what_a_time_stamp_hides() -> None:
    """A change that left no trace in the stat is found only by reading."""
    ports = FakePorts()
    ports.files.put("/f", Node("file", 0o644, 0, 0, b"x\n"))
    resources = [a_file("/f", "x\n")]
    assert make_plan("node", resources, Snapshot(), ports).summary.none == 1
    ports.files.nodes["/f"].content = b"y\n"
    assert make_plan("node", resources, Snapshot(), ports).summary.none == 1
    plan = make_plan("node", resources, Snapshot(), ports, verify_content=True)
    assert plan.summary.update == 1


def test_a_plan_can_be_cancelled_between_items() -> None:
    """It then has no answer, and has changed nothing."""
    with pytest.raises(StoppedError):
        make_plan("node", [a_file("/f")], Snapshot(), FakePorts(), cancelled=lambda: True)


def test_an_empty_plan_has_the_empty_digest() -> None:
    """Nothing to do is the same on every host."""
    one = make_plan("one", [], Snapshot(), FakePorts())
    assert one.digest == make_plan("two", [], Snapshot("x"), FakePorts()).digest
