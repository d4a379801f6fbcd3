"""The kind timezone."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.resources.contract import Context, MakeSymlink, RemoveFile, RunScript
from state_engine.resources.timezone import Timezone
from tests.fakes.kernel import KernelPorts
from tests.fakes.ports import Node

KIND = Timezone()
SPEC: dict[str, Json] = {"name": "UTC"}
ZONE = "/usr/share/zoneinfo/UTC"


def host(target: str | None, *, zone: bool = True) -> KernelPorts:
    ports = KernelPorts()
    if zone:
        ports.files.put(ZONE, Node("file", 0o644, 0, 0, b"TZif"))
    if target is not None and not target:
        ports.files.put("/etc/localtime", Node("file", 0o644, 0, 0, b"TZif"))
    elif target is not None:
        ports.files.put("/etc/localtime", Node("symlink", 0o777, 0, 0, target.encode()))
    return ports


@pytest.mark.parametrize("name", ["", "../UTC", "/UTC", "a/../b", "a b", "a\n", "-x", "a/b/c/d/e"])
def test_what_is_no_zones_name_is_refused(name: str) -> None:
    assert len(KIND.validate({"name": name})) == 1


@pytest.mark.parametrize(
    ("target", "zone", "action", "fields"),
    [
        (ZONE, True, "none", []),
        ("../usr/share/zoneinfo/UTC", True, "none", []),
        ("/usr/share/zoneinfo/Etc/UTC", True, "update", ["name"]),
        (None, True, "update", ["name"]),
        ("", True, "update", ["name", "localtime"]),
        # A link without data behind it is a host on UTC that looks otherwise.
        (ZONE, False, "error", []),
        (None, False, "update", ["name"]),
    ],
)
def test_where_the_link_leads(
    target: str | None, zone: bool, action: str, fields: list[str]
) -> None:
    ports = host(target, zone=zone)
    found = KIND.compare(SPEC, KIND.observe(SPEC, ports, verify=False), Context())
    assert (found.action, [change.field for change in found.changes]) == (action, fields)


def test_a_copy_is_kept_and_the_zone_is_looked_for_first() -> None:
    """No link is made to data that is not there, and a plain file in its place is not lost."""
    found = KIND.compare(SPEC, KIND.observe(SPEC, host(""), verify=False), Context())
    test, remove, link = KIND.steps(SPEC, found)
    assert isinstance(test, RunScript)
    assert test.call.argv == ("test", "-e", ZONE)
    assert remove == RemoveFile("/etc/localtime", backup=True)
    assert link == MakeSymlink("/etc/localtime", ZONE, "root", "root")
