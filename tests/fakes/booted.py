"""A minimal Debian that a test boots with a real systemd, in namespaces of its own.

The root file system is made once (mmdebstrap) and kept in the user's cache; each boot runs on an
overlay over it, so that no test sees another's changes and the cache stays as it was made.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

from protocol.canonical import Json

MODULES = "/etc/standfast-modules"
REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = ("mmdebstrap", "systemd-nspawn", "nsenter", "mount", "umount")
PACKAGES = "systemd,systemd-sysv,dbus,sudo,iproute2,nftables,locales,git,e2fsprogs"
# Raise it when the packages change: an old cache is not used any more.
VERSION = 2
BOOT_DEADLINE = 30.0
# RTMIN+4 asks systemd to power off; its services get this long.
STOP_DEADLINE = 10.0
_CGROUPS = Path("/sys/fs/cgroup")


def missing() -> str | None:
    """Return why no system can be booted here, or None."""
    if os.geteuid() != 0:
        return "needs root to boot a system"
    lacking = [tool for tool in TOOLS if shutil.which(tool) is None]
    if lacking:
        return f"needs {', '.join(lacking)}"
    with tempfile.TemporaryDirectory() as folder:
        for name in ("lower", "upper", "work", "root"):
            Path(folder, name).mkdir()
        if not _overlay(Path(folder), Path(folder, "lower")):
            return "needs the right to mount an overlay"
        _run("umount", f"{folder}/root")
    return None


class Booted:
    """A running system; `leader` is the pid of its systemd as we see it."""

    def __init__(self, leader: int, root: Path) -> None:
        self.leader = leader
        self.root = root

    def run(self, *argv: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a program inside, with its own view of everything."""
        enter = ["nsenter", f"--target={self.leader}", "--mount", "--uts", "--ipc", "--net"]
        return subprocess.run(
            [*enter, "--pid", "--cgroup", "--", *argv],
            capture_output=True, text=True, check=False, timeout=timeout, cwd="/",
            stdin=subprocess.DEVNULL, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )  # fmt: skip

    def state(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `standfast-state` inside, from this checkout, with this very Python."""
        code = "import sys; from state_engine.cli.main import main; sys.exit(main())"
        environment = (f"PYTHONPATH={REPOSITORY}", "PYTHONDONTWRITEBYTECODE=1", "LANG=C.UTF-8")
        return self.run("env", *environment, sys.executable, "-c", code, *words)

    def write(self, path: str, text: str) -> None:
        """Put a file into the running system."""
        place = Path(f"/proc/{self.leader}/root{path}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


class Host:
    """One module's life on the running system; the state directory is the module's own."""

    def __init__(self, system: Booted, name: str) -> None:
        self.system = system
        self.name = name

    def _words(self, *words: str) -> list[str]:
        return [*words, f"{MODULES}/{self.name}", f"--state-dir=/var/lib/state-{self.name}"]

    def module(self, *resources: dict[str, Json]) -> None:
        """Write the module as it is desired from now on."""
        module = {"name": self.name, "supports": [{"platform": "linux"}]}
        text = yaml.safe_dump({**module, "resources": list(resources)}, allow_unicode=True)
        self.system.write(f"{MODULES}/{self.name}/{self.name}.ordo.yaml", text)

    def apply(self, *, expect: str = "succeeded") -> dict[str, str]:
        """Apply; return each resource's status by its identity, or its error."""
        done = self.system.state(*self._words("apply", "--yes", "--json"))
        assert done.stdout, done.stderr
        result = json.loads(done.stdout)
        assert result.get("status") == expect, result
        return {
            found["identity"]: found.get("error") or found["status"]
            for found in result["resources"]
        }

    def drifted(self) -> dict[str, list[str]]:
        """Return the fields that have drifted, by identity."""
        done = self.system.state(*self._words("drift", "--json")[:2], *self._words()[1:])
        record = json.loads(done.stdout)
        return {
            item["identity"]: [change["field"] for change in item.get("changes", [])]
            for item in record.get("resources", [])
            if item["action"] != "none"
        }

    def shown(self, unit: str, field: str) -> str:
        return self.system.run("systemctl", "show", "-P", field, unit).stdout.strip()


@contextmanager
def booted() -> Generator[Booted, None, None]:
    """Boot; whatever happens, end every process and take down every mount."""
    lower = _root_file_system()
    with tempfile.TemporaryDirectory(prefix="standfast-boot-") as name:
        folder = Path(name)
        for part in ("upper", "work", "root"):
            (folder / part).mkdir()
        if not _overlay(folder, lower):
            raise RuntimeError("cannot mount the overlay")
        try:
            with _nspawn(folder, folder / "root") as leader:
                yield Booted(leader, folder / "root")
        finally:
            _run("umount", str(folder / "root"))


def _root_file_system() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "standfast-tests"
    suite = _suite()
    # An interpreter of the system's own comes with the system; any other is bound into it.
    python = ",python3" if sys.base_prefix == "/usr" else ""
    ready = cache / f"{suite}{python.replace(',', '-')}-{VERSION}"
    if ready.is_dir():
        return ready
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="building-") as building:
        made = Path(building) / "root"
        options = ["--variant=minbase", f"--include={PACKAGES}{python}", "--quiet"]
        subprocess.run(
            ["mmdebstrap", *options, suite, str(made)], check=True, stdin=subprocess.DEVNULL
        )
        made.chmod(0o755)
        # Another worker may have been faster: then its copy serves.
        with suppress(OSError):
            made.rename(ready)
    return ready


def _suite() -> str:
    """Return this host's own suite, so that its Python finds the C library it was built for."""
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    names = [line.partition("=")[2] for line in release.splitlines() if "VERSION_CODENAME" in line]
    return names[0].strip('"') if names and "ID=debian" in release.splitlines() else "bookworm"


@contextmanager
def _nspawn(folder: Path, root: Path) -> Generator[int, None, None]:
    machine = f"sf{os.getpid()}-{folder.name[-6:].replace('_', 'x')}"
    groups = _own_groups(machine)
    log = (folder / "console").open("wb")
    process = subprocess.Popen(
        [
            "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", f"--machine={machine}",
            f"--directory={root}", "--boot", "--console=pipe", "--private-network",
            "--resolv-conf=off", "--timezone=off", *_binds(),
        ],
        stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        preexec_fn=lambda: _join(groups),  # noqa: PLW1509 - before any thread of a test is started
    )  # fmt: skip
    try:
        yield _wait_for_boot(process, folder)
    finally:
        _stop(process)
        log.close()
        for group in groups:
            _remove_groups(group)


def _binds() -> list[str]:
    """Return what brings this checkout and this Python into the system, read-only."""
    places = {str(REPOSITORY), sys.prefix, sys.base_prefix}
    wanted = [place for place in sorted(places) if place not in {"/", "/usr"}]
    return [f"--bind-ro={place}" for place in wanted]


def _wait_for_boot(process: subprocess.Popen[bytes], folder: Path) -> int:
    deadline = time.monotonic() + BOOT_DEADLINE
    while time.monotonic() < deadline and process.poll() is None:
        leader = _child(process.pid)
        if leader is not None:
            done = Booted(leader, folder).run("systemctl", "is-system-running", "--wait")
            if done.stdout.strip() in {"running", "degraded"}:
                return leader
        time.sleep(0.02)
    said = (folder / "console").read_text(errors="replace")[-2000:]
    raise RuntimeError(f"the system did not boot: {said}")


def _child(pid: int) -> int | None:
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            children = (task / "children").read_text().split()
            if children:
                return int(children[0])
    return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    leader = _child(process.pid)
    if leader is not None:
        with suppress(ProcessLookupError):
            os.kill(leader, signal.SIGRTMIN + 4)
    for ending in (signal.SIGTERM, signal.SIGKILL):
        try:
            process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            # The end of a namespace's first process is the end of all that are in it.
            for victim in (process.pid, leader):
                if victim is not None:
                    with suppress(ProcessLookupError):
                        os.kill(victim, ending)
    process.wait(STOP_DEADLINE)


def _own_groups(machine: str) -> list[Path]:
    """Make control groups of its own: two systems must not share the group they are started in."""
    names = ("systemd", "unified") if (_CGROUPS / "systemd").is_dir() else ("",)
    groups = [_CGROUPS / name / machine for name in names if (_CGROUPS / name).is_dir()]
    for group in groups:
        group.mkdir(exist_ok=True)
    return groups


def _join(groups: list[Path]) -> None:
    for group in groups:
        (group / "cgroup.procs").write_text(str(os.getpid()))


def _remove_groups(group: Path) -> None:
    folders = [Path(folder) for folder, _, _ in os.walk(group, topdown=False)]
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _overlay(folder: Path, lower: Path) -> bool:
    options = f"lowerdir={lower},upperdir={folder}/upper,workdir={folder}/work"
    return _run("mount", "-t", "overlay", "overlay", "-o", options, f"{folder}/root") == 0


def _run(*argv: str) -> int:
    return subprocess.run(argv, check=False, capture_output=True, timeout=30).returncode
