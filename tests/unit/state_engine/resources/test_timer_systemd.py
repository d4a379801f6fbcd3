"""The kind timer-systemd."""

from __future__ import annotations

import msgspec
import pytest

from protocol.canonical import Json
from state_engine.resources.contract import Context
from state_engine.resources.timer_systemd import TimerSystemd, TimerSystemdSpec, render
from tests.fakes.ports import Node
from tests.fakes.systemd import ETC, VENDOR, SystemdPorts

KIND = TimerSystemd()
FULL: dict[str, Json] = {
    "name": "backup",
    "description": "100%",
    "on_calendar": ["Mon 03:00", "hourly"],
    "on_boot": 60,
    "every": 3600,
    "randomized_delay": 5,
    "persistent": False,
    "unit": "b.service",
}


def test_the_whole_file() -> None:
    assert render(msgspec.convert(FULL, TimerSystemdSpec)).splitlines()[1:] == [
        "[Unit]",
        "Description=100%%",
        "",
        "[Timer]",
        "OnCalendar=Mon 03:00",
        "OnCalendar=hourly",
        "OnBootSec=60",
        "OnUnitActiveSec=3600",
        "RandomizedDelaySec=5",
        "Persistent=no",
        "Unit=b.service",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "on_calendar"),
        ({"on_calendar": []}, "on_calendar"),
        ({"on_calendar": [""]}, "on_calendar"),
        ({"on_calendar": ["daily\nUnit=evil.service"]}, "on_calendar"),
        ({"on_calendar": ["%h"]}, "on_calendar"),
        ({"every": 5, "unit": "backup"}, "unit"),
        ({"every": 5, "unit": "a b.service"}, "unit"),
        ({"every": 5, "description": "a\\"}, "description"),
        ({"ensure": "absent", "running": True}, "ensure"),
    ],
)
def test_what_no_timer_can_hold_is_refused(fields: dict[str, Json], field: str) -> None:
    assert [problem.field for problem in KIND.validate({"name": "backup", **fields})] == [field]


@pytest.mark.parametrize("place", ["mask", "vendor"])
def test_what_is_not_ours_to_change_is_an_error(place: str) -> None:
    """A mask is somebody's will; a package's timer comes back with its next version."""
    ports = SystemdPorts()
    if place == "mask":
        ports.files.put(f"{ETC}/backup.timer", Node("symlink", 0o777, 0, 0, b"/dev/null"))
    else:
        ports.files.put(f"{VENDOR}/backup.timer", Node("file", 0o644, 0, 0, b"[Timer]\n"))
    spec: dict[str, Json] = {"name": "backup", "ensure": "absent"}
    observation = KIND.observe(spec, ports, verify=False)
    assert KIND.compare(spec, observation, Context()).action == "error"
