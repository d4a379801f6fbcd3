"""The unit file of a service."""

from __future__ import annotations

import msgspec
import pytest

from protocol.canonical import Json
from state_engine.resources.parts import service_unit_file as unit_file
from state_engine.resources.parts.service_unit_file import ServiceSystemdSpec

FULL: dict[str, Json] = {
    "name": "web",
    "description": "The web, 100%",
    "type": "oneshot",
    "exec_start": "/usr/bin/web --port $PORT",
    "exec_reload": ["/bin/kill", "-HUP", "$MAINPID"],
    "user": "web",
    "group": "www",
    "working_directory": "/srv/a b",
    "environment": {"B": "2", "A": "1 %"},
    "restart": "on_failure",
    "dependencies": ["db", "network.target", "db"],
}


def spec(**fields: Json) -> ServiceSystemdSpec:
    return msgspec.convert({"name": "web", **fields}, ServiceSystemdSpec)


def test_the_whole_file() -> None:
    """Every field has its line; a text command stays as written, a list is literal."""
    assert unit_file.render(msgspec.convert(FULL, ServiceSystemdSpec)).splitlines() == [
        "# Written by Standfast (service-systemd web). Changes made here are drift.",
        "[Unit]",
        "Description=The web, 100%%",
        "After=db.service network.target",
        "Requires=db.service network.target",
        "",
        "[Service]",
        "Type=oneshot",
        "RemainAfterExit=yes",
        "User=web",
        "Group=www",
        "WorkingDirectory=/srv/a b",
        'Environment="A=1 %%"',
        'Environment="B=2"',
        "ExecStart=/usr/bin/web --port $PORT",
        'ExecReload=/bin/kill -HUP "$$MAINPID"',
        "Restart=on-failure",
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"user": "web"}, "user"),
        ({"environment": {"A": "1"}}, "environment"),
        ({"masked": True, "running": True}, "running"),
        ({"masked": True, "reload_on": ["x"]}, "reload_on"),
        ({"ensure": "absent", "running": False}, "ensure"),
        ({"exec_start": " "}, "exec_start"),
        ({"exec_start": []}, "exec_start"),
        ({"exec_start": ["web"]}, "exec_start"),
        ({"exec_start": ["/bin/$x"]}, "exec_start"),
        ({"exec_start": "/bin/x \\"}, "exec_start"),
        ({"exec_start": "/bin/x", "exec_reload": "a\nb"}, "exec_reload"),
        ({"exec_start": "/bin/x", "user": "a b"}, "user"),
        ({"exec_start": "/bin/x", "working_directory": "srv"}, "working_directory"),
        ({"exec_start": "/bin/x", "working_directory": "/srv/\\"}, "working_directory"),
        ({"exec_start": "/bin/x", "environment": {"A B": "1"}}, "environment"),
        ({"exec_start": "/bin/x", "dependencies": ["a b"]}, "dependencies"),
        ({"exec_start": "/bin/x", "type": "oneshot", "restart": "always"}, "restart"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields: dict[str, Json], field: str) -> None:
    assert [problem.field for problem in unit_file.check(spec(**fields))] == [field]


def test_differences_are_by_field() -> None:
    """Values as the files write them; of a setting that no field stands for, only the name."""
    new = unit_file.render(spec(exec_start="/bin/new", environment={"A": "1"}))
    old = unit_file.render(spec(exec_start="/bin/old")).replace(
        "[Service]", "[Service]\nLoadCredential=secret:/x"
    )
    found = {change.field: change for change in unit_file.differences(old, new)}
    assert set(found) == {"exec_start", "environment", "unit"}
    assert (found["exec_start"].current, found["exec_start"].desired) == ("/bin/old", "/bin/new")
    assert (found["unit"].current, found["unit"].desired) == ("LoadCredential=", "as described")
    assert unit_file.differences(new, new) == ()
    commented = unit_file.differences(new + "# by hand\n", new)
    assert [(change.field, change.current) for change in commented] == [("unit", "other lines")]
