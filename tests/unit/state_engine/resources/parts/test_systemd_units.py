"""Looking at a unit, and systemctl's verbs."""

from __future__ import annotations

import pytest

from protocol.reports import CapturedStream
from state_engine.ports import PortError, ProgramCall
from state_engine.resources.parts import systemd_units as units
from tests.fakes.ports import FakePorts, Node
from tests.fakes.systemd import ETC, VENDOR, SystemdPorts

TEXT = b"[Service]\nExecStart=/bin/x\nExecReload=/bin/y\n[Install]\nWantedBy=multi-user.target\n"


def test_a_host_without_systemd_is_said_to_be_one() -> None:
    ports = FakePorts()
    with pytest.raises(PortError, match="systemd does not run"):
        units.look(ports, "/", "x.service", enablement=True)
    assert ports.programs.calls == []


def test_one_question_unless_enablement_is_asked() -> None:
    """Each costs a process: the second only when its answer is used."""
    ports = SystemdPorts()
    ports.files.put(f"{VENDOR}/x.service", Node("file", 0o644, 0, 0, TEXT))
    found = units.look(ports, "/", "x.service", enablement=False)
    assert (found.load, found.active, found.can_reload, found.vendor) == (
        "loaded", "inactive", True, True,
    )  # fmt: skip
    assert (found.enablement, found.running, ports.systemd.questions) == (None, False, 1)
    found = units.look(ports, "/", "x.service", enablement=True)
    assert (found.enablement, found.enabled, ports.systemd.questions) == ("disabled", False, 3)


def test_a_mask_is_seen_whatever_is_loaded() -> None:
    ports = SystemdPorts()
    ports.files.put(f"{ETC}/x.service", Node("symlink", 0o777, 0, 0, b"/dev/null"))
    found = units.look(ports, "/", "x.service", enablement=False)
    assert (found.masked, found.known) == (True, False)


@pytest.mark.parametrize(
    ("active", "sub", "running"),
    [
        ("active", "running", True),
        ("active", "exited", True),
        ("reloading", "reload", True),
        ("activating", "start", True),
        ("activating", "auto-restart", False),
        ("deactivating", "stop-sigterm", False),
        ("inactive", "dead", False),
        ("failed", "failed", False),
        ("maintenance", "x", False),
    ],
)
def test_what_counts_as_running(active: str, sub: str, running: bool) -> None:
    """A unit that waits for its next try does not run."""
    assert units.UnitLook("loaded", active, sub).running is running


def test_a_silent_systemd_is_an_error() -> None:
    """An answer without the facts is none: nothing may be decided on it."""

    class Silent(SystemdPorts):
        def __init__(self, exit_code: int) -> None:
            super().__init__()
            self.systemd.run = lambda call: self.answer(call, exit_code)  # type: ignore[method-assign]  # a broken systemctl

        @staticmethod
        def answer(call: ProgramCall, exit_code: int) -> CapturedStream:
            del call
            return CapturedStream(exit_code, "", "Failed to connect to bus")

    for code in (0, 1):
        with pytest.raises(PortError, match="systemd"):
            units.look(Silent(code), "/", "x.service", enablement=False)


def test_names_come_after_the_end_of_options() -> None:
    step = units.systemctl("start", unit="x.service")
    assert step.call.argv[-2:] == ("--", "x.service")
    assert step.explain is not None
    assert "--unit=x.service" in step.explain.argv
    verbs = [step.call.argv[3] for step in units.started("x.service", "failed")]
    assert verbs == ["reset-failed", "start", "is-active"]
    assert len(units.started("x.service", "inactive")) == 2


def test_what_is_watched_is_the_units_own() -> None:
    """No path is shared between two units, or one would seem to be the other."""
    assert not set(units.watched("/", "a.service")) & set(units.watched("/", "b.service"))
