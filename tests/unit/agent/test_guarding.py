"""An apply that may cut the host off goes back unless the coordinator is met anew."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from agent import step_store
from agent.core import Core
from agent.engine_thread import EngineThread
from agent.guarding import Guard, Meeting, Stopped
from agent.step_outcomes import Done, apply_outcome
from agent.work import Circumstances, resolve
from protocol import messages
from protocol.keys import SigningKey
from protocol.messages import Finished, Offer
from protocol.reports import ApplyResult
from state_engine.deadman import WINDOW, Switch
from state_engine.engine.apply import apply_plan
from state_engine.engine.plan import make_plan
from state_engine.host import switch_file
from state_engine.model import NodeFacts, ResolvedResource, Snapshot
from state_engine.ports import PortError
from state_engine.resources.contract import Risk
from state_engine.resources.file_unix import FileUnix
from state_engine.resources.registry import KINDS
from tests.fakes.agent import make_core, running
from tests.fakes.coordinator import FakeCoordinator
from tests.fakes.operators import Operator, first_roster, module
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import a_file
from tests.fakes.sites import site


class Risky(FileUnix):
    """A kind of which every change may cut the host off."""

    risk: Risk = "connectivity"


RISKY = "/etc/ssh/sshd_config"
OLD = Snapshot("earlier")


def host() -> FakePorts:
    ports = FakePorts()
    for path in ("/etc", "/etc/ssh"):
        ports.files.put(path, Node("directory", 0o755, 0, 0))
    ports.files.put(RISKY, Node("file", 0o600, 0, 0, b"Port 22\n"))
    return ports


def apply(ports: FakePorts, guard: Guard, *resources: ResolvedResource) -> Done:
    outcome = apply_plan("op", "n", resources, OLD, ports, approved=None, at_risk=guard.arm)
    name, message, reason = apply_outcome(outcome.result)
    return Done(name, outcome.result, "d", message, outcome.snapshot, reason)


def after(seen: list[float], *, met: bool) -> Callable[[float], bool]:
    def reached(seconds: float) -> bool:
        seen.append(seconds)
        return met

    return reached


@pytest.mark.parametrize("met", [True, False])
def test_a_risky_change_stays_only_if_the_coordinator_is_met_anew(
    tmp_path: Path, met: bool
) -> None:
    """Else all of the operation goes back, the step has failed, and says why."""
    ports, seen = host(), list[float]()
    before = ports.tree()
    guard = Guard(tmp_path, "op", after(seen, met=met))
    done = apply(ports, guard, a_file(RISKY, "Port 2222\n"), a_file("/etc/motd"))
    assert switch_file.load(tmp_path) == Switch("armed", "op")
    settled = guard.settle(done, OLD, "n", ports)
    assert seen == [WINDOW]
    assert switch_file.load(tmp_path).state == ("confirmed" if met else "reverted")
    assert (settled is done) == met
    assert (ports.tree() == before) == (not met)
    if not met:
        assert (settled.outcome, settled.snapshot) == ("failed", OLD)
        assert "not reached within 60 s" in settled.message
        assert isinstance(settled.document, ApplyResult)
        assert settled.document.error == settled.message


def test_a_change_without_risk_asks_nobody(tmp_path: Path) -> None:
    """Neither does a risky resource that is as desired, nor a host that cannot ask."""
    ports, seen = host(), list[float]()
    guard = Guard(tmp_path, "op", after(seen, met=False))
    done = apply(ports, guard, a_file("/etc/motd"), a_file(RISKY, "Port 22\n"))
    assert guard.settle(done, OLD, "n", ports) is done
    unguarded = Guard(tmp_path, "op", None)
    done = apply(ports, unguarded, a_file(RISKY, "Port 2222\n"))
    assert unguarded.settle(done, OLD, "n", ports) is done
    assert (seen, switch_file.load(tmp_path)) == ([], Switch())


@pytest.mark.parametrize(("state", "asked"), [("armed", 1), ("reverting", 0)])
def test_after_a_crash_it_waits_again_or_goes_on_taking_back(
    tmp_path: Path, state: str, asked: int
) -> None:
    """The switch and the way back are on disk; a confirmation comes too late for a revert."""
    ports, seen = host(), list[float]()
    before = ports.tree()
    done = apply(ports, Guard(tmp_path, "op", after([], met=True)), a_file(RISKY, "Port 1\n"))
    crashed = Switch("armed", "op") if state == "armed" else Switch("reverting", "op")
    switch_file.save(tmp_path, crashed)
    again = Guard(tmp_path, "op", after(seen, met=False))
    settled = again.settle(Done("interrupted", snapshot=done.snapshot), OLD, "n", ports)
    assert (len(seen), settled.outcome) == (asked, "failed")
    assert ports.tree() == before
    assert switch_file.load(tmp_path).state == "reverted"


def test_two_undecided_changes_are_one_too_many(tmp_path: Path) -> None:
    """The second is not begun."""
    ports = host()
    switch_file.save(tmp_path, Switch("armed", "another"))
    before = ports.tree()
    guard = Guard(tmp_path, "op", after([], met=True))
    with pytest.raises(PortError):
        guard.arm()
    done = apply(ports, guard, a_file(RISKY, "Port 2222\n"))
    assert (done.outcome, ports.tree()) == ("failed", before)


def test_what_cannot_be_taken_back_is_said(tmp_path: Path) -> None:
    """The way back was lost: the host stays as it is, and the switch does not stick."""
    ports = host()
    guard = Guard(tmp_path, "op", after([], met=False))
    done = apply(ports, guard, a_file(RISKY, "Port 2222\n"))
    ports.reverts.held.clear()
    settled = guard.settle(done, OLD, "n", ports)
    assert (settled.outcome, settled.snapshot) == ("failed", done.snapshot)
    assert "nothing is kept" in settled.message
    assert not switch_file.load(tmp_path).undecided


async def test_a_new_handshake_is_asked_for_and_heard() -> None:
    """One that was before does not count; in time is in time."""
    meeting = Meeting(threading.Event())
    meeting.handshakes.ring()
    met: list[bool] = []

    async def wait() -> None:
        met.append(await EngineThread().run(lambda: meeting.reached(60.0)))

    async with trio.open_nursery() as nursery:
        asked = meeting.renew.count
        nursery.start_soon(wait)
        await meeting.renew.heard(asked)
        meeting.handshakes.ring()
    assert met == [True]


async def test_nobody_comes() -> None:
    """After the window, on the clock of the event loop."""
    meeting = Meeting(threading.Event())
    assert await EngineThread().run(lambda: meeting.reached(0.05)) is False


async def test_an_agent_that_stops_does_not_wait() -> None:
    """The switch stays armed for its next start."""
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(Stopped):
        await EngineThread().run(lambda: Meeting(stopping).reached(60.0))


@pytest.mark.parametrize("met", [True, False])
async def test_the_whole_way_from_an_offer_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, met: bool
) -> None:
    """With the real link: a coordinator that is gone after the apply makes it go back."""
    monkeypatch.setitem(KINDS, "file-unix", Risky())
    ada = Operator()
    there = FakeCoordinator(SigningKey.generate(), [first_roster(ada)])
    core = make_core(tmp_path / "state")
    core.steps.meeting.window = 30.0 if met else 0.2
    core.steps.set_attributes({"platform": "linux"})
    version = module("site", site(tmp_path), ada)
    resources = resolve(
        Offer("r", "state.plan", "l", 1, "op", (version,)),
        Circumstances(NodeFacts("n", "w", {"platform": "linux"}), None, Snapshot()),
    )
    assert isinstance(resources, tuple)
    items = make_plan("n", resources, Snapshot(), core.steps.engine.ports).resources
    approved = tuple(item.digest for item in items)
    offer = Offer("r", "state.apply", "l", 1, "op", (version,), approved=approved)
    core.steps._still = lambda _: None
    async with there.running(), running(core, there):
        if not met:
            # Who answers from now on is a stranger: nobody that the host would talk to.
            there.key = SigningKey.generate()
        core.database.write(lambda tx: step_store.add(tx, offer))
        core.work_bell.ring()
        with trio.fail_after(20):
            while not (ends := _ends(core, there)):
                await core.journal_bell.heard(core.journal_bell.count)
    [end] = ends
    assert end.outcome == ("succeeded" if met else "failed")
    assert (tmp_path / "srv").exists() == met
    assert switch_file.load(tmp_path / "state").state == ("confirmed" if met else "reverted")


def _ends(core: Core, there: FakeCoordinator) -> list[Finished]:
    told = [messages.decode_body(entry) for entry in core.journal.after(0)]
    return [body for body in told if isinstance(body, Finished)] or there.bodies(Finished)
