"""Drift is put right where a signed module and the host's own policy say so, and a fight ends."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing

from agent import step_store, work
from agent.core import Core
from agent.database import put
from agent.drift_account import name_of
from agent.repairer import Repairer
from agent.repairing import MAX_REPAIRS, Repairs
from agent.services import drift
from agent.trust import Standing
from protocol import messages, roster
from protocol.messages import Audit, Drift, Offer
from protocol.reports import ApplyResult, ResourceResult
from state_engine.engine.apply import apply_plan
from state_engine.engine.progress import Finished, Started
from state_engine.model import NodeFacts, Snapshot
from tests.fakes.agent import make_core
from tests.fakes.operators import Operator, first_roster, module

ADA = Operator()
DENY = '[capabilities."state.apply"]\n'


def wanted(root: Path, on_drift: str = "repair") -> bytes:
    return f"""
name: kept
supports:
  - platform: linux
resources:
  - id: conf
    on_drift: {on_drift}
    resource:
      file-unix: {{path: {root}/conf, content: "as applied", mode: "0644"}}
  - resource:
      file-unix: {{path: {root}/other, content: "as applied", mode: "0644"}}
  - id: reader
    depends_on: [conf]
    resource:
      script:
        program: sh
        manages: reader
        check: test -e {root}/read
        apply: cat {root}/conf >> {root}/read
        rerun_on: [conf]
""".encode()


def apply_here(core: Core, content: bytes, operation: str = "op", *, signed: bool = True) -> None:
    """Bring the host to a state and store it, as a finished step does."""
    version = module("kept", content, ADA if signed else None)
    offer = Offer("r", "state.apply", "l", 1, operation, (version,))
    trusted = roster.decode(first_roster(ADA))
    assert isinstance(trusted, roster.Roster)
    facts = NodeFacts("n", "web1", {"platform": "linux"})
    resources = work.resolve(offer, work.Circumstances(facts, trusted, Snapshot()))
    assert isinstance(resources, tuple), resources
    held = core.steps.snapshot()
    ports = core.steps.engine.ports
    outcome = apply_plan(operation, "n", resources, held, ports, approved=None)
    data = msgspec.msgpack.encode(outcome.snapshot)
    core.database.write(lambda tx: put(tx, "snapshot", data))
    core.steps.applied.ring()


@asynccontextmanager
async def keeping(tmp_path: Path, *, signed: bool = True, policy: str = "") -> AsyncGenerator[Core]:
    """An approved host on which the module was applied, with the drift service running."""
    core = make_core(tmp_path / "state")
    core.trust._standing = Standing("approved", "default/default/default", "web1")
    (tmp_path / "state/policy.toml").write_text(policy)
    core.attach()
    apply_here(core, wanted(tmp_path), signed=signed)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drift.run, core)
        await until(core, lambda: core.drift is not None)
        try:
            yield core
        finally:
            nursery.cancel_scope.cancel()
    core.database.close()


def bodies(core: Core) -> list[messages.Body]:
    return [messages.decode_body(entry) for entry in core.journal.after(0)]


def audits(core: Core, event: str) -> list[Audit]:
    return [one for one in bodies(core) if isinstance(one, Audit) and one.event == event]


def records(core: Core) -> list[Drift]:
    return [one for one in bodies(core) if isinstance(one, Drift)]


async def until(core: Core, holds: object) -> None:
    assert callable(holds)
    with trio.fail_after(30):
        while not holds():
            await trio.testing.wait_all_tasks_blocked(0.01)
    del core


async def test_drift_is_told_put_right_and_told_again(tmp_path: Path) -> None:
    """What reacts to it acts too; what does not ask for repair is left; both looks are told."""
    async with keeping(tmp_path) as core:
        (tmp_path / "other").write_text("by hand")
        await until(core, lambda: len(records(core)) == 1)
        (tmp_path / "conf").write_text("by hand")
        await until(core, lambda: len(records(core)) == 3)
        assert (tmp_path / "conf").read_text() == "as applied"
        assert (tmp_path / "other").read_text() == "by hand"
        assert (tmp_path / "read").read_text() == "as applied" * 2
        seen, after = records(core)[1].record, records(core)[2].record
        assert [item.identity for item in seen.resources] == [
            f"{tmp_path}/conf",
            f"{tmp_path}/other",
        ]
        assert seen.repaired == ()
        assert [item.identity for item in after.resources] == [f"{tmp_path}/other"]
        statuses = {one.identity: one.status for one in after.repaired}
        assert statuses == {f"{tmp_path}/conf": "changed", "reader": "changed"}
        assert len(audits(core, "drift.repaired")) == 2
        order = [type(body).__name__ for body in bodies(core)]
        assert order.index("Drift") < len(order) - 1 - order[::-1].index("Audit")
        assert core.steps.snapshot().operation_id == "op"


@pytest.mark.parametrize(
    ("policy", "signed"),
    [
        (f"{DENY}repair = false\n", True),
        (f'{DENY}signature = "deny"\n', True),
        (f'{DENY}kinds = ["file-unix"]\n', True),
        ("not a policy", True),
        ("", False),
    ],
    ids=["repair-false", "deny", "kind-of-a-reader", "unreadable", "unsigned"],
)
async def test_without_leave_it_is_only_told(tmp_path: Path, policy: str, signed: bool) -> None:
    """The host's own policy has the last word, also on what reacts to a repair."""
    async with keeping(tmp_path, policy=policy, signed=signed) as core:
        (tmp_path / "conf").write_text("by hand")
        await until(core, lambda: len(records(core)) == 1)
        await trio.testing.wait_all_tasks_blocked(0.3)
        assert (tmp_path / "conf").read_text() == "by hand"
        assert audits(core, "drift.repaired") == []


async def test_a_host_that_is_approved_no_more_repairs_nothing(tmp_path: Path) -> None:
    """Whoever took the approval back wants nothing done there."""
    async with keeping(tmp_path) as core:
        core.trust._standing = Standing("rejected", "default/default/default", "web1")
        (tmp_path / "conf").write_text("by hand")
        await until(core, lambda: len(records(core)) == 1)
        await trio.testing.wait_all_tasks_blocked(0.3)
        assert (tmp_path / "conf").read_text() == "by hand"


async def test_a_fight_ends_and_is_told_and_an_apply_begins_anew(tmp_path: Path) -> None:
    """After so many repairs it is left, told as critical, until the next apply."""
    conf = tmp_path / "conf"
    async with keeping(tmp_path) as core:
        for count in range(MAX_REPAIRS):
            conf.write_text("by hand")
            done = 2 + 2 * count
            await until(core, lambda done=done: len(audits(core, "drift.repaired")) == done)
            await until(core, lambda: core.drift == "in_sync")
        conf.write_text("by hand")
        await until(core, lambda: bool(audits(core, "drift.fight")))
        await trio.testing.wait_all_tasks_blocked(0.3)
        assert conf.read_text() == "by hand"
        assert audits(core, "drift.fight")[0].severity == "critical"
        assert any(text.startswith("drift_fight") for text in core.problems.listed())
        conf.write_text("as applied")
        apply_here(core, wanted(tmp_path), "op2")
        await until(core, lambda: core.problems.listed() == ())
        conf.write_text("by hand")
        await until(core, lambda: conf.read_text() == "as applied")


async def test_a_repair_that_fails_is_told(tmp_path: Path) -> None:
    """What stands in the way stays where it is, and the operators learn of it."""
    async with keeping(tmp_path) as core:
        (tmp_path / "conf").unlink()
        (tmp_path / "conf").mkdir()
        (tmp_path / "conf/data").write_text("somebody's")
        await until(core, lambda: bool(records(core)))
        await trio.testing.wait_all_tasks_blocked(0.3)
        assert (tmp_path / "conf/data").read_text() == "somebody's"
        assert audits(core, "drift.repaired") == []
        shutil.rmtree(tmp_path / "conf")


def test_a_crash_in_the_middle_forgets_nothing(tmp_path: Path) -> None:
    """What it had begun is told; what reacts to it stays pending; the count goes on."""
    core = make_core(tmp_path / "state")
    apply_here(core, wanted(tmp_path))
    snapshot = core.steps.snapshot()
    held = snapshot.applied[0]
    key = held.resource.key
    repairs = Repairs()
    repairs.begin(name_of(key), core.clock())
    data = msgspec.json.encode(repairs.records)
    core.database.write(lambda tx: put(tx, "repairs", data))
    started = Started(key, "d", held)
    core.database.write(lambda tx: step_store.add_progress(tx, "repair", started))
    repairer = Repairer(core)
    repairer.recover()
    assert [one.severity for one in audits(core, "drift.repair_interrupted")] == ["warning"]
    assert [pending.identity for pending in core.steps.snapshot().pending] == ["reader"]
    again = Repairer(core)
    again.recover()
    assert len(audits(core, "drift.repair_interrupted")) == 1
    records = again._repairs.records
    assert len(records[name_of(key)].at) == 1
    assert not records[name_of(key)].running


def test_what_cannot_be_done_twice_is_not_done_again_after_a_crash(tmp_path: Path) -> None:
    """A script that ran when the agent died is left until an operator applies."""
    core = make_core(tmp_path / "state")
    apply_here(core, wanted(tmp_path))
    name = "kept\0script\0reader"
    repairs = Repairs()
    repairs.begin(name, core.clock())
    data = msgspec.json.encode(repairs.records)
    core.database.write(lambda tx: put(tx, "repairs", data))
    repairer = Repairer(core)
    repairer.recover()
    assert not repairer._repairs.may(name, core.clock())


def begun(core: Core) -> Finished:
    """Return what a repair tells of the first resource; it is stored, and its end is not."""
    record = core.steps.snapshot().applied[0]
    key = record.resource.key
    result = ResourceResult(key.module, key.kind, key.identity, "update", "changed")
    message = Finished(key, result, record)
    core.database.write(lambda tx: step_store.add_progress(tx, "repair", message))
    return message


def test_what_a_repair_left_behind_brings_back_nothing_that_was_replaced(tmp_path: Path) -> None:
    """Its end found no room on the disk, an operator applied since, and then the agent fell."""
    core = make_core(tmp_path / "state")
    apply_here(core, wanted(tmp_path))
    begun(core)
    newer = wanted(tmp_path).replace(b"as applied", b"newer")
    apply_here(core, newer, "op2")
    Repairer(core).recover()
    contents = [held.resource.spec.get("content") for held in core.steps.snapshot().applied]
    assert contents[:2] == ["newer", "newer"]
    assert core.database.read(lambda tx: step_store.progress(tx, "repair")) == []


def test_what_it_did_to_what_is_still_wanted_is_taken_in(tmp_path: Path) -> None:
    """And said, by the names of the resources."""
    core = make_core(tmp_path / "state")
    apply_here(core, wanted(tmp_path))
    begun(core)
    Repairer(core).recover()
    [told] = audits(core, "drift.repair_interrupted")
    assert told.message.endswith(f"file-unix {tmp_path}/conf")


async def test_a_repair_that_breaks_ends_nobody(tmp_path: Path) -> None:
    """It is told once, counts as a repair, and the looks go on."""
    async with keeping(tmp_path) as core:

        def broken(*_: object) -> None:
            raise ZeroDivisionError

        core.steps.repair = broken  # type: ignore[method-assign,assignment]  # it breaks
        (tmp_path / "conf").write_text("by hand")
        await until(core, lambda: audits(core, "drift.repair_broken"))
        (tmp_path / "other").write_text("by hand")
        await until(core, lambda: len(records(core)) == 2)
        assert (tmp_path / "conf").read_text() == "by hand"


async def test_what_a_repair_left_is_stored_before_the_next_job(tmp_path: Path) -> None:
    """An apply that follows at once begins with it, and is not undone by it."""
    async with keeping(tmp_path) as core:
        done, after = core.steps.repair, list[Snapshot]()

        def repair(*given: object) -> tuple[ApplyResult, Snapshot]:
            result, snapshot = done(*given)  # type: ignore[arg-type]  # handed on as they are
            marked = msgspec.structs.replace(snapshot, operation_id="marked")
            after.append(marked)
            return result, marked

        core.steps.repair = repair  # type: ignore[method-assign,assignment]  # it marks
        run, seen = core.thread.run, list[str | None]()

        async def running(job: Callable[[], object]) -> object:
            found = await run(job)
            if after and not seen:
                seen.append(core.steps.snapshot().operation_id)
            return found

        core.thread.run = running  # type: ignore[method-assign,assignment]  # looks after it
        (tmp_path / "conf").write_text("by hand")
        await until(core, lambda: seen)
        assert seen == ["marked"]
