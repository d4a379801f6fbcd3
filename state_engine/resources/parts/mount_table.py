"""What the kernel has mounted, and whether options mean the same as other ones.

Reads /proc/thread-self/mountinfo, proc_pid_mountinfo(5). What ought to be is the kinds' affair.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence

import msgspec

from state_engine.ports import PortError, Ports
from state_engine.resources.parts.fstab import unescape

# 100,000 mounts, as a host with many containers has them, are 20 MB.
MAX_TABLE = 32 * 1_048_576
# Options that are a pair: what the one sets the other unsets. The kernel shows only the first.
PAIRS = {
    "ro": "rw", "nosuid": "suid", "nodev": "dev", "noexec": "exec", "noatime": "atime",
    "nodiratime": "diratime", "sync": "async", "dirsync": "nodirsync", "lazytime": "nolazytime",
    "mand": "nomand", "nosymfollow": "symfollow",
}  # fmt: skip
_UNDONE = {no: yes for yes, no in PAIRS.items()}
_ACCESS = ("noatime", "relatime", "strictatime")
_TIMES = frozenset({*_ACCESS, "atime"})
# Read by mount(8), systemd or nobody; the kernel never hears of them.
_TOLD_OTHERS = frozenset({
    "defaults", "auto", "noauto", "nofail", "user", "users", "nouser", "nousers", "owner", "group",
    "_netdev", "bind", "rbind", "iversion", "noiversion", "loop", "norelatime", "nostrictatime",
})  # fmt: skip
# Whoever lets users mount takes their privileges away, unless a later option gives them back.
_IMPLIED = {
    "user": ("noexec", "nosuid", "nodev"), "users": ("noexec", "nosuid", "nodev"),
    "owner": ("nosuid", "nodev"), "group": ("nosuid", "nodev"),
}  # fmt: skip
_PREFIXES = ("x-", "X-", "comment=")
_TAG = re.compile(r"(UUID|LABEL|PARTUUID|PARTLABEL)=([A-Za-z0-9_.-]+)")
_SIZE = re.compile(r"(\d+)([kKmMgGtT]?)[bB]?")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
# Of a file system in memory these are what its directory was made with: a remount leaves them, and
# chmod changes the directory with the table saying the old.
_MADE_WITH = {fstype: frozenset({"mode", "uid", "gid"}) for fstype in ("tmpfs", "ramfs")}
_NUMBERS = frozenset({"size", "nr_blocks", "nr_inodes"})
_OCTAL = frozenset({"mode", "umask", "dmask", "fmask", "ptmxmode", "file_mode", "dir_mode"})
# Where the kernel goes on in its own words after what was asked: `vers=4` is `4.2` there.
_CONTINUED = {"vers": ".", "nfsvers": ".", "compress": ":", "compress-force": ":"}
_NAMED_USERS = frozenset({"uid", "gid", "fsuid", "fsgid", "cruid", "backupuid", "backupgid"})
_TRANSFERS = frozenset({"rsize", "wsize"})
_HIDDEN_PROCESSES = {"off": "0", "noaccess": "1", "invisible": "2", "ptraceable": "4"}
# What a server has to answer for: one that is away holds whoever asks for as long as it is.
_REMOTE = frozenset({
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "9p", "afs", "gfs2", "lustre", "ocfs2",
})  # fmt: skip


class Mounted(msgspec.Struct, frozen=True):
    """One mount: what of which device stands where.

    `options` are the mount's, `super` the file system's own, which all its mounts share.
    """

    target: str
    root: str
    device: str
    fstype: str
    source: str
    options: tuple[str, ...]
    super: tuple[str, ...]


def read(ports: Ports, root: str) -> list[Mounted]:
    """Return every mount, in the order in which they were made. Raises PortError."""
    data = ports.files.read(f"{root}proc/thread-self/mountinfo", MAX_TABLE)
    found = (parse(line) for line in data.decode(errors="surrogateescape").splitlines())
    return [mounted for mounted in found if mounted is not None]


def parse(line: str) -> Mounted | None:
    """Return the mount of a line, or None if it is none."""
    words = line.split(" ")
    if "-" not in words[6:]:
        return None
    rest = words[words.index("-", 6) + 1 :]
    if len(rest) < 3:
        return None
    device, root, target, options = words[2:6]
    fstype, source, above = rest[:3]
    return Mounted(
        unescape(target), unescape(root), device, unescape(fstype), unescape(source),
        tuple(options.split(",")), tuple(unescape(above).split(",")),
    )  # fmt: skip


def over(mounts: Sequence[Mounted], path: str) -> Mounted | None:
    """Return the mount in which a path lies."""
    found: Mounted | None = None
    for mounted in mounts:
        target = mounted.target.rstrip("/")
        inside = path == mounted.target or path.startswith(f"{target}/")
        if inside and (found is None or len(target) >= len(found.target.rstrip("/"))):
            found = mounted
    return found


def device(ports: Ports, source: str) -> str:
    """Return the name by which the kernel knows a device; other sources as they are."""
    tag = _TAG.fullmatch(source)
    path = f"/dev/disk/by-{tag[1].lower()}/{tag[2]}" if tag is not None else source
    if not path.startswith("/dev/"):
        return source
    try:
        stat = ports.files.stat(path)
        if stat is None or stat.type != "symlink":
            return source if stat is None else path
        target = ports.files.read_link(path)
    except PortError:
        return source
    parts = [] if target.startswith("/") else path.split("/")[1:-1]
    for part in target.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in {"", "."}:
            parts.append(part)
    return "/" + "/".join(parts)


def normal(options: Iterable[str]) -> frozenset[str]:
    """Return options so that those are equal that mean the same; of a pair the last one counts."""
    usual = {*_UNDONE, "defaults", "auto", "nouser", "relatime"}
    return frozenset(_value(option) for option in _effective(options) if option not in usual)


def missing(wanted: Iterable[str], mounted: Mounted) -> list[str]:
    """Return which wanted options the mount has not, and which flags it has that are not wanted.

    An option of the file system's own counts only where the kernel shows it: it hides defaults.
    """
    asked = normal(wanted)
    # A mount of a part of what is mounted elsewhere has no say over that file system.
    own = () if {"bind", "rbind"} & asked else mounted.super
    here = frozenset(mounted.options) | (frozenset(own) & frozenset(PAIRS))
    fixed = _MADE_WITH.get(mounted.fstype, frozenset())
    shown = {_key(option): _value(option) for option in own if _key(option) not in fixed}
    found: list[str] = []
    for flag, other in PAIRS.items():
        if (flag in asked) != (flag in here):
            found.append(flag if flag in asked else other)
    access = next((word for word in _ACCESS if word in asked and word != "noatime"), None)
    if access == "strictatime" and here & {"noatime", "relatime"}:
        found.append(access)
    for option in asked:
        key = _key(option)
        if option in PAIRS or option in _ACCESS or option in _TOLD_OTHERS:
            continue
        if option.startswith(_PREFIXES) or "=" not in option:
            continue
        if not _agree(key, option.partition("=")[2], shown.get(key, option).partition("=")[2]):
            found.append(option)
    return sorted(found)


def is_remote(mounted: Mounted) -> bool:
    """Say whether looking at what is mounted may have to wait for a server."""
    return mounted.fstype in _REMOTE or mounted.fstype.startswith("fuse.")


def for_the_kernel(options: Iterable[str]) -> list[str]:
    """Return the options that mount(8) is to be given by hand, each one once."""
    told = frozenset({"auto", "noauto", "nofail", "user", "users", "nouser", "owner", "group"})
    return [
        option
        for option in _effective(options)
        if option not in told and not option.startswith(_PREFIXES)
    ]


def for_remount(options: Iterable[str]) -> list[str]:
    """Return the options of a remount, in which what is left out would stay as it is."""
    asked = for_the_kernel(option for option in options if option != "loop")
    access = [] if set(_ACCESS) & set(asked) else ["relatime"]
    usual = ["rw", "suid", "dev", "exec", *access]
    return ["remount", *usual, *(option for option in asked if option != "defaults")]


def _effective(options: Iterable[str]) -> list[str]:
    """Return what holds of options that contradict each other: the last one said."""
    found: dict[str, str] = {}
    for said in options:
        for option in (*_IMPLIED.get(said, ()), said):
            place = "atime" if option in _TIMES else _UNDONE.get(option, _key(option))
            found.pop(place, None)
            found[place] = option
    return list(found.values())


def _agree(key: str, asked: str, shown: str) -> bool:
    """Say whether the kernel shows a value as it would, had it been given what was asked."""
    if asked == shown:
        return True
    if key in _NUMBERS:  # a part of the memory, which the kernel shows in bytes
        return asked.endswith("%")
    if key in _NAMED_USERS:  # mount(8) gives the kernel the number
        return not asked.isdigit()
    if key in _TRANSFERS and asked.isdigit() and shown.isdigit():  # the server may want less
        return int(shown) <= int(asked)
    if key in _CONTINUED:
        return asked == "default" or shown.startswith(f"{asked}{_CONTINUED[key]}")
    if key == "hidepid":
        return _HIDDEN_PROCESSES.get(asked, asked) == _HIDDEN_PROCESSES.get(shown, shown)
    if key == "subvol":
        return asked.strip("/") == shown.strip("/")
    return (key == "proto" and shown == f"{asked}6") or (
        key == "lookupcache" and asked.startswith(shown)
    )


def _key(option: str) -> str:
    return option.partition("=")[0]


def _value(option: str) -> str:
    key, equals, value = option.partition("=")
    size = _SIZE.fullmatch(value)
    if key in _NUMBERS and size is not None:
        return f"{key}={int(size[1]) * _UNITS[size[2].lower()]}"
    if key in _OCTAL and value and not value.strip(string.octdigits):
        return f"{key}={int(value, 8):o}"
    return f"{key}{equals}{value}"
