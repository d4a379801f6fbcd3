"""Drift is seen when it happens, told once, and never for an apply of our own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from agent import drift_account, step_store, work
from agent.core import Core
from agent.database import Tx, put
from agent.services import drift
from agent.watching import Concern
from protocol import messages
from protocol.messages import Audit, Drift, Offer
from protocol.reports import DriftRecord, ResourceDiff
from state_engine.engine.apply import apply_plan
from state_engine.model import NodeFacts, ResourceKey, Snapshot
from state_engine.ports import Ports
from tests.fakes.agent import make_core
from tests.fakes.operators import Operator, module
from tests.fakes.sites import site

ADA = Operator()
PYTHON = str(Path(sys.executable).resolve())


def apply_here(core: Core, root: Path, text: str) -> None:
    """Bring a site to a state and store the snapshot, as a finished step does."""
    offer = Offer("r", "state.apply", "l", 1, "op", (module("site", site(root, text), ADA),))
    facts = NodeFacts("n", "web1", {"platform": "linux"})
    resources = work.resolve(offer, work.Circumstances(facts, None, Snapshot()))
    assert isinstance(resources, tuple)
    outcome = apply_plan(
        "op", "n", resources, core.steps.snapshot(), core.steps.engine.ports, approved=None
    )
    assert outcome.result.status == "succeeded"
    data = msgspec.msgpack.encode(outcome.snapshot)
    core.database.write(lambda tx: put(tx, "snapshot", data))
    core.steps.applied.ring()


def told(core: Core) -> list[Drift]:
    bodies = [messages.decode_body(entry) for entry in core.journal.after(0)]
    return [body for body in bodies if isinstance(body, Drift)]


def service_is_blind(core: Core) -> None:
    """Skip where the kernel does not say who changes files."""
    events = [messages.decode_body(entry) for entry in core.journal.after(0)]
    if any(isinstance(one, Audit) and one.event == "drift.unattributed" for one in events):
        pytest.skip("needs CAP_SYS_ADMIN for fanotify")


def own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


async def until_told(core: Core, count: int) -> Drift:
    with trio.fail_after(30):
        while len(told(core)) < count:
            await core.journal_bell.heard(core.journal_bell.count)
    return told(core)[-1]


@asynccontextmanager
async def watching(tmp_path: Path) -> AsyncGenerator[Core]:
    """A host with one site applied and the drift service running."""
    core = make_core(tmp_path / "state")
    core.attach()
    apply_here(core, tmp_path, "hello")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drift.run, core)
        with trio.fail_after(30):
            while core.drift is None:
                await trio.testing.wait_all_tasks_blocked(0.01)
        try:
            yield core
        finally:
            nursery.cancel_scope.cancel()
    core.database.close()


async def test_a_change_and_its_end_are_told_once_each(tmp_path: Path) -> None:
    """Every way to differ is seen: content, mode, the file gone, its directory gone and back."""
    page = tmp_path / "srv/index.html"
    async with watching(tmp_path) as core:
        assert core.drift == "in_sync"
        page.write_text("by hand")
        seen = await until_told(core, 1)
        assert (seen.record.status, seen.record.source) == ("drifted", "event")
        assert [item.identity for item in seen.record.resources] == [str(page)]
        page.write_text("hello")
        assert (await until_told(core, 2)).record.status == "in_sync"
        page.chmod(0o600)
        assert (await until_told(core, 3)).record.status == "drifted"
        shutil.rmtree(tmp_path / "srv")
        gone = await until_told(core, 4)
        while len(gone.record.resources) < 2:
            gone = await until_told(core, len(told(core)) + 1)
        (tmp_path / "srv").mkdir(mode=0o755)
        page.write_text("hello")
        page.chmod(0o644)
        back = told(core)[-1]
        while back.record.status != "in_sync":
            back = await until_told(core, len(told(core)) + 1)
        assert core.drift == "in_sync"


async def test_an_apply_of_our_own_is_no_drift(tmp_path: Path) -> None:
    """The snapshot moves with the files, so there is nothing to tell."""
    async with watching(tmp_path) as core:
        apply_here(core, tmp_path, "another text")
        apply_here(core, tmp_path, "a third text")
        (tmp_path / "srv/index.html").chmod(0o640)
        first = await until_told(core, 1)
        changes = [c.field for c in first.record.resources[0].changes]
        assert changes == ["mode"], "the only difference is the one made by hand"


async def test_drift_is_told_with_when_and_by_whom(tmp_path: Path) -> None:
    """The process and the user that made the change stand in the record, also after a rename."""
    async with watching(tmp_path) as core:
        service_is_blind(core)
        code = "import os; open('n', 'w').write('x'); os.rename('n', 'index.html'); input()"
        process = await trio.lowlevel.open_process(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, cwd=tmp_path / "srv"
        )
        item = (await until_told(core, 1)).record.resources[0]
        process.kill()
        await process.wait()
        assert item.changed_at == core.clock()
        assert item.changed_by is not None
        assert item.changed_by.pid == process.pid
        assert item.changed_by.exe == PYTHON
        assert (item.changed_by.uid, item.changed_by.user) == (os.geteuid(), own_name())


async def test_a_look_by_hand_says_it_too(tmp_path: Path) -> None:
    """An operator who asks learns what the agent has seen by itself."""
    async with watching(tmp_path) as core:
        service_is_blind(core)
        await trio.run_process(["sh", "-c", f"echo x > {tmp_path}/srv/index.html"])
        first = (await until_told(core, 1)).record.resources[0]
        offer = Offer("r", "state.drift", "l", 1, "op")
        core.database.write(lambda tx: step_store.add(tx, offer))
        assert await core.steps.run_next()
        chunks = [messages.decode_body(entry) for entry in core.journal.after(0)]
        data = b"".join(one.data for one in chunks if isinstance(one, messages.ArtifactChunk))
        record = msgspec.json.decode(data, type=DriftRecord)
        assert record.source == "manual"
        assert record.resources[0].changed_by == first.changed_by
        assert first.changed_by is not None


async def test_who_it_was_survives_a_crash(tmp_path: Path) -> None:
    """What was told stays known with its author; what was not told is found by the next start."""
    async with watching(tmp_path) as core:
        service_is_blind(core)
        await trio.run_process(["sh", "-c", f"echo x > {tmp_path}/srv/index.html"])
        first = (await until_told(core, 1)).record.resources[0]
    # Nothing was put in order: as after a kill. Meanwhile somebody goes on.
    (tmp_path / "srv").chmod(0o700)
    core = make_core(tmp_path / "state")
    core.attach()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drift.run, core)
        second = (await until_told(core, 2)).record
        nursery.cancel_scope.cancel()
    by_path = {item.identity: item for item in second.resources}
    assert len(by_path) == 2
    assert by_path[first.identity].changed_by == first.changed_by
    folder = by_path[str(tmp_path / "srv")]
    assert folder.changed_by is None
    assert folder.changed_at == (tmp_path / "srv").stat().st_ctime
    core.database.close()


async def test_an_apply_that_was_cut_short_is_no_drift(tmp_path: Path) -> None:
    """Until it is resumed, what it has written is the agent's own doing."""
    core = make_core(tmp_path / "state")
    apply_here(core, tmp_path, "hello")
    (tmp_path / "srv/index.html").write_text("half of the new state")
    offer = Offer("r", "state.apply", "l", 1, "op")

    def begun(tx: Tx) -> None:
        step_store.add(tx, offer)
        step_store.start(tx, "r")

    core.database.write(begun)
    service = drift._Service(core)
    service._snapshot = core.steps.snapshot()
    await service._look("scheduled")
    assert told(core) == []
    core.database.write(lambda tx: step_store.finish(tx, "r"))
    service._everything = True
    await service._look("scheduled")
    assert len(told(core)) == 1


async def test_every_twelfth_full_look_reads_the_content(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Times and size of a file can be set back; its content cannot hide for more than an hour."""
    del autojump_clock
    core = make_core(tmp_path / "state")
    apply_here(core, tmp_path, "hello")
    core.thread.inline = True
    asked: list[bool] = []

    class Noting(Sick):
        def look(
            self,
            snapshot: Snapshot,
            only: frozenset[ResourceKey] | None,
            cancelled: Callable[[], bool],
            *,
            verify: bool = False,
        ) -> tuple[ResourceDiff, ...]:
            asked.append(verify)
            return self.well.look(snapshot, only, cancelled, verify=verify)

    core.steps.engine = Noting(core.steps.engine)
    with trio.move_on_after((2 * drift.VERIFY_EVERY + 0.5) * core.config.drift_interval):
        await drift._Service(core).look_for_ever()
    assert [at for at, verify in enumerate(asked) if verify] == [12, 24], asked


async def test_a_signal_means_look_again(tmp_path: Path) -> None:
    """What is no file is looked at when systemd or the kernel says so."""
    core = make_core(tmp_path / "state")
    service = drift._Service(core)
    service._everything = False
    key = ResourceKey("m", "service-systemd", "web")
    count = service._wake.count
    service._look_at(frozenset({key}))
    assert service._keys == {key}
    assert service._wake.count == count + 1


async def test_a_moved_directory_is_seen(tmp_path: Path) -> None:
    """Watches follow inodes; a directory that went elsewhere is missed by its name."""
    async with watching(tmp_path) as core:
        (tmp_path / "srv").rename(tmp_path / "elsewhere")
        seen = await until_told(core, 1)
        assert len(seen.record.resources) == 2


async def test_a_full_table_of_watches_is_told_and_looks_come_more_often(tmp_path: Path) -> None:
    """What cannot be watched is looked at, visibly in every heartbeat and once in the journal."""
    core = make_core(tmp_path / "state")
    apply_here(core, tmp_path, "hello")
    service = drift._Service(core)
    service._snapshot = core.steps.snapshot()
    service._room = 1
    assert service._soon() == float("inf")
    service._arm()
    assert service._soon() == drift.UNWATCHED_INTERVAL
    assert len(service._unwatched) == 2
    assert core.heartbeat(0.0).problems[0].startswith("drift_watch: 2 resources")
    assert [entry.kind for entry in core.journal.after(0)] == ["audit"]
    service.close()
    service._room = 100
    service._arm()
    assert service._soon() == float("inf")
    assert core.heartbeat(0.0).problems == ()


async def test_lost_events_are_told_and_looked_after(tmp_path: Path) -> None:
    """An overflow means a full look and new watches."""
    core = make_core(tmp_path / "state")
    service = drift._Service(core)
    service._everything = service._rearm = False
    service._take(Concern())
    assert not service._rearm
    service._take(Concern(everything=True))
    assert service._everything
    assert service._rearm
    assert [entry.kind for entry in core.journal.after(0)] == ["audit"]


class Sick(work.Engine):
    """An engine that fails as long as it is told to."""

    def __init__(self, well: work.Engine) -> None:
        """Stand before one that works."""
        self.well = well
        self.sick = True

    def look(
        self,
        snapshot: Snapshot,
        only: frozenset[ResourceKey] | None,
        cancelled: Callable[[], bool],
        *,
        verify: bool = False,
    ) -> tuple[ResourceDiff, ...]:
        if self.sick:
            raise ZeroDivisionError("a bug")
        return self.well.look(snapshot, only, cancelled, verify=verify)

    @property
    def ports(self) -> Ports:
        return self.well.ports


async def test_a_look_that_fails_is_told_and_ends_nothing(tmp_path: Path) -> None:
    """What a user puts in the place of a managed file must not switch the agent off."""
    async with watching(tmp_path) as core:
        sick = core.steps.engine = Sick(core.steps.engine)
        (tmp_path / "srv/index.html").write_text("by hand")
        with trio.fail_after(30):
            while not core.problems.listed():
                await trio.testing.wait_all_tasks_blocked(0.01)
        assert core.problems.listed()[0].startswith("drift_failed")
        sick.sick = False
        (tmp_path / "srv/index.html").write_text("again")
        assert (await until_told(core, 1)).record.status == "drifted"
        assert core.problems.listed() == ()


async def test_a_file_that_flips_for_ever_fills_no_journal(tmp_path: Path) -> None:
    """After a burst drift is told now and then, and the last word is the true one."""
    core = make_core(tmp_path / "state")
    apply_here(core, tmp_path, "hello")
    service = drift._Service(core)
    service._snapshot = core.steps.snapshot()
    page = tmp_path / "srv/index.html"
    for number in range(2 * drift_account.BURST + 1):
        page.write_text("hello" if number % 2 else "by hand")
        service._everything = True
        await service._look("event")
    assert len(told(core)) == drift_account.BURST
    assert 0.0 < service._soon() <= drift_account.EVERY_SECONDS


async def test_a_full_look_sets_the_watches_anew(tmp_path: Path, autojump_clock: MockClock) -> None:
    """What is mounted over a watched directory sends no event; it is found, and then watched."""
    del autojump_clock
    core = make_core(tmp_path / "state")
    apply_here(core, tmp_path, "hello")
    core.thread.inline = True
    service = drift._Service(core)
    armed: list[float] = []
    service._arm = lambda: armed.append(trio.current_time())  # type: ignore[method-assign]  # counts
    with trio.move_on_after(3.5 * core.config.drift_interval):
        await service.look_for_ever()
    assert len(armed) == 4


async def test_a_host_that_manages_nothing_is_never_woken(tmp_path: Path) -> None:
    """Without resources there is no timer and no watch."""
    service = drift._Service(make_core(tmp_path / "state"))
    assert service._interval() == float("inf")


async def test_a_plan_makes_nobody_forgotten_and_an_apply_does(tmp_path: Path) -> None:
    """Who waits for a plan, and changes something meanwhile, is named all the same."""
    core = make_core(tmp_path / "state")
    service = drift._Service(core)
    key = ResourceKey("m", "file-unix", "/a")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(service.follow_applies)
        await trio.testing.wait_all_tasks_blocked()
        service.witness.note(frozenset({key}))
        core.steps.applied.ring()
        await trio.testing.wait_all_tasks_blocked()
        assert service.witness.of(key) is not None
        core.steps.applies += 1
        core.steps.applied.ring()
        await trio.testing.wait_all_tasks_blocked()
        assert service.witness.of(key) is None
        nursery.cancel_scope.cancel()
    core.database.close()
