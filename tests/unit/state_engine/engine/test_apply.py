"""The apply as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from protocol.reports import ApplyResult, CapturedStream
from state_engine.engine.apply import apply_plan
from state_engine.engine.plan import make_plan
from state_engine.engine.progress import Progress
from state_engine.model import AppliedResource, ResolvedResource, Snapshot
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import a_directory, a_file, a_script


def apply(
    ports: FakePorts,
    resources: Sequence[ResolvedResource],
    snapshot: Snapshot | None = None,
    approved: frozenset[str] | None = None,
) -> tuple[ApplyResult, Snapshot]:
    outcome = apply_plan(
        "op2", "node", resources, snapshot or Snapshot("op1"), ports, approved=approved
    )
    return outcome.result, outcome.snapshot


def statuses(result: ApplyResult) -> dict[str, str]:
    return {item.identity: item.status for item in result.resources}


def test_a_failure_skips_its_transitive_dependants_and_nothing_else() -> None:
    """The rest goes on; the operation has failed; the snapshot's operation stays the old one."""
    ports = FakePorts()
    bad = a_file("/no/such/directory")
    below = a_file("/below", depends_on=(bad,))
    deep = a_file("/deep", depends_on=(below,))
    result, snapshot = apply(ports, [bad, below, deep, a_file("/other")])
    assert statuses(result) == {
        "/no/such/directory": "failed", "/below": "skipped", "/deep": "skipped",
        "/other": "changed",
    }  # fmt: skip
    assert result.status == "failed"
    assert snapshot.operation_id == "op1"
    assert [item.resource.identity for item in snapshot.applied if not item.incomplete] == [
        "/other"
    ]


def test_nothing_that_was_not_approved_is_done() -> None:
    """An empty approval leaves the host as it is."""
    ports = FakePorts()
    before = ports.tree()
    resources = [a_directory("/d"), a_file("/f"), a_script("s")]
    result, _ = apply(ports, resources, approved=frozenset())
    assert set(statuses(result).values()) == {"stale"}
    assert (ports.tree(), ports.programs.calls) == (before, [])


def test_an_approval_covers_items_and_not_resources() -> None:
    """A digest from another state of the file does not count."""
    ports = FakePorts()
    resources = [a_file("/f", "new")]
    plan = make_plan("node", resources, Snapshot(), ports)
    ports.files.put("/f", Node("file", 0o644, 0, 0, b"appeared"))
    approved = frozenset(item.digest for item in plan.resources)
    result, _ = apply(ports, resources, approved=approved)
    assert statuses(result) == {"/f": "stale"}
    assert ports.files.nodes["/f"].content == b"appeared"


def test_an_unsigned_check_blocks_its_item_even_in_an_apply() -> None:
    """It is unknown whether it would have to run, so it and its dependants do not."""
    ports = FakePorts()
    script = a_script("s", check="check", trusted=False)
    result, _ = apply(ports, [script, a_file("/f", depends_on=(script,))])
    assert statuses(result) == {"s": "unknown", "/f": "skipped"}
    assert ports.programs.calls == []


def test_changed_is_said_only_if_a_second_look_agrees() -> None:
    """A script whose check still fails after its apply has failed."""
    ports = FakePorts()
    ports.programs.known["s apply"] = lambda: 0
    ports.programs.known["check"] = lambda: 1
    result, _ = apply(ports, [a_script("s", check="check")])
    [item] = result.resources
    assert item.status == "failed"
    assert "second look" in (item.error or "")


def test_a_trigger_that_fails_stays_pending_until_it_succeeds() -> None:
    """The source changes once; the script is tried again in each apply."""
    ports = FakePorts()
    exits = [1, 1, 0]
    ports.programs.known["s apply"] = lambda: exits.pop(0)
    ports.programs.known["check"] = lambda: 0
    source = a_file("/f", id="f")
    resources = [source, a_script("s", check="check", rerun_on=(source,))]
    result, snapshot = apply(ports, resources)
    assert statuses(result) == {"/f": "changed", "s": "failed"}
    assert snapshot.pending == (resources[1].key,)
    result, snapshot = apply(ports, resources, snapshot)
    assert statuses(result) == {"/f": "unchanged", "s": "failed"}
    result, snapshot = apply(ports, resources, snapshot)
    assert statuses(result) == {"/f": "unchanged", "s": "changed"}
    assert (snapshot.pending, snapshot.operation_id) == ((), "op2")
    result, _ = apply(ports, resources, snapshot)
    assert statuses(result) == {"/f": "unchanged", "s": "unchanged"}


def test_more_removals_than_the_limit_refuse_everything() -> None:
    """Nothing is touched, and the message gives both numbers."""
    ports = FakePorts()
    resources = [a_file("/a"), a_file("/b")]
    _, snapshot = apply(ports, resources)
    before = ports.tree()
    outcome = apply_plan("op3", "node", [a_file("/c")], snapshot, ports, approved=None,
                         removal_limit=1)  # fmt: skip
    assert outcome.result.status == "failed"
    assert "2 resources would be removed and the limit is 1" in (outcome.result.error or "")
    assert (ports.tree(), outcome.snapshot) == (before, snapshot)
    outcome = apply_plan("op3", "node", [a_file("/c")], snapshot, ports, approved=None,
                         removal_limit=2)  # fmt: skip
    assert outcome.result.status == "succeeded"


def test_a_failed_removal_is_tried_again_and_holds_what_it_needs() -> None:
    """The undo fails: what it depends on stays, and both are still known as applied."""
    ports = FakePorts()
    ports.programs.known["s apply"] = lambda: 0
    exits = [1, 0]
    ports.programs.known["back"] = lambda: exits.pop(0)
    directory = a_directory("/d")
    script = a_script("s", undo="back", depends_on=(directory,))
    _, snapshot = apply(ports, [directory, script])
    result, snapshot = apply(ports, [], snapshot)
    assert statuses(result) == {"s": "failed", "/d": "skipped"}
    assert "/d" in ports.files.nodes
    result, snapshot = apply(ports, [], snapshot)
    assert statuses(result) == {"s": "removed", "/d": "removed"}
    assert snapshot.applied == ()


def test_a_resource_that_changes_modules_keeps_its_history() -> None:
    """The file that was overwritten by one module is restored when the other lets go."""
    ports = FakePorts()
    ports.files.put("/f", Node("file", 0o640, 1000, 1000, b"original"))
    _, snapshot = apply(ports, [a_file("/f", "ours")])
    result, snapshot = apply(ports, [a_file("/f", "ours", module="other")], snapshot)
    assert statuses(result) == {"/f": "unchanged"}
    assert [item.resource.module for item in snapshot.applied] == ["other"]
    apply(ports, [], snapshot)
    assert ports.tree()["/f"] == ("file", 0o640, 1000, 1000, b"original")


def test_cancelling_ends_between_items() -> None:
    """What was done is in the snapshot; the rest is skipped, removals too."""
    ports = FakePorts()
    _, snapshot = apply(ports, [a_file("/old")])
    told: list[Progress] = []
    outcome = apply_plan(
        "op3", "node", [a_file("/a"), a_file("/b")], snapshot, ports,
        approved=None, progress=told.append, cancelled=lambda: len(told) >= 2,
    )  # fmt: skip
    assert outcome.result.status == "cancelled"
    assert statuses(outcome.result) == {"/a": "changed", "/b": "skipped", "/old": "skipped"}
    assert [item.resource.identity for item in outcome.snapshot.applied] == ["/a", "/old"]


def test_a_script_cancelled_while_it_runs_is_interrupted() -> None:
    """Its state is not known, and it is not called a failure of its own."""
    ports = FakePorts()
    stop = [False]

    def body() -> int:
        stop[0] = True
        return 143

    ports.programs.known["s apply"] = body
    outcome = apply_plan("op", "node", [a_script("s"), a_file("/f")], Snapshot(), ports,
                         approved=None, cancelled=lambda: stop[0])  # fmt: skip
    assert statuses(outcome.result) == {"s": "interrupted", "/f": "skipped"}
    assert outcome.result.status == "cancelled"


def test_output_is_captured_by_phase_and_scrubbed() -> None:
    """Check, apply and undo under `module/identity`; no secret in output or error."""
    ports = FakePorts()
    ports.programs.known["check"] = lambda: CapturedStream(1, "checking hunter22", "")
    ports.programs.known["s apply"] = lambda: CapturedStream(9, "", "bad password hunter22\n")
    secret = ports.secret("db", "hunter22")
    other = a_file("/secret", str(secret.reference), sensitive=("content",))
    resources = [a_script("s", check="check"), other]
    outcome = apply_plan("op", "node", resources, Snapshot(), ports, approved=None)
    output = outcome.result.output["base/s"]
    assert output.check is not None
    assert output.apply is not None
    assert (output.apply.exit, output.undo) == (9, None)
    assert outcome.result.resources[0].has_output
    assert "hunter22" not in str(outcome.result)


@pytest.mark.parametrize("made_by_script", [True, False])
def test_a_user_that_a_script_makes_is_known_to_the_next_item(made_by_script: bool) -> None:
    """Names are looked up again after a script has run."""
    ports = FakePorts()

    def body() -> int:
        if made_by_script:
            ports.accounts.users["made"] = 1234
        return 0

    ports.programs.known["s apply"] = body
    script = a_script("s")
    result, _ = apply(ports, [script, a_file("/f", owner="made", depends_on=(script,))])
    assert statuses(result)["/f"] == ("changed" if made_by_script else "failed")


def test_a_failed_overwrite_still_knows_the_original() -> None:
    """The copy was kept before the write failed; a later removal restores nothing wrong."""
    ports = FakePorts()
    ports.files.put("/f", Node("file", 0o640, 0, 0, b"original"))
    ports.files.full = True
    result, snapshot = apply(ports, [a_file("/f", "ours")])
    assert statuses(result) == {"/f": "failed"}
    assert ports.files.nodes["/f"].content == b"original"
    ports.files.full = False
    _, snapshot = apply(ports, [a_file("/f", "ours")], snapshot)
    apply(ports, [], snapshot)
    assert ports.files.nodes["/f"].content == b"original"


def test_an_apply_with_nothing_to_do_tells_no_progress_and_moves_the_snapshot() -> None:
    """Progress is for items that act."""
    ports = FakePorts()
    resources = [a_file("/f"), a_directory("/d")]
    _, snapshot = apply(ports, resources)
    told: list[Progress] = []
    outcome = apply_plan("op3", "node", resources, snapshot, ports, approved=frozenset(),
                         progress=told.append)  # fmt: skip
    assert (told, outcome.result.status) == ([], "succeeded")
    assert outcome.snapshot.operation_id == "op3"
    assert outcome.result.state is not None
    assert outcome.result.state.unapplied == ()


def test_created_stays_created_over_many_applies() -> None:
    """A file of ours is deleted at the end, however often it was changed."""
    ports = FakePorts()
    snapshot = Snapshot()
    for content in ("one", "two", "two"):
        _, snapshot = apply(ports, [a_file("/f", content)], snapshot)
    assert snapshot.applied == (AppliedResource(a_file("/f", "two"), created=True),)
    apply(ports, [], snapshot)
    assert "/f" not in ports.files.nodes
