"""The kind swap; a real swap file is in tests/integration."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.resources.contract import Context, Difference, RunScript
from state_engine.resources.swap import Swap
from tests.fakes.ports import Node
from tests.fakes.storage import StoragePorts

KIND = Swap()


def compared(ports: StoragePorts, **spec: Json) -> Difference:
    spec = {"boot": False, **spec}
    assert KIND.validate(spec) == []
    return KIND.compare(spec, KIND.observe(spec, ports, verify=False), Context())


def commands(difference: Difference) -> list[str]:
    steps = (each for each in difference.steps if isinstance(each, RunScript))
    return [" ".join(each.call.argv) for each in steps]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"path": "/swap"}, "size"),
        ({"path": "/swap", "size": "1000"}, "size"),
        ({"path": "/swap", "size": "4K"}, "size"),
        ({"path": "/swap", "size": "1.5G"}, "size"),
        ({"path": "/swap", "size": "-1G"}, "size"),
        ({"path": "/dev/vdb", "size": "1G"}, "size"),
        ({"path": "swap", "size": "1G"}, "path"),
        ({"path": "/a\nb", "size": "1G"}, "path"),
    ],
)
def test_what_is_no_swap_is_refused(spec: dict[str, Json], field: str) -> None:
    assert [each.field for each in KIND.validate(spec)] == [field]


def test_a_file_is_roots_alone_before_it_has_a_size() -> None:
    """Whoever had it open would read what is swapped out."""
    difference = compared(StoragePorts(), path="/swap", size="64K", priority=3)
    assert difference.action == "create"
    assert [each.split()[0] for each in commands(difference)] == [
        "sh", "fallocate", "mkswap", "swapon",
    ]  # fmt: skip
    assert "umask 077" in commands(difference)[0]


def test_a_copying_file_system_is_told_not_to() -> None:
    ports = StoragePorts()
    ports.storage.mounts = [("/", "btrfs", "/dev/vda1", "rw")]
    ports.storage.tell()
    second = commands(compared(ports, path="/swap", size="64K"))[1]
    assert second == "chattr +C -- /swap"


@pytest.mark.parametrize("fstype", ["tmpfs", "nfs4", "overlay", "fuse.x"])
def test_what_cannot_hold_swap_is_told_before(fstype: str) -> None:
    ports = StoragePorts()
    ports.storage.mounts.append(("/srv", fstype, "x", "rw"))
    ports.storage.tell()
    assert fstype in (compared(ports, path="/srv/swap", size="64K").message or "")


@pytest.mark.parametrize(
    ("held", "action", "made"),
    [("", "create", True), ("swap", "create", False), ("ext4", "error", False)],
)
def test_a_device_is_only_made_swap_if_it_holds_nothing(held: str, action: str, made: bool) -> None:
    ports = StoragePorts()
    ports.files.put("/dev/vdb", Node("other", 0o660, 0, 0))
    ports.storage.held["/dev/vdb"] = held
    difference = compared(ports, path="/dev/vdb")
    assert difference.action == action
    assert ("mkswap -- /dev/vdb" in commands(difference)) == made


def test_a_missing_device_is_an_error() -> None:
    assert "no device" in (compared(StoragePorts(), path="/dev/vdz").message or "")


@pytest.mark.parametrize("node", [(0o600, 5), (0o644, 0), (0o600, 0)])
def test_zeros_that_we_did_not_leave_are_somebodys(node: tuple[int, int]) -> None:
    """Another owner, mode or size: an image that begins with zeros, say."""
    mode, uid = node
    size = 65_536 if (mode, uid) != (0o600, 0) else 131_072
    ports = StoragePorts()
    ports.files.put("/swap", Node("file", mode, uid, 0, bytes(size)))
    assert compared(ports, path="/swap", size="64K").action == "error"
    assert compared(ports, path="/swap", ensure="absent").action == "error"


def test_other_fields_of_a_line_are_other_words_for_the_same() -> None:
    ports = StoragePorts()
    ports.files.put("/swap", Node("file", 0o600, 0, 0, bytes(4086) + b"SWAPSPACE2" + bytes(61_440)))
    ports.storage.swaps["/swap"] = -2
    ports.files.put("/etc/fstab", Node("file", 0o644, 0, 0, b"/swap swap swap defaults 0 0\n"))
    ports.storage.tell()
    assert compared(ports, path="/swap", size="64K", boot=True).action == "none"
    assert compared(ports, path="/swap", size="64K", boot=True, priority=1).action == "update"


@pytest.mark.parametrize("ensure", ["present", "absent"])
def test_a_way_through_a_link_is_an_error(ensure: str) -> None:
    """The kernel names the path that it leads to: what it swaps to would seem to be off."""
    ports = StoragePorts()
    ports.files.put("/data", Node("directory", 0o755, 0, 0))
    ports.files.put("/data/swap", Node("file", 0o600, 0, 0, b""))
    ports.files.put("/srv", Node("symlink", 0o777, 0, 0, b"/data"))
    difference = compared(ports, path="/srv/swap", size="64K", ensure=ensure)
    assert difference.action == "error"
    assert "/srv is a symbolic link" in (difference.message or "")


@pytest.mark.parametrize("page", [4096, 16_384, 65_536])
def test_a_swap_file_of_a_kernel_with_larger_pages_is_one(page: int) -> None:
    """Where it is off, it is turned on, and is not taken for somebody's data."""
    ports = StoragePorts()
    content = (bytes(page - 10) + b"SWAPSPACE2").ljust(1 << 17, b"\0")
    ports.files.put("/swap", Node("file", 0o600, 0, 0, content))
    difference = compared(ports, path="/swap", size="128K")
    assert [change.field for change in difference.changes if change.field != "fstab"] == ["active"]
