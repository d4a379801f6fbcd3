"""The program that becomes another program: it gives up rights first, then takes its place.

It is started as a file by `host.launch`, in a process of its own with one thread (what happens
between `fork` and `exec` in a process of many threads must not run Python), so it imports nothing
but the standard library. What it is to do comes as JSON on one handle; what became of it goes out
on another, which the new program does not inherit. Deciding what to give up is `host.launch`.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import sys
from typing import TypedDict

# What a program that may not write still needs to write to; all of them keep nothing.
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")
SCRATCH = "/dev/shm"  # noqa: S108 - a file system of the program's own is mounted there
SCRATCH_BYTES = 64 * 1_048_576  # a check's temporary files: here-documents, sorted lists
_CLONE_NEWNS = 0x00020000
_MS_REC_PRIVATE = 0x4000 | 0x40000
_MS_NOSUID_NODEV = 0x2 | 0x4
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 0x1
_PR_SET_NO_NEW_PRIVS = 38
# The numbers of newer system calls are the same on every architecture.
_SYS_MOUNT_SETATTR = 442
_SYS_LANDLOCK = 444  # create_ruleset, add_rule, restrict_self
_LANDLOCK_VERSION = 1
_LANDLOCK_PATH_BENEATH = 1
_WRITE_FILE = 1 << 1
# Remove and make directories, files, devices, sockets, pipes, links (bits 4 to 12).
_CHANGES = _WRITE_FILE | sum(1 << bit for bit in range(4, 13))
_REFER = 1 << 13  # since version 2
_TRUNCATE = 1 << 14  # since version 3

Mounts = "read-only mounts"
Landlock = "landlock"


class Plan(TypedDict):
    """What to give up and what to become; `scratch` is a place left to write to without root."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    uid: int | None
    gid: int
    groups: list[int]
    read_only: bool
    scratch: str | None
    status: int


class Status(TypedDict):
    """What became of it: what holds, what does not and why, and what stood in the way."""

    held: list[str]
    lacking: list[str]
    error: str
    code: str


def main(handle: int) -> int:
    """Read the plan from `handle` and carry it out; returns only if that failed."""
    with os.fdopen(handle, "rb") as stream:
        plan: Plan = json.load(stream)
    os.set_inheritable(plan["status"], False)
    status: Status = {"held": [], "lacking": [], "error": "", "code": ""}
    try:
        _prepare(plan, status)
        os.execvpe(plan["argv"][0], plan["argv"], plan["env"])  # noqa: S606 - argv, no shell
    except OSError as error:
        doing = f"enter {plan['cwd']} for" if error.filename == plan["cwd"] else "run"
        status["error"] = f"cannot {doing} {plan['argv'][0]}: {error.strerror or error}"
        status["code"] = errno.errorcode.get(error.errno or 0, "")
        tell(plan["status"], status)
    except ValueError as error:  # a NUL byte among the arguments
        status["error"], status["code"] = f"cannot run {plan['argv'][0]}: {error}", "EINVAL"
        tell(plan["status"], status)
    return 127


def _prepare(plan: Plan, status: Status) -> None:
    if plan["read_only"]:
        _give_up_writing(plan, status)
    _become_user(plan)
    # Only now: a directory that the user may not enter is not to be had by way of us.
    os.chdir(plan["cwd"])
    tell(plan["status"], status)


def tell(handle: int, status: Status) -> None:
    """Write one line that fits into a pipe at once."""
    os.write(handle, json.dumps(status).encode() + b"\n")


def _become_user(plan: Plan) -> None:
    if plan["uid"] is None:
        return
    uid, gid = plan["uid"], plan["gid"]
    for stream in (0, 1, 2):
        # Else the user's own program could not open /dev/stdout again. They are pipes of this run.
        os.fchown(stream, uid, gid)
    os.setgroups(plan["groups"])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def _give_up_writing(plan: Plan, status: Status) -> None:
    """Hold the program to reading, by every means that this kernel offers; note which hold.

    Read-only mounts also keep modes and owners as they are, which landlock does not see; landlock
    also keeps devices from being written and mounts from being changed back.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    root = os.geteuid() == 0
    means = ((Mounts, _mounts), (Landlock, _landlock)) if root else ((Landlock, _landlock),)
    if not root:
        status["lacking"].append(f"{Mounts}: only root can have them")
    for name, make in means:
        try:
            make(libc, plan)
        except OSError as error:
            status["lacking"].append(f"{name}: {error.strerror or error}")
        else:
            status["held"].append(name)
    if plan["scratch"] is not None:
        plan["env"].setdefault("TMPDIR", plan["scratch"])


def _mounts(libc: ctypes.CDLL, plan: Plan) -> None:
    _done(libc.unshare(_CLONE_NEWNS))
    _done(libc.mount(b"none", b"/", None, _MS_REC_PRIVATE, None))
    # struct mount_attr: set, clear, propagation, userns_fd.
    wish = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_RDONLY, 0, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(wish))
    _done(libc.syscall(_SYS_MOUNT_SETATTR, _AT_FDCWD, b"/", _AT_RECURSIVE, wish, size))
    # One's own in this namespace, so it needs no name on the host and goes with the program.
    owner = "" if plan["uid"] is None else f",uid={plan['uid']},gid={plan['gid']}"
    options = f"size={SCRATCH_BYTES},mode=0700{owner}".encode()
    if libc.mount(b"tmpfs", SCRATCH.encode(), b"tmpfs", _MS_NOSUID_NODEV, options) == 0:
        plan["scratch"] = SCRATCH


def _landlock(libc: ctypes.CDLL, plan: Plan) -> None:
    version = _done(
        libc.syscall(_SYS_LANDLOCK, None, ctypes.c_size_t(0), ctypes.c_uint32(_LANDLOCK_VERSION))
    )
    handled = _CHANGES | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    attributes = (ctypes.c_uint64 * 1)(handled)
    rules = _done(
        libc.syscall(_SYS_LANDLOCK, attributes, ctypes.c_size_t(8), ctypes.c_uint32(0)),
    )
    try:
        for device in _DEVICES:
            _allow(libc, rules, f"/dev/{device}", handled & (_WRITE_FILE | _TRUNCATE))
        if plan["scratch"] is not None:
            _allow(libc, rules, plan["scratch"], handled)
        # Root may restrict itself as it is; `su` and `sudo` inside a check go on working.
        if libc.syscall(_SYS_LANDLOCK + 2, rules, ctypes.c_uint32(0)) != 0:
            _done(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
            _done(libc.syscall(_SYS_LANDLOCK + 2, rules, ctypes.c_uint32(0)))
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: str, access: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # a container without this device
    try:
        # struct landlock_path_beneath_attr is packed: 64 bits of access, 32 of handle.
        rule = access.to_bytes(8, sys.byteorder) + handle.to_bytes(4, sys.byteorder)
        _done(
            libc.syscall(_SYS_LANDLOCK + 1, rules, _LANDLOCK_PATH_BENEATH, rule, ctypes.c_uint32(0))
        )
    finally:
        os.close(handle)


def _done(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
