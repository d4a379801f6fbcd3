"""The kernel's table of mounts, and what options mean."""

from __future__ import annotations

import pytest

from state_engine.resources.parts import mount_table
from state_engine.resources.parts.mount_table import Mounted
from tests.fakes.ports import Node
from tests.fakes.storage import StoragePorts

LINE = r"36 35 98:0 /m\040n /srv/a\040b rw,noatime master:1 shared:2 - ext4 /dev/root rw,errors=c"


def mounted(options: str = "rw,relatime", above: str = "rw") -> Mounted:
    return Mounted(
        "/srv", "/", "8:1", "ext4", "/dev/sda1", tuple(options.split(",")), tuple(above.split(","))
    )


def test_a_line_is_read_with_any_number_of_optional_fields() -> None:
    found = mount_table.parse(LINE)
    assert found == Mounted(
        "/srv/a b", "/m n", "98:0", "ext4", "/dev/root", ("rw", "noatime"), ("rw", "errors=c")
    )
    bare = mount_table.parse("36 35 98:0 / /srv rw - tmpfs none rw")
    assert bare is not None
    assert (bare.target, bare.source) == ("/srv", "none")


@pytest.mark.parametrize("line", ["", "36 35 98:0 / /srv rw", "36 35 98:0 / /srv rw - tmpfs", "x"])
def test_what_is_no_line_is_left_out(line: str) -> None:
    assert mount_table.parse(line) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([], ["defaults"]),
        (["rw", "suid"], ["auto", "nouser", "async"]),
        (["ro", "nodev"], ["nodev", "ro"]),
        (["ro", "rw"], ["rw"]),
        (["noatime", "relatime"], []),
        (["size=8m"], ["size=8192k"]),
        (["mode=0755"], ["mode=755"]),
        (["user"], ["user", "nodev", "noexec", "nosuid"]),
        (["size=1m", "size=2m"], ["size=2m"]),
    ],
)
def test_other_words_mean_the_same(one: list[str], other: list[str]) -> None:
    assert mount_table.normal(one) == mount_table.normal(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["ro"], []),
        (["user"], ["user", "exec"]),
        (["noatime"], ["strictatime"]),
        (["size=8m"], ["size=8g"]),
        (["mode=700"], ["mode=070"]),
        (["uid=010"], ["uid=10"]),
        (["nofail"], []),
    ],
)
def test_other_options_mean_something_else(one: list[str], other: list[str]) -> None:
    assert mount_table.normal(one) != mount_table.normal(other)


@pytest.mark.parametrize(
    ("wanted", "options", "above", "lacking"),
    [
        ([], "rw,relatime", "rw", []),
        (["ro"], "rw,relatime", "rw", ["ro"]),
        ([], "ro,relatime", "rw", ["rw"]),
        ([], "rw,relatime", "ro", ["rw"]),
        (["bind"], "rw,relatime", "ro,size=1k", []),
        (["bind", "ro"], "ro", "rw", []),
        ([], "rw,noatime", "rw", ["atime"]),
        (["strictatime"], "rw,relatime", "rw", ["strictatime"]),
        (["strictatime"], "rw", "rw", []),
        (["size=8m"], "rw", "rw,size=8192k", []),
        (["size=8m"], "rw", "rw,size=4096k", ["size=8388608"]),
        (["data=ordered"], "rw", "rw", []),
        (["nofail", "x-systemd.automount", "_netdev", "noauto"], "rw", "rw", []),
        (["user", "exec"], "rw,nosuid,nodev", "rw", []),
    ],
)
def test_only_what_the_kernel_shows_otherwise_is_missing(
    wanted: list[str], options: str, above: str, lacking: list[str]
) -> None:
    assert mount_table.missing(wanted, mounted(options, above)) == lacking


def test_what_a_remount_cannot_change_is_not_missing() -> None:
    """The mode of a file system in memory is that of its directory, which may be another by now."""
    found = Mounted("/t", "/", "0:9", "tmpfs", "tmpfs", ("rw",), ("rw", "mode=700", "size=4k"))
    assert mount_table.missing(["mode=0711", "size=8k"], found) == ["size=8192"]


def test_a_remount_says_every_flag() -> None:
    """What is left out would stay as it is."""
    found = mount_table.for_remount(["defaults", "ro", "noatime", "nofail", "x-a", "loop"])
    assert found == ["remount", "rw", "suid", "dev", "exec", "ro", "noatime"]
    assert mount_table.for_remount([])[-1] == "relatime"


def test_the_innermost_mount_holds_a_path() -> None:
    mounts = [
        Mounted(target, "/", "0:1", fstype, "x", (), ())
        for target, fstype in (("/", "ext4"), ("/srv", "xfs"), ("/srv/a", "tmpfs"), ("/", "btrfs"))
    ]
    for path, fstype in (("/srv/ab", "xfs"), ("/srv/a/b", "tmpfs"), ("/x", "btrfs")):
        found = mount_table.over(mounts, path)
        assert found is not None
        assert found.fstype == fstype


@pytest.mark.parametrize(
    ("source", "device"),
    [
        ("UUID=12-ab", "/dev/sda1"),
        ("LABEL=none", "LABEL=none"),
        ("/dev/disk/by-uuid/12-ab", "/dev/sda1"),
        ("/dev/sda1", "/dev/sda1"),
        ("tmpfs", "tmpfs"),
        ("UUID=../../x", "UUID=../../x"),
    ],
)
def test_a_device_is_known_by_its_own_name(source: str, device: str) -> None:
    ports = StoragePorts()
    for folder in ("/dev/disk", "/dev/disk/by-uuid"):
        ports.files.put(folder, Node("directory", 0o755, 0, 0))
    ports.files.put("/dev/sda1", Node("other", 0o660, 0, 0))
    ports.files.put("/dev/disk/by-uuid/12-ab", Node("symlink", 0o777, 0, 0, b"../../sda1"))
    assert mount_table.device(ports, source) == device


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ("size=50%", "size=4056084k"),
        ("uid=www-data", "uid=33"),
        ("gid=tty", "gid=5"),
        ("subvol=@home", "subvol=/@home"),
        ("subvol=/@", "subvol=/@"),
        ("compress=zstd", "compress=zstd:3"),
        ("compress-force=zlib", "compress-force=zlib:3"),
        ("vers=4", "vers=4.2"),
        ("vers=3", "vers=3.1.1"),
        ("vers=default", "vers=3.1.1"),
        ("rsize=1048576", "rsize=524288"),
        ("proto=tcp", "proto=tcp6"),
        ("lookupcache=positive", "lookupcache=pos"),
        ("hidepid=2", "hidepid=invisible"),
        ("hidepid=invisible", "hidepid=2"),
        ("file_mode=644", "file_mode=0644"),
    ],
)
def test_what_the_kernel_makes_of_an_option_is_that_option(wanted: str, shown: str) -> None:
    """Else it would be mounted anew at every apply, and each time in vain."""
    assert mount_table.missing([wanted], mounted(above=f"rw,{shown}")) == []


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ("size=1g", "size=2097152k"),
        ("uid=33", "uid=0"),
        ("subvol=@home", "subvol=/@"),
        ("compress=zstd:1", "compress=zstd:3"),
        ("compress=zstd", "compress=lzo"),
        ("vers=4", "vers=3"),
        ("vers=4.1", "vers=4.2"),
        ("vers=4.1", "vers=4.10"),
        ("rsize=32768", "rsize=1048576"),
        ("proto=tcp", "proto=udp"),
        ("hidepid=2", "hidepid=noaccess"),
        ("errors=remount-ro", "errors=continue"),
    ],
)
def test_another_value_of_an_option_is_another(wanted: str, shown: str) -> None:
    (found,) = mount_table.missing([wanted], mounted(above=f"rw,{shown}"))
    assert found.partition("=")[0] == wanted.partition("=")[0]
