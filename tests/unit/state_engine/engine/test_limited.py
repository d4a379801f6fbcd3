"""The time that one resource may take."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from protocol.reports import CapturedStream
from state_engine.engine.apply import apply_plan
from state_engine.engine.limited import limited
from state_engine.engine.plan import make_plan
from state_engine.model import ResolvedResource, Snapshot
from state_engine.ports import PortError, ProgramCall
from tests.fakes.ports import FakePorts, FakePrograms
from tests.fakes.resources import a_file, a_script


class Slow(FakePrograms):
    """Each program takes 40 seconds, or as long as it may; `asked` is how long that was."""

    def __init__(self, ports: FakePorts) -> None:
        super().__init__()
        self._ports = ports
        self.asked: list[float] = []

    def run(self, call: ProgramCall) -> CapturedStream:
        self.asked.append(call.timeout)
        self._ports.now += min(40.0, call.timeout)
        return CapturedStream(0 if call.timeout >= 40 else 124, "", "")


def slow(timeout: float | None) -> tuple[FakePorts, Slow, ResolvedResource]:
    ports = FakePorts()
    programs = ports.programs = Slow(ports)
    script = a_script("s", check="c", undo="u")
    return ports, programs, msgspec.structs.replace(script, timeout=timeout)


def test_without_a_timeout_nothing_is_wrapped() -> None:
    ports = FakePorts()
    assert limited(a_file("/f"), ports) is ports


def test_a_program_gets_no_more_than_what_is_left() -> None:
    """The second of two gets the rest, and a third one is not started."""
    ports, programs, script = slow(60)
    within = limited(script, ports)
    call = ProgramCall(("x",))
    assert within.programs.run(call).exit == 0
    with pytest.raises(PortError, match="timeout of 60 s") as caught:
        within.programs.run(call)
    assert caught.value.code == "ETIMEDOUT"
    with pytest.raises(PortError):
        within.programs.run(call)
    assert programs.asked == [60, 20]


def test_a_program_keeps_a_shorter_limit_of_its_own() -> None:
    ports, programs, script = slow(60)
    assert limited(script, ports).programs.run(ProgramCall(("x",), timeout=5)).exit == 124
    assert programs.asked == [5]


def test_a_clock_that_is_set_back_gives_no_more_time() -> None:
    ports, programs, script = slow(60)
    within = limited(script, ports)
    ports.now -= 1_000
    within.programs.run(ProgramCall(("x",)))
    assert programs.asked == [60]


def test_content_that_came_too_late_is_not_used() -> None:
    ports, _, script = slow(60)
    sha256 = hashlib.sha256(b"x").hexdigest()
    ports.sources.held["file:///x"] = b"x"
    within = limited(script, ports)
    assert within.sources.fetch("file:///x", sha256) == b"x"
    ports.now += 61
    with pytest.raises(PortError):
        within.sources.fetch("file:///x", sha256)


def test_looking_acting_and_removing_have_the_limit_each() -> None:
    """A plan says that its look took too long; an apply, that acting did; the undo likewise."""
    ports, programs, script = slow(30)
    [item] = make_plan("n", (script,), Snapshot(), ports).resources
    assert (item.action, programs.asked) == ("error", [30])
    ports, programs, script = slow(50)
    outcome = apply_plan("op", "n", (script,), Snapshot(), ports, approved=None)
    assert outcome.result.status == "succeeded"
    assert programs.asked[0] == 50
    gone = apply_plan("op", "n", (), outcome.snapshot, ports, approved=None)
    assert programs.asked[-1] == 50
    assert gone.result.status == "succeeded"


def test_all_else_is_the_host_itself() -> None:
    ports, _, script = slow(1)
    within = limited(script, ports)
    assert within.files is ports.files
    assert within.accounts is ports.accounts
    assert within.backups is ports.backups
    assert within.network is ports.network
    assert within.clock() == ports.now
    assert within.fingerprint(b"x") == ports.fingerprint(b"x")
