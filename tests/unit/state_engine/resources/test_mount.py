"""The kind mount; the kernel's own mounts are in tests/integration."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.ports import Stat
from state_engine.resources.contract import Context, Difference, RunScript
from state_engine.resources.mount import Mount
from tests.fakes.ports import Node
from tests.fakes.storage import StoragePorts

KIND = Mount()
SPEC: dict[str, Json] = {"path": "/srv/data", "source": "/dev/sdb1", "fstype": "ext4"}


def with_mount(fstype: str, source: str, options: str = "rw") -> StoragePorts:
    ports = StoragePorts()
    ports.files.put("/srv/data", Node("directory", 0o755, 0, 0))
    ports.storage.mounts.append(("/srv/data", fstype, source, options))
    ports.storage.tell()
    return ports


def compared(ports: StoragePorts, **more: Json) -> Difference:
    spec = {**SPEC, "boot": False, **more}
    assert KIND.validate(spec) == []
    return KIND.compare(spec, KIND.observe(spec, ports, verify=False), Context())


def commands(difference: Difference) -> list[str]:
    steps = (each for each in difference.steps if isinstance(each, RunScript))
    return [" ".join(each.call.argv) for each in steps]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("path", "srv"),
        ("path", "/srv/a\nb"),
        ("path", "/"),
        ("source", "-o"),
        ("source", "a\nb"),
        ("source", ""),
        ("source", None),
        ("fstype", "ext4 -o"),
        ("fstype", "-t"),
        ("fstype", None),
        ("fstype", "swap"),
        ("options", ["a,b"]),
        ("options", ["remount"]),
    ],
)
def test_what_is_no_mount_is_refused(field: str, value: Json) -> None:
    assert field in {each.field for each in KIND.validate({**SPEC, field: value})}


def test_nothing_of_it_is_refused() -> None:
    assert KIND.validate({**SPEC, "boot": False, "mounted": False})
    assert KIND.validate({**SPEC, "source": "data", "options": ["bind"]})


def test_it_is_mounted_before_it_is_listed() -> None:
    ports = StoragePorts()
    ports.files.put("/run", Node("directory", 0o755, 0, 0))
    for folder in ("/run/systemd", "/run/systemd/system"):
        ports.files.put(folder, Node("directory", 0o755, 0, 0))
    difference = compared(ports, boot=True, options=["noatime", "nofail"])
    assert difference.action == "create"
    kinds = [type(each).__name__ for each in difference.steps]
    assert kinds == ["MakeDirectory", "RunScript", "EditFile", "RunScript"]
    mount, reload = commands(difference)
    assert mount == "mount -t ext4 -o noatime -- /dev/sdb1 /srv/data"
    assert reload.endswith("daemon-reload")


@pytest.mark.parametrize(
    ("mounted", "more", "same"),
    [
        (("ext4", "/dev/sdb1"), {}, True),
        (("ext4", "/dev/sdc1"), {}, False),
        (("xfs", "/dev/sdb1"), {}, False),
        (("ext4", "/dev/sdb1"), {"fstype": "auto"}, True),
        (("nfs4", "host:/x"), {"fstype": "nfs", "source": "host:/x/"}, True),
        (("nfs4", "host:/y"), {"fstype": "nfs", "source": "host:/x"}, False),
        (("tmpfs", "none"), {"fstype": "tmpfs", "source": "tmpfs"}, True),
        (("ext4", "/dev/loop7"), {"source": "/srv/image", "options": ["loop"]}, True),
        (("fuse.sshfs", "u@h:/x"), {"fstype": "fuse.sshfs", "source": "u@h:/x"}, True),
        (("autofs", "systemd-1"), {}, True),
        (("ext4", "/dev/sdb1"), {"source": "UUID=1-2"}, True),
    ],
)
def test_what_is_mounted_is_known_by_source_and_type(
    mounted: tuple[str, str], more: dict[str, Json], same: bool
) -> None:
    ports = with_mount(*mounted)
    for folder in ("/dev/disk", "/dev/disk/by-uuid"):
        ports.files.put(folder, Node("directory", 0o755, 0, 0))
    ports.files.put("/dev/disk/by-uuid/1-2", Node("symlink", 0o777, 0, 0, b"../../sdb1"))
    difference = compared(ports, **more)
    assert (difference.action == "none") == same
    if not same:
        assert [each.split()[0] for each in commands(difference)] == ["umount", "mount"]


def test_other_options_remount_without_fstab() -> None:
    """Source and place are both said, so mount(8) merges nothing into what is wished."""
    (command,) = commands(compared(with_mount("ext4", "/dev/sdb1", "rw,nosuid"), options=["ro"]))
    assert command == (
        "mount -o remount,rw,suid,dev,exec,relatime,ro -- /dev/sdb1 /srv/data"
    )  # fmt: skip


def test_every_value_is_shown_under_its_own_field() -> None:
    """So that a secret one is hidden by its field's name: a password among options."""
    ports = with_mount("ext4", "/dev/sdb1", "rw,nosuid")
    line = b"/dev/old /srv/data xfs password=x 0 1\n"
    ports.files.put("/etc/fstab", Node("file", 0o644, 0, 0, line))
    difference = compared(ports, boot=True, options=["password=y"])
    for change in difference.changes:
        if change.field != "options":
            assert "password" not in f"{change.current} {change.desired}"
    assert {"source", "fstype", "options", "fsck_order"} <= {
        change.field for change in difference.changes
    }


def test_a_file_in_the_places_place_is_an_error() -> None:
    for kind in ("file", "symlink"):
        ports = StoragePorts()
        node = Node("file", 0o644, 0, 0, b"/etc")
        node.kind = "symlink" if kind == "symlink" else "file"
        ports.files.put("/srv/data", node)
        assert compared(ports).action == "error"
        assert compared(ports, ensure="absent").action == "none"


@pytest.mark.parametrize("ensure", ["present", "absent"])
def test_a_way_through_a_link_is_an_error(ensure: str) -> None:
    """The kernel's table has the path that it leads to: we would mount over ourselves for ever."""
    ports = StoragePorts()
    ports.files.put("/srv", Node("symlink", 0o777, 0, 0, b"/data"))
    difference = compared(ports, ensure=ensure)
    assert difference.action == "error"
    assert "/srv is a symbolic link" in (difference.message or "")


def test_a_bind_mount_of_a_link_is_an_error() -> None:
    """What is mounted is what it leads to, which would never be the link itself."""
    ports = StoragePorts()
    ports.files.put("/current", Node("symlink", 0o777, 0, 0, b"/releases/7"))
    difference = compared(ports, source="/current", fstype="none", options=["bind"])
    assert difference.action == "error"
    assert "/current is a symbolic link" in (difference.message or "")


@pytest.mark.parametrize("fstype", ["nfs", "nfs4", "cifs", "ceph", "fuse.sshfs"])
def test_what_a_server_has_to_answer_for_is_not_looked_at(fstype: str) -> None:
    """One that is away would hold every look of this host until it is back."""
    ports = with_mount(fstype, "host:/x")

    class Away(type(ports.files)):  # type: ignore[misc]  # the fake's own class
        def stat(self, path: str) -> Stat | None:
            assert path != "/srv/data"
            found: Stat | None = super().stat(path)
            return found

    ports.files.__class__ = Away
    assert compared(ports, source="host:/x", fstype=fstype).action == "none"
    assert compared(ports, ensure="absent").action == "update"
