"""One look at one resource."""

from __future__ import annotations

import msgspec

from protocol.canonical import Json
from protocol.reports import Trigger
from state_engine.engine.drift import find_drift
from state_engine.engine.look import (
    UNSIGNED,
    Glancer,
    bound,
    kinds_of,
    look,
    triggers_of,
)
from state_engine.engine.plan import make_plan
from state_engine.engine.prepared import Prepared
from state_engine.model import AppliedResource, Snapshot
from state_engine.resources.contract import Context
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import a_file, a_script, resource
from tests.fakes.storage import StoragePorts


def test_an_unsigned_check_is_not_run() -> None:
    """The item is unknown, unbound, and says why."""
    ports = FakePorts()
    prepared = Prepared(a_script("s", check="check", trusted=False))
    found = bound(look(prepared, ports, Context()), prepared, ports, ())
    assert (found.item.action, found.item.message) == ("unknown", UNSIGNED)
    assert (found.item.digest, ports.programs.calls) == ("", [])


def test_what_the_system_refuses_is_an_item_in_error() -> None:
    """One bad resource does not end a plan; nor does an unknown kind or a damaged spec."""
    ports = FakePorts()
    for bad in (
        a_file("/../f"),
        resource("unknown-kind", "x", {}),
        resource("file-unix", "/f", {"path": 5}),
    ):
        item = look(Prepared(bad), ports, Context()).item
        assert item.action == "error"
        assert item.message


def test_a_bound_item_has_all_three_digests() -> None:
    """Desired, observed, and its own, which triggers are part of."""
    ports = FakePorts()
    prepared = Prepared(a_file("/f"))
    found = look(prepared, ports, Context())
    plain = bound(found, prepared, ports, ()).item
    triggered = bound(found, prepared, ports, (Trigger("rerun", ("a",)),)).item
    assert all(len(text) == 64 for text in (plain.desired, plain.observed, plain.digest))
    assert plain.digest != triggered.digest


def test_a_glance_fails_safe() -> None:
    """An owner that does not exist needs a proper look; a file never read before is read."""
    ports = FakePorts()
    ports.files.put("/f", Node("file", 0o644, 0, 0, b"x\n"))
    glancer = Glancer(ports)
    assert not glancer.converged(Prepared(a_file("/f", "other")))
    assert not glancer.converged(Prepared(a_file("/missing")))
    assert not glancer.converged(Prepared(a_file("/f", mode="0600")))
    assert glancer.converged(Prepared(a_file("/f")))
    assert ports.files.matches("/f", "file", None, None, None, ports.files.digest("/f"))
    assert glancer.converged(Prepared(a_file("/f", owner="root", group="root", mode="0644")))
    assert not glancer.converged(Prepared(a_file("/f", owner="nobody-here")))
    assert not glancer.converged(Prepared(a_file("/f", group="nobody-here")))
    assert not glancer.converged(Prepared(a_script("s")))


def test_triggers_name_what_changes() -> None:
    """Only what does change; a pending one has no name to give."""
    one, two = a_file("/1", id="one"), a_file("/2", id="two")
    prepared = Prepared(a_script("s", rerun_on=(one, two)))
    assert triggers_of(prepared, {}, pending=False) == ()
    assert triggers_of(prepared, {two.key: "two"}, pending=False) == (Trigger("rerun", ("two",)),)
    assert triggers_of(prepared, {}, pending=True) == (Trigger("rerun", ()),)
    assert kinds_of((Trigger("rerun", ()), Trigger("rerun", ("a",)))) == ("rerun",)


def test_what_cannot_be_written_down_is_an_error_of_its_own_resource() -> None:
    """One line of a file that is no text keeps nothing else from being planned or removed."""
    ports = StoragePorts()
    ports.files.put("/srv/data", Node("directory", 0o755, 0, 0))
    line = b"/dev/sdb1 /srv/data ext4 x=\xff 0 0\n"
    ports.files.put("/etc/fstab", Node("file", 0o644, 0, 0, line))
    spec: dict[str, Json] = {"path": "/srv/data", "source": "/dev/sdb1", "fstype": "ext4"}
    item = resource("mount", "/srv/data", spec)
    plan = make_plan("n", [item, a_file("/etc/x")], Snapshot(), ports)
    assert [found.action for found in plan.resources] == ["error", "create"]
    assert "cannot be written down" in (plan.resources[0].message or "")
    assert msgspec.json.encode(plan)
    before = Snapshot(applied=(AppliedResource(item, created=True),))
    removal = make_plan("n", [], before, ports).resources[0]
    assert (removal.action, "cannot be written down" in (removal.message or "")) == ("error", True)
    assert msgspec.json.encode(removal)
    assert len(find_drift(before, ports)) == 1
