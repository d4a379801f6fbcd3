"""A running kernel in memory: its files below /proc, and the programs that change it."""

from __future__ import annotations

from protocol.reports import CapturedStream
from state_engine.ports import ProgramCall
from tests.fakes.ports import FakePorts, FakePrograms, Node

RELEASE = "6.1.0-test"
FOLDERS = (
    "/etc", "/etc/sysctl.d", "/etc/modules-load.d", "/proc", "/proc/sys", "/proc/sys/kernel",
    "/proc/sys/net", "/proc/sys/net/ipv4", "/lib", "/lib/modules", f"/lib/modules/{RELEASE}",
    "/usr", "/usr/share", "/usr/share/zoneinfo",
)  # fmt: skip


class FakeKernel(FakePrograms):
    """`refused` are values that no parameter takes; `available` are modules that can be loaded."""

    def __init__(self, ports: FakePorts) -> None:
        super().__init__()
        self.files = ports.files
        self.refused = {"bogus"}
        self.available = {"loop", "br_netfilter"}
        for folder in FOLDERS:
            ports.files.put(folder, Node("directory", 0o755, 0, 0))
        self.say("/proc/sys/kernel/osrelease", RELEASE)
        self.say("/proc/modules", "")

    def say(self, path: str, value: str) -> None:
        """Make a file below /proc say a value."""
        self.files.put(path, Node("file", 0o644, 0, 0, f"{value}\n".encode()))

    def loaded(self) -> set[str]:
        listed = self.files.nodes["/proc/modules"].content.decode()
        return {line.partition(" ")[0] for line in listed.splitlines() if line}

    def run(self, call: ProgramCall) -> CapturedStream:
        self.calls.append(" ".join(call.argv))
        match call.argv:
            case ("tee", "--", path) if path in self.files.nodes:
                value = call.stdin.decode().strip()
                if value in self.refused:
                    return CapturedStream(1, "", f"tee: {path}: Invalid argument")
                self.say(path, value.replace(" ", "\t"))
            case ("hostname", name):
                self.say("/proc/sys/kernel/hostname", name)
            case ("test", "-e", path) if path in self.files.nodes:
                pass
            case ("modprobe", "--", name) if name.replace("-", "_") in self.available:
                self._load(self.loaded() | {name.replace("-", "_")})
            case ("modprobe", "--remove", "--", name) if name.replace("-", "_") in self.loaded():
                self._load(self.loaded() - {name.replace("-", "_")})
            case _:
                return CapturedStream(1, "", f"{call.argv[0]}: cannot do that")
        return CapturedStream(0, "", "")

    def _load(self, names: set[str]) -> None:
        lines = [f"{name} 16384 0 - Live 0x0" for name in sorted(names)]
        self.say("/proc/modules", "\n".join(lines))


class KernelPorts(FakePorts):
    """Fake ports over a fake kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = FakeKernel(self)
        self.programs = self.kernel
