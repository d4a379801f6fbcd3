"""Mounts and swap in memory: the programs that change them, and the kernel's tables of them."""

from __future__ import annotations

from protocol.reports import CapturedStream
from state_engine.ports import ProgramCall
from tests.fakes.ports import FakePorts, FakePrograms, Node

FOLDERS = ("/etc", "/proc", "/proc/thread-self", "/srv", "/dev")
SIGNATURE = b"SWAPSPACE2"


class FakeStorage(FakePrograms):
    """`held` are the types that devices hold; a program that is not known fails."""

    def __init__(self, ports: FakePorts) -> None:
        super().__init__()
        self.files = ports.files
        self.held: dict[str, str] = {}
        self.swaps: dict[str, int] = {}
        self.mounts: list[tuple[str, str, str, str]] = [("/", "ext4", "/dev/vda1", "rw")]
        for folder in FOLDERS:
            ports.files.put(folder, Node("directory", 0o755, 0, 0))
        self.tell()

    def tell(self) -> None:
        """Bring the kernel's tables up to date."""
        lines = ["Filename Type Size Used Priority"]
        lines += [f"{path}\tfile\t1020\t0\t{order}" for path, order in self.swaps.items()]
        self._say("/proc/swaps", lines)
        self._say(
            "/proc/thread-self/mountinfo",
            [
                f"{number} 1 0:{number} / {place.replace(' ', chr(92) + '040')} {options},relatime"
                f" - {fstype} {source} rw"
                for number, (place, fstype, source, options) in enumerate(self.mounts, 20)
            ],
        )

    def _say(self, path: str, lines: list[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        self.files.put(path, Node("file", 0o444, 0, 0, text.encode()))

    def run(self, call: ProgramCall) -> CapturedStream:
        self.calls.append(" ".join(call.argv))
        refused = self._do(call.argv)
        self.tell()
        if isinstance(refused, CapturedStream):
            return refused
        return CapturedStream(1 if refused else 0, "", refused)

    def _do(self, argv: tuple[str, ...]) -> str | CapturedStream:
        if argv[0] in {"mount", "umount"}:
            return self._mount(argv)
        if argv[0] in {"swapon", "swapoff", "mkswap", "blkid"}:
            return self._swap(argv)
        match argv:
            case ("sh", "-c", _, "sh", path):
                self.files.put(path, Node("file", 0o600, 0, 0))
            case ("fallocate", "-l", size, "--", path):
                self.files.nodes[path].content = b"\0" * int(size)
            case ("rm", "-f", "--", path):
                self.files.nodes.pop(path, None)
            case ("chmod", "0600", "--", path):
                self.files.nodes[path].mode = 0o600
            case ("chown", "0:0", "--", path):
                self.files.nodes[path].uid = 0
            case _:
                return f"{argv[0]}: cannot do that"
        return ""

    def _swap(self, argv: tuple[str, ...]) -> str | CapturedStream:
        match argv:
            case ("mkswap", "--", path):
                self._make_swap(path)
            case ("swapon", *order, "--", path):
                node = self.files.nodes[path]
                if path in self.swaps or SIGNATURE not in node.content:
                    return f"swapon: {path}: Invalid argument"
                self.swaps[path] = int(order[1]) if order else -2
            case ("swapoff", "--", path) if path in self.swaps:
                del self.swaps[path]
            case ("blkid", *_, path):
                found = self.held.get(path, "")
                return CapturedStream(0 if found else 2, f"{found}\n", "")
            case _:
                return f"{argv[0]}: cannot do that"
        return ""

    def _mount(self, argv: tuple[str, ...]) -> str:
        places = [at for at, each in enumerate(self.mounts) if each[0] == argv[-1]]
        match argv:
            case ("mount", "-t", fstype, "-o", options, "--", source, path):
                self.mounts.append((path, fstype, source, _shown(options)))
            case ("mount", "-o", options, "--", source, path) if places:
                self.mounts[places[-1]] = (
                    path,
                    self.mounts[places[-1]][1],
                    source,
                    _shown(options),
                )
            case ("umount", "--", _) if places:
                del self.mounts[places[-1]]
            case _:
                return f"{argv[0]}: cannot do that"
        return ""

    def _make_swap(self, path: str) -> None:
        node = self.files.nodes[path]
        filled = node.content.ljust(4096, b"\0")
        node.content = filled[:4086] + SIGNATURE + filled[4096:]
        self.held[path] = "swap"


def _shown(options: str) -> str:
    words = options.split(",")
    flags = [word for word in ("nosuid", "nodev", "noexec", "noatime") if word in words]
    return ",".join(["ro" if "ro" in words else "rw", *flags])


class StoragePorts(FakePorts):
    """Fake ports over fake storage."""

    def __init__(self) -> None:
        super().__init__()
        self.storage = FakeStorage(self)
        self.programs = self.storage
