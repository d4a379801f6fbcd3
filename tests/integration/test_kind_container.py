"""The kind container with a real podman, its images and containers in a directory of the test."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Generator
from pathlib import Path

import msgspec
import pytest

from protocol.canonical import Json
from protocol.reports import CapturedStream
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.engine.progress import ApplyOutcome
from state_engine.host.linux import LinuxPorts
from state_engine.host.programs import LinuxPrograms
from state_engine.model import ResolvedResource, Snapshot
from state_engine.ports import ProgramCall
from tests.fakes.resources import resource

LACKING = [tool for tool in ("podman", "busybox", "unshare") if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs_root,
    pytest.mark.timeout(180),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(bool(LACKING), reason=f"needs {', '.join(LACKING)}"),
]
IMAGE = "localhost/sf-demo:1"
# Ends when it is told to, as a good first process does.
COMMAND = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
SETTINGS = """[containers]
cgroups = "disabled"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "none"
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{place}/tmp"
"""
STORAGE = """[storage]
driver = "vfs"
graphroot = "{place}/root"
runroot = "{place}/run"
"""
# Where the control groups are of two versions at once, the runtime would refuse to start.
ALONE = (
    "umount -l -R /sys/fs/cgroup 2>/dev/null; mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null"
    ' || mount -t tmpfs none /sys/fs/cgroup 2>/dev/null; exec "$@"'
)


class Podman(LinuxPrograms):
    """Programs of this host, of which podman keeps all that it makes below one directory."""

    def __init__(self, place: Path) -> None:
        super().__init__()
        self._env = (
            ("CONTAINERS_CONF", f"{place}/containers.conf"),
            ("CONTAINERS_STORAGE_CONF", f"{place}/storage.conf"),
        )
        for name, text in (("containers.conf", SETTINGS), ("storage.conf", STORAGE)):
            (place / name).write_text(text.format(place=place), encoding="utf-8")

    def run(self, call: ProgramCall) -> CapturedStream:
        if call.argv[0] != "podman":
            return super().run(call)
        argv = ("unshare", "-m", "sh", "-c", ALONE, "podman", *call.argv)
        return super().run(msgspec.structs.replace(call, argv=argv, env=self._env))

    def say(self, *words: str, stdin: bytes = b"") -> CapturedStream:
        return self.run(ProgramCall(("podman", *words), stdin=stdin, timeout=60))


class World:
    def __init__(self, place: Path) -> None:
        self.place = place
        self.podman = Podman(place)
        self.ports = LinuxPorts(place / "state", b"k" * 32)
        self.ports.programs = self.podman

    def apply(self, *items: ResolvedResource, before: Snapshot | None = None) -> ApplyOutcome:
        return apply_plan("op", "n", items, before or Snapshot(), self.ports, approved=None)


def image() -> bytes:
    """An image with one program, which is a shell and `sleep` too."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.add(shutil.which("busybox") or "", "bin/busybox")
        for name in ("sh", "sleep"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return out.getvalue()


@pytest.fixture
def world() -> Generator[World, None, None]:
    # A short path: sockets are in it.
    with tempfile.TemporaryDirectory(prefix="sf-") as name:
        made = World(Path(name))
        try:
            done = made.podman.say("import", "-", IMAGE, stdin=image())
            assert done.exit == 0, done
            probe = made.podman.say("run", "--rm", IMAGE, "sh", "-c", "exit 7")
            if probe.exit != 7:
                pytest.skip(f"podman runs no container here: {probe.stderr.strip()[-200:]}")
            yield made
        finally:
            made.podman.say("rm", "--all", "--force", "--time=0")
            unmount(made.place)


def unmount(place: Path) -> None:
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    for target in reversed([line.split()[1] for line in mounts if f" {place}/" in line]):
        subprocess.run(["umount", "-l", target], check=False)


def item(**fields: Json) -> ResolvedResource:
    spec: dict[str, Json] = {"name": "sf-web", "image": IMAGE, "engine": "podman"}
    return resource("container", "sf-web", {**spec, "command": [*COMMAND], **fields})


def test_a_container_is_made_watched_made_again_and_removed(world: World) -> None:
    """What podman itself says of it is compared at each step."""
    volume = f"{world.place}:/data:ro"
    wish = item(env={"KEY": "a b=c"}, volumes=[volume], restart="on-failure")
    first = world.apply(wish)
    assert first.result.status == "succeeded", first.result.resources
    assert make_plan("n", [wish], first.snapshot, world.ports).summary.none == 1
    inside = world.podman.say("exec", "sf-web", "sh", "-c", 'echo "$KEY"; busybox ls /data')
    assert inside.stdout.splitlines()[0] == "a b=c"
    assert "storage.conf" in inside.stdout
    world.podman.say("stop", "sf-web")
    (drift,) = find_drift(first.snapshot, world.ports)
    assert [change.field for change in drift.changes] == ["running"]
    assert world.apply(wish, before=first.snapshot).result.status == "succeeded"
    assert find_drift(first.snapshot, world.ports) == ()
    other = item(env={"KEY": "other"})
    plan = make_plan("n", [other], first.snapshot, world.ports).resources[0]
    assert [change.field for change in plan.changes] == ["volumes", "restart", "env"]
    second = world.apply(other, before=first.snapshot)
    assert second.result.status == "succeeded", second.result.resources
    gone = world.apply(before=second.snapshot)
    assert gone.result.resources[0].status == "removed"
    assert not world.podman.say("ps", "--all", "--quiet").stdout


def test_a_container_of_somebody_else_is_left_alone(world: World) -> None:
    """It goes on running."""
    world.podman.say("run", "--detach", "--name", "sf-web", IMAGE, *COMMAND)
    outcome = world.apply(item())
    assert "not ours" in (outcome.result.resources[0].error or "")
    running = world.podman.say("ps", "--format", "{{.Names}}").stdout.split()
    assert running == ["sf-web"]
