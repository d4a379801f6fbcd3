"""What dpkg's own status file says of packages: read once, kept until the file is another one.

It is no kind. Reading goes through the file port; nothing here runs a program.
"""

from __future__ import annotations

import re
from weakref import WeakKeyDictionary

import msgspec

from state_engine.ports import MAX_CONTENT, PortError, Ports, Stat

# As long as a file's last change may share a tick of the file system's clock with our reading, a
# second change could go unseen (see `host.stat_cache`): such a reading is not kept.
SETTLED_NS = 50_000_000
# dpkg folds its journal into the status file after 250 entries at the latest.
MAX_UPDATES = 1_000
_FIELD = re.compile(
    rb"^(status|version|architecture):[ \t]*(.*?)[ \t]*$", re.IGNORECASE | re.MULTILINE
)
_NAME = re.compile(rb"^package:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
_CONFIGURED = frozenset({"installed", "triggers-pending", "triggers-awaited"})
_GONE = frozenset({"not-installed", "config-files"})

Index = dict[bytes, list[bytes]]


class Package(msgspec.Struct, frozen=True):
    """One package: `want` is dpkg's selection (install, hold, deinstall, purge, unknown).

    `state` is "installed", "absent" (its configuration may be left), or dpkg's word for a package
    that is stuck half-way.
    """

    want: str
    state: str
    version: str
    architecture: str

    @property
    def held(self) -> bool:
        """Whether an administrator told dpkg to keep the package as it is."""
        return self.want == "hold"


class DpkgStatus:
    """The package database below `root`."""

    def __init__(self, root: str = "/") -> None:
        base = root.rstrip("/")
        self.path = f"{base}/var/lib/dpkg/status"
        self._updates = f"{base}/var/lib/dpkg/updates"
        # Weak: a reading belongs to the ports it was made with, and dies with them.
        self._kept: WeakKeyDictionary[Ports, tuple[Stat, Index]] = WeakKeyDictionary()

    def find(
        self, name: str, architecture: str | None, ports: Ports, *, verify: bool
    ) -> Package | None:
        """Return a package; without an architecture, the one that programs here run as.

        Raises:
            PortError: there is no such database (this is no Debian), or it cannot be read.
        """
        index = self._index(ports, verify=verify)
        stanzas = index.get(name.encode())
        if not stanzas:
            return None
        native = architecture or _native(index)
        found = [package for stanza in stanzas if (package := parse(stanza)) is not None]
        fitting = [item for item in found if native is None or item.architecture in {native, "all"}]
        return min(fitting, key=lambda item: item.state == "absent", default=None)

    def _index(self, ports: Ports, *, verify: bool) -> Index:
        # The journal first: dpkg empties it only once the status file says the same.
        journal = self._journal(ports)
        stat = ports.files.stat(self.path)
        if stat is None:
            raise PortError(f"{self.path} is not there: this host has no dpkg", "ENOENT")
        kept = self._kept.get(ports)
        if kept is not None and kept[0] == stat and not verify:
            index = kept[1]
        else:
            now_ns = int(ports.clock() * 1e9)
            index = make_index(ports.files.read(self.path, MAX_CONTENT))
            if stat.ctime_ns < now_ns - SETTLED_NS:
                self._kept[ports] = (stat, index)
            else:
                self._kept.pop(ports, None)
        return overlaid(index, journal) if journal else index

    def _journal(self, ports: Ports) -> list[bytes]:
        entries: list[bytes] = []
        for number in range(MAX_UPDATES):
            path = f"{self._updates}/{number:04}"
            if ports.files.stat(path) is None:
                break
            entries.append(ports.files.read(path, MAX_CONTENT))
        return entries


def make_index(data: bytes) -> Index:
    """Return the stanzas of a status file by package name; each is parsed only when asked for."""
    index: Index = {}
    for stanza in data.split(b"\n\n"):
        if stanza.startswith(b"Package: "):  # as dpkg writes it
            name = stanza[9 : stanza.find(b"\n")]
        elif (found := _NAME.search(stanza)) is not None:
            name = found[1]
        else:
            continue
        index.setdefault(name, []).append(stanza)
    return index


def overlaid(index: Index, journal: list[bytes]) -> Index:
    """Return the index with what dpkg has noted since it last wrote the status file."""
    merged = dict(index)
    for entry in journal:
        for name, stanzas in make_index(entry).items():
            for stanza in stanzas:
                noted = parse(stanza)
                others = [
                    old
                    for old in merged.get(name, [])
                    if noted is not None and not _same_architecture(old, noted)
                ]
                merged[name] = [*others, stanza]
    return merged


def parse(stanza: bytes) -> Package | None:
    """Return what a stanza says, or None if it says nothing of a status."""
    fields = {
        found[1].lower(): found[2].decode("utf-8", "replace") for found in _FIELD.finditer(stanza)
    }
    words = fields.get(b"status", "").split()
    if len(words) != 3:
        return None
    want, flag, state = words
    if state in _CONFIGURED and flag == "ok":
        state = "installed"
    elif state in _GONE:
        state = "absent"
    elif state in _CONFIGURED:
        state = flag  # reinstreq: dpkg says that it has to be installed again
    return Package(want, state, fields.get(b"version", ""), fields.get(b"architecture", ""))


def _same_architecture(stanza: bytes, noted: Package) -> bool:
    found = parse(stanza)
    return found is None or not noted.architecture or found.architecture == noted.architecture


def _native(index: Index) -> str | None:
    """Return the architecture of dpkg itself, which is the one that it installs by default."""
    for stanza in index.get(b"dpkg", ()):
        package = parse(stanza)
        if package is not None and package.state == "installed":
            return package.architecture
    return None
