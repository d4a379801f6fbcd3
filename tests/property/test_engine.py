"""What holds for every desired state and every host: the engine against the ports in memory."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from protocol.reports import ApplyResult
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.engine.progress import Finished, Progress, Resume, fold, recovered
from state_engine.model import ResolvedResource, Snapshot
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import a_directory, a_file, a_script

OWNERS = st.sampled_from([None, "root", "app"])
MODES = st.sampled_from([None, "0600", "0644", "0755"])
CONTENTS = st.sampled_from([None, "", "one\n", "two\nlines\n", "no newline"])
# What someone may have left at a path before us.
INITIAL = st.sampled_from(["nothing", "file", "other file", "directory", "full directory"])


@dataclass
class Host:
    """A host in memory and what is desired on it."""

    ports: FakePorts
    resources: list[ResolvedResource]

    def apply(
        self,
        snapshot: Snapshot,
        resume: Resume | None = None,
        die_after: int | None = None,
        lost: bool = False,
        told: list[Progress] | None = None,
    ) -> tuple[ApplyResult, Snapshot]:
        told = [] if told is None else told
        left = die_after

        def note(progress: Progress) -> None:
            nonlocal left
            if left == 0 and lost:
                raise KilledError
            told.append(progress)
            if left == 0:
                raise KilledError
            if left is not None:
                left -= 1

        outcome = apply_plan(
            "op", "node", self.resources, snapshot, self.ports,
            approved=None, resume=resume, progress=note,
        )  # fmt: skip
        return outcome.result, outcome.snapshot


class KilledError(BaseException):
    """Stands for SIGKILL at a progress point, just after or (`lost`) before it became durable."""


def place(ports: FakePorts, path: str, what: str) -> None:
    if what == "file":
        ports.files.put(path, Node("file", 0o640, 1000, 1000, b"one\n"))
    elif what == "other file":
        ports.files.put(path, Node("file", 0o644, 0, 0, b"someone's words\n"))
    elif what in {"directory", "full directory"}:
        ports.files.put(path, Node("directory", 0o700, 1000, 0))
        if what == "full directory":
            ports.files.put(f"{path}/theirs", Node("file", 0o644, 0, 0, b"theirs"))


def fields(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


@st.composite
def hosts(draw: st.DrawFn) -> Host:
    """A directory, files in it and beside it, and scripts of every kind, on a used host."""
    ports = FakePorts()
    ports.files.put("/h", Node("directory", 0o755, 0, 0))
    attributes = {"mode": draw(MODES), "owner": draw(OWNERS), "group": draw(OWNERS)}
    directory = a_directory("/h/d", **fields(**attributes))
    place(ports, "/h/d", draw(st.sampled_from(["nothing", "directory", "full directory"])))
    resources = [directory]
    for number in range(draw(st.integers(1, 3))):
        inside = draw(st.booleans())
        path = f"/h/d/f{number}" if inside else f"/h/f{number}"
        if not inside or "/h/d" in ports.files.nodes:
            place(ports, path, draw(st.sampled_from(["nothing", "file", "other file"])))
        attributes = {"mode": draw(MODES), "owner": draw(OWNERS), "group": draw(OWNERS)}
        content = draw(CONTENTS)
        depends_on = (directory,) if inside else ()
        resources.append(a_file(path, content, depends_on=depends_on, **fields(**attributes)))
    for number in range(draw(st.integers(0, 2))):
        resources.append(draw_script(draw, ports, f"s{number}", resources))
    return Host(ports, resources)


def draw_script(
    draw: st.DrawFn, ports: FakePorts, name: str, others: list[ResolvedResource]
) -> ResolvedResource:
    """A script whose apply makes its check pass, perhaps reacting to an earlier resource."""
    satisfied = [draw(st.booleans())]

    def apply() -> int:
        satisfied[0] = True
        return 0

    ports.programs.known[f"{name} apply"] = apply
    ports.programs.known[f"{name} check"] = lambda: 0 if satisfied[0] else 1
    checked = draw(st.booleans())
    rerun_on = (draw(st.sampled_from(others)),) if not checked or draw(st.booleans()) else ()
    if checked:
        return a_script(name, rerun_on=rerun_on, check=f"{name} check")
    return a_script(name, rerun_on=rerun_on)


@given(hosts())
def test_a_plan_after_an_apply_is_empty(host: Host) -> None:
    """Whatever stood there before: the apply succeeds, and then nothing is left to do."""
    result, snapshot = host.apply(Snapshot())
    assert result.status == "succeeded", result
    plan = make_plan("node", host.resources, snapshot, host.ports)
    assert plan.summary.none == len(host.resources), plan
    assert plan.digest == make_plan("node", [], Snapshot(), host.ports).digest
    assert find_drift(snapshot, host.ports) == ()


@given(hosts())
def test_a_plan_changes_nothing_and_says_the_same_again(host: Host) -> None:
    """Reading is reading: same tree, no apply body run, same digest twice."""
    before = host.ports.tree()
    first = make_plan("node", host.resources, Snapshot(), host.ports)
    second = make_plan("node", host.resources, Snapshot(), host.ports)
    assert host.ports.tree() == before
    assert host.ports.files.writes == []
    assert not any(name.endswith("apply") for name in host.ports.programs.calls)
    assert first == second


@given(hosts())
def test_an_apply_does_what_its_plan_said(host: Host) -> None:
    """With the plan's digests as approval nothing is stale, and every bound item acts."""
    plan = make_plan("node", host.resources, Snapshot(), host.ports)
    approved = frozenset(item.digest for item in plan.resources if item.digest)
    outcome = apply_plan("op", "node", host.resources, Snapshot(), host.ports, approved=approved)
    assert outcome.result.status == "succeeded", outcome.result
    assert outcome.result.plan_digest == plan.digest


@given(hosts(), st.data())
def test_drift_names_exactly_what_was_touched(host: Host, data: st.DataObject) -> None:
    """Someone removes one managed file, or changes its content: that file is named, no other."""
    _, snapshot = host.apply(Snapshot())
    managed = [r for r in host.resources if r.kind == "file-unix"]
    victim = data.draw(st.sampled_from(managed))
    node = host.ports.files.nodes[victim.identity]
    if victim.spec.get("content") is not None and data.draw(st.booleans()):
        node.content += b"edited"
        host.ports.files.touch(victim.identity)
        action = "update"
    else:
        del host.ports.files.nodes[victim.identity]
        action = "create"
    found = find_drift(snapshot, host.ports)
    assert [(item.identity, item.action) for item in found] == [(victim.identity, action)]
    others = frozenset(r.key for r in host.resources) - {victim.key}
    assert find_drift(snapshot, host.ports, only=others) == ()


def contents(ports: FakePorts) -> dict[str, bytes]:
    return {path: node.content for path, node in ports.files.nodes.items() if node.kind == "file"}


def killed(host: Host, point: int, *, lost: bool) -> list[Progress] | None:
    """Return what an apply told before it was killed, or None if it came to its end first."""
    told: list[Progress] = []
    try:
        host.apply(Snapshot(), die_after=point, lost=lost, told=told)
    except KilledError:
        return told
    return None


def scripts_due(host: Host) -> set[str]:
    plan = make_plan("node", host.resources, Snapshot(), host.ports)
    return {item.identity for item in plan.resources if item.type == "script" and item.digest}


def scripts_run(host: Host) -> list[str]:
    calls = host.ports.programs.calls
    return [name.removesuffix(" apply") for name in calls if name.endswith(" apply")]


@given(hosts(), st.integers(0, 20), st.booleans())
def test_a_kill_at_any_progress_point_loses_and_repeats_nothing(
    host: Host, point: int, lost: bool
) -> None:
    """Killed before or after any item, then resumed: no script runs twice, and the end is whole."""
    before = contents(host.ports)
    due = scripts_due(host)
    told = killed(host, point, lost=lost)
    if told is None:
        return
    result, snapshot = host.apply(Snapshot(), fold(told), told=told)
    assert len(scripts_run(host)) == len(set(scripts_run(host)))
    finished = [message.key for message in told if isinstance(message, Finished)]
    assert len(finished) == len(set(finished))
    written = [path for what, path in host.ports.files.writes if what == "write"]
    assert len(written) == len(set(written))
    # A script that had been announced and not finished is the one thing left to a person.
    interrupted = [item for item in result.resources if item.status == "interrupted"]
    assert len(interrupted) <= 1
    if interrupted:
        # The next apply is a new decision: now it may run, and then all is well.
        result, snapshot = host.apply(snapshot)
    assert result.status == "succeeded", result
    assert due <= set(scripts_run(host))
    assert make_plan("node", host.resources, snapshot, host.ports).summary.none == len(
        host.resources
    )
    host.resources = []
    result, snapshot = host.apply(snapshot)
    assert (result.status, snapshot.applied) == ("succeeded", ())
    assert contents(host.ports) == before


@given(hosts(), st.integers(0, 20), st.booleans())
def test_a_killed_apply_that_is_not_resumed_forgets_nothing(
    host: Host, point: int, lost: bool
) -> None:
    """Recovered into the snapshot: due scripts still run, and removal still gives all back."""
    before = contents(host.ports)
    due = scripts_due(host)
    told = killed(host, point, lost=lost)
    if told is None:
        return
    snapshot = recovered(Snapshot(), host.resources, fold(told))
    result, snapshot = host.apply(snapshot)
    assert result.status == "succeeded", result
    assert due <= set(scripts_run(host))
    assert make_plan("node", host.resources, snapshot, host.ports).summary.none == len(
        host.resources
    )
    host.resources = []
    host.apply(snapshot)
    assert contents(host.ports) == before


@given(hosts())
def test_removal_gives_back_what_was_there_before(host: Host) -> None:
    """Apply, then desire nothing: old content is back, new files are gone, theirs are untouched."""
    before = contents(host.ports)
    _, snapshot = host.apply(Snapshot())
    host.resources = []
    result, snapshot = host.apply(snapshot)
    assert result.status == "succeeded", result
    assert contents(host.ports) == before
    assert snapshot.applied == ()
    plan = make_plan("node", [], snapshot, host.ports)
    assert plan.resources == ()


@given(hosts(), st.data())
def test_a_file_edited_after_the_plan_is_stale_and_the_rest_goes_on(
    host: Host, data: st.DataObject
) -> None:
    """The edited file keeps its edit; its dependants are skipped; others are done."""
    plan = make_plan("node", host.resources, Snapshot(), host.ports)
    approved = frozenset(item.digest for item in plan.resources if item.digest)
    files = [r for r in host.resources if r.kind == "file-unix" and r.spec.get("content")]
    top = [r for r in files if not r.depends_on]
    if not top:
        return
    victim = data.draw(st.sampled_from(top))
    host.ports.files.put(victim.identity, Node("file", 0o644, 0, 0, b"edited meanwhile"))
    outcome = apply_plan("op", "node", host.resources, Snapshot(), host.ports, approved=approved)
    by_key = {(r.type, r.identity): r.status for r in outcome.result.resources}
    assert by_key.pop(("file-unix", victim.identity)) == "stale"
    assert host.ports.files.nodes[victim.identity].content == b"edited meanwhile"
    assert outcome.result.status == "failed"
    blocked = {victim.key}  # resources stand in apply order, so one pass finds them all
    for resource in host.resources:
        if blocked & set(resource.depends_on):
            blocked.add(resource.key)
    dependants = {key.identity for key in blocked}
    for (_, identity), status in by_key.items():
        assert (status == "skipped") == (identity in dependants)
