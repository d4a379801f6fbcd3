"""What is no file is listened to as long as it is managed, and costs nothing otherwise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from agent.bells import Bell
from agent.core import Core
from agent.services import signals
from agent.services.signals import Keys, Source, sources, units
from protocol import messages
from protocol.messages import Audit
from state_engine.model import AppliedResource, ResolvedResource, ResourceKey, Snapshot
from tests.fakes.agent import make_core
from tests.fakes.bus import bus, systemd


def snapshot(*resources: tuple[str, str]) -> Snapshot:
    made = [ResolvedResource("m", kind, name, {}) for kind, name in resources]
    return Snapshot(applied=tuple(AppliedResource(one) for one in made))


WEB = ResourceKey("m", "service-systemd", "web")
CLEAN = ResourceKey("m", "timer-systemd", "clean")
MANAGED = snapshot(
    ("service-systemd", "web"),
    ("timer-systemd", "clean"),
    ("mount", "/srv"),
    ("file-unix", "/etc/a"),
    ("network-route", "10.0.0.0/8"),
)


async def until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(10):
        while not holds():
            await trio.testing.wait_all_tasks_blocked(0.005)


def audits(core: Core) -> list[str]:
    bodies = [messages.decode_body(entry) for entry in core.journal.after(0)]
    return [body.message for body in bodies if isinstance(body, Audit)]


def test_what_is_managed_says_what_to_listen_to() -> None:
    """Files need no source of their own; what was never applied whole is not looked at."""
    assert [source.name for source in sources(MANAGED)] == ["mounts", "network", "units"]
    assert sources(MANAGED)[2].keys == {WEB, CLEAN}
    assert sources(snapshot(("file-unix", "/etc/a"))) == ()
    incomplete = Snapshot(applied=(AppliedResource(MANAGED.applied[0].resource, incomplete=True),))
    assert sources(incomplete) == ()


def test_a_unit_is_named_as_systemd_names_it() -> None:
    """The word in a module has no suffix, the signal has one."""
    assert units(frozenset({WEB, CLEAN})) == {
        "web.service": frozenset({WEB}),
        "clean.timer": frozenset({CLEAN}),
    }


async def test_only_the_unit_that_changed_is_looked_at(tmp_path: Path) -> None:
    """All of them once the listening begins, then each by its own signal."""
    core = make_core(tmp_path / "state")
    looked: list[Keys] = []
    held = [snapshot()]
    changed = Bell()
    with bus(tmp_path) as socket:
        async with systemd(socket) as manager, trio.open_nursery() as nursery:
            nursery.start_soon(
                signals.follow, core, lambda: held[0], changed, looked.append, socket
            )
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert not manager.subscribed.is_set(), "nothing is managed yet"
            held[0] = MANAGED
            changed.ring()
            await until(lambda: frozenset({WEB, CLEAN}) in looked)
            await manager.changed("clean.timer")
            await until(lambda: frozenset({CLEAN}) in looked)
            held[0] = snapshot()
            changed.ring()
            await trio.testing.wait_all_tasks_blocked(0.05)
            looked.clear()
            await manager.changed("clean.timer")
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert looked == [], "it is managed no more"
            nursery.cancel_scope.cancel()


async def test_a_host_without_a_bus_says_so_once_and_tries_again(
    tmp_path: Path, autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """The full look finds what no signal told."""
    del autojump_clock
    core = make_core(tmp_path / "state")
    source = Source("units", frozenset({WEB}))
    with trio.move_on_after(3.5 * signals.RETRY_SECONDS):
        await signals.attend(core, source, lambda _: None, str(tmp_path / "none"))
    assert capsys.readouterr().out.count("drift.deaf") == 4
    (text,) = audits(core)
    assert text.endswith("changes are found by the next full look only")


def test_an_idle_agent_does_not_load_the_bus() -> None:
    """Who manages no unit does not pay for D-Bus."""
    code = (
        "import agent.services.drift, sys; print(sorted({'jeepney', 'select'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "jeepney" not in done.stdout
