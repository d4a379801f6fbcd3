"""The locales of a host in memory: its archive, and the programs that change it."""

from __future__ import annotations

import struct

from protocol.reports import CapturedStream
from state_engine.ports import ProgramCall
from state_engine.resources.parts import locales
from tests.fakes.ports import FakePorts, FakePrograms, Node

FOLDERS = (
    "/etc", "/etc/default", "/usr", "/usr/sbin", "/usr/share", "/usr/share/i18n", "/usr/lib",
    "/usr/lib/locale",
)  # fmt: skip
SUPPORTED = "de_DE.UTF-8 UTF-8\nde_DE ISO-8859-1\nen_GB.UTF-8 UTF-8\n"
ARCHIVE = "/usr/lib/locale/locale-archive"


def archive(entries: dict[str, int]) -> bytes:
    """Return an archive that has these names, each with the number of its record."""
    start, texts, body = 56 + 12 * len(entries), b"", b""
    for name, record in entries.items():
        body += struct.pack("=3I", 1, start + len(texts), record)
        texts += name.encode() + b"\0"
    return struct.pack("=14I", 0xDE020109, 1, 56, *[len(entries)] * 2, *([0] * 9)) + body + texts


class FakeGlibc(FakePrograms):
    """`made` are the names in the archive, with their records."""

    def __init__(self, ports: FakePorts) -> None:
        super().__init__()
        self.files = ports.files
        self.made: dict[str, int] = {}
        for folder in FOLDERS:
            ports.files.put(folder, Node("directory", 0o755, 0, 0))
        self.say("/usr/share/i18n/SUPPORTED", SUPPORTED)

    def say(self, path: str, text: str) -> None:
        """Put a file of root's."""
        self.files.put(path, Node("file", 0o644, 0, 0, text.encode()))

    def make(self, name: str, charset: str) -> None:
        """Add a locale under the names that localedef gives it."""
        record = max(self.made.values(), default=0) + 1
        full = name if "." in name else f"{name}.{charset}"
        for each in {locales.normal(name), locales.normal(full)}:
            self.made.setdefault(each, record)
        self._store()

    def run(self, call: ProgramCall) -> CapturedStream:
        self.calls.append(" ".join(call.argv))
        match call.argv:
            case ("locale-gen", "--keep-existing"):
                text = self.files.nodes["/etc/locale.gen"].content.decode()
                for line in text.splitlines():
                    if line and not line.startswith("#"):
                        self.make(*line.split())
            case ("localedef", "--delete-from-archive", "--", *names):
                for name in names:
                    del self.made[name]
                self._store()
            case ("localedef", _, charset, name):
                self.make(name, charset.partition("=")[2])
            case _:
                return CapturedStream(1, "", f"{call.argv[0]}: cannot do that")
        return CapturedStream(0, "", "")

    def _store(self) -> None:
        self.files.put(ARCHIVE, Node("file", 0o644, 0, 0, archive(self.made)))


class GlibcPorts(FakePorts):
    """Fake ports over the locales of a fake host."""

    def __init__(self) -> None:
        super().__init__()
        self.glibc = FakeGlibc(self)
        self.programs = self.glibc
