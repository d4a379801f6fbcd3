"""A cgroup of its own for a command, so that nothing that it starts gets away when it must end.

Where no cgroup can be made (no right to, none mounted) there is only the process group, and the
result of the command says so.
"""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from pathlib import Path

PREFIX = "standfast-command-"
# A process that forks as fast as it can is caught within a few rounds of 10 ms.
ROUNDS = 200
PAUSE = 0.01


class CommandGroup:
    """One cgroup; the kernel keeps every descendant in it, whatever session it makes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def handle(self) -> int:
        """Return a handle by which a process enters the group: it writes "0" to it."""
        return os.open(self.path / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)

    def members(self) -> tuple[int, ...]:
        """Return the processes in it, and in groups that were made beneath it; none if it is gone.

        A kernel without `cgroup.kill` would else leave what a command has put into one of those.
        """
        found: list[int] = []
        places = [self.path]
        while places:
            place = places.pop()
            with suppress(OSError):
                found += map(int, (place / "cgroup.procs").read_text("ascii").split())
            with suppress(OSError), os.scandir(place) as entries:
                places += [Path(one.path) for one in entries if one.is_dir(follow_symlinks=False)]
        # 0 stands for a process of another namespace: there is nothing that we could send it.
        return tuple(pid for pid in found if pid > 0)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to every process in it."""
        for pid in self.members():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def kill(self) -> bool:
        """End every process in it; True once it is empty."""
        with suppress(OSError):
            (self.path / "cgroup.kill").write_text("1", "ascii")
        for _ in range(ROUNDS):
            if not self.members():
                return True
            self.send(signal.SIGKILL)
            select.select((), (), (), PAUSE)
        return False

    def remove(self) -> None:
        """Take it away if it is empty; what a command left running keeps it."""
        with suppress(OSError):
            self.path.rmdir()


def find(name: str) -> CommandGroup | None:
    """Return the group of that name, if there is one."""
    for place in places():
        path = place / f"{PREFIX}{name}"
        if path.is_dir():
            return CommandGroup(path)
    return None


def make(name: str) -> CommandGroup | None:
    """Make a group under our own, or return None where that cannot be.

    Empty ones whose name begins alike, up to the first `-`, are swept out: one agent runs one
    command at a time, but there may be several agents.
    """
    alike = f"{PREFIX}{name.partition('-')[0]}-*"
    for place in places():
        path = place / f"{PREFIX}{name}"
        try:
            for old in place.glob(alike):
                CommandGroup(old).remove()
            path.mkdir(mode=0o755, exist_ok=True)
            group = CommandGroup(path)
            os.close(group.handle())
        except OSError:
            continue
        return group
    return None


def places(proc: Path = Path("/proc/self")) -> tuple[Path, ...]:
    """Return the directories of our own cgroups that may hold another, version 2 first."""
    try:
        lines = (proc / "cgroup").read_text("utf-8", "replace").splitlines()
        mounts = (proc / "mountinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ()
    own: dict[str, str] = {}
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        own["2" if number == "0" else controllers] = path
    found: dict[str, Path] = {}
    for line in mounts:
        left, _, right = line.partition(" - ")
        fields, kinds = left.split(), right.split()
        if len(fields) < 5 or len(kinds) < 3:
            continue
        wanted = _kind(kinds[0], kinds[2].split(","), own)
        if wanted is not None:
            found.setdefault(wanted, _beneath(fields[4], fields[3], own[wanted]))
    order = ("2", "name=systemd", "pids", "freezer")
    return tuple(found[kind] for kind in order if kind in found)


def _kind(filesystem: str, options: list[str], own: dict[str, str]) -> str | None:
    if filesystem == "cgroup2":
        return "2" if "2" in own else None
    if filesystem == "cgroup":
        return next((one for one in ("name=systemd", "pids", "freezer") if one in options), None)
    return None


def _beneath(mount: str, root: str, path: str) -> Path:
    # What is mounted may be a part of the tree: then our path begins with that part.
    inner = path.removeprefix(root) if root != "/" else path
    return Path(mount) / inner.lstrip("/")
