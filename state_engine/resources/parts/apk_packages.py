"""What apk's own database holds and what its repositories offer, and the calls that change it.

It is no kind. Values are elements of argv, never text for a shell.
"""

from __future__ import annotations

import re
from weakref import WeakKeyDictionary

from state_engine.ports import MAX_CONTENT, PortError, Ports, ProgramCall, Stat
from state_engine.resources.parts import alpine_versions
from state_engine.resources.parts.dpkg_status import SETTLED_NS
from state_engine.resources.parts.versioned_package import INSTALL_TIMEOUT, QUERY_TIMEOUT, Wish

# The first that is there is the one; the second came with version 3.
_DATABASES = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")
_INSTALLED = "apk/db/installed"
# Seconds to wait for another apk to let go of its lock.
_LOCK_WAIT = 60
_VERSION_ROW = re.compile(r"  (\S+):")

Index = dict[str, str]


class ApkPackages:
    """The packages of the system below `root`."""

    def __init__(self, root: str = "/") -> None:
        base = root.rstrip("/")
        self._databases = tuple(f"{base}{path}" for path in _DATABASES)
        self._apk = ("apk", "--root", base) if base else ("apk",)
        # Weak: a reading belongs to the ports it was made with, and dies with them.
        self._kept: WeakKeyDictionary[Ports, tuple[Stat, Index]] = WeakKeyDictionary()

    @property
    def watched(self) -> tuple[str, ...]:
        """The database, in both its places."""
        return self._databases

    def installed(self, name: str, ports: Ports, *, verify: bool) -> str | None:
        """Return the installed version, or None.

        Raises:
            PortError: there is no such database, or it cannot be read.
        """
        path, stat = self._database(ports)
        kept = self._kept.get(ports)
        if kept is not None and kept[0] == stat and not verify:
            return kept[1].get(name)
        now_ns = int(ports.clock() * 1e9)
        index = parse_index(ports.files.read(path, MAX_CONTENT))
        if stat.ctime_ns < now_ns - SETTLED_NS:
            self._kept[ports] = (stat, index)
        else:
            self._kept.pop(ports, None)
        return index.get(name)

    def offered(self, name: str, ports: Ports) -> tuple[str, ...]:
        """Return the versions in the repositories.

        Raises:
            PortError: apk cannot be run, or fails.
        """
        call = ProgramCall((*self._apk, "policy", "--", name), timeout=QUERY_TIMEOUT)
        captured = ports.programs.run(call)
        if captured.exit != 0:
            last = captured.stderr.strip().rpartition("\n")[2][:200]
            raise PortError(f"apk failed: exit {captured.exit}: {last}")
        return parse_policy(captured.stdout)

    def install(self, name: str, wish: Wish, installed: str | None) -> ProgramCall:
        """Return the installation.

        apk notes what it is told in its world file, and holds to it when others upgrade: an exact
        version pins; a constraint of one relation is noted as it is, of several as the version.
        """
        options = ["add", "--wait", str(_LOCK_WAIT), "--no-progress"]
        what = name
        if wish.sort == "constraint" and len(wish.terms) == 1:
            what = f"{name}{wish.terms[0].relation}{wish.terms[0].version}"
        elif wish.sort in {"constraint", "exact"}:
            what = f"{name}={wish.version}"
        if wish.sort == "latest" and installed is not None:
            options.append("--upgrade")
        return ProgramCall((*self._apk, *options, "--", what), timeout=INSTALL_TIMEOUT)

    def remove(self, name: str) -> ProgramCall:
        """Return the removal; apk leaves what others depend on, which the second look then sees."""
        options = ("del", "--wait", str(_LOCK_WAIT), "--no-progress")
        return ProgramCall((*self._apk, *options, "--", name), timeout=INSTALL_TIMEOUT)

    def _database(self, ports: Ports) -> tuple[str, Stat]:
        for path in self._databases:
            found = ports.files.stat(path)
            if found is not None and found.type == "file":
                return path, found
        raise PortError("this host has no apk database", "ENOENT")


def parse_index(data: bytes) -> Index:
    """Return the installed versions by name."""
    index: Index = {}
    for stanza in data.decode("utf-8", "replace").split("\n\n"):
        name = version = ""
        for line in stanza.split("\n"):
            # The first of each is the package's; what follows are its files (F:, R:, Z: ...).
            if line.startswith("P:") and not name:
                name = line[2:]
            elif line.startswith("V:") and not version:
                version = line[2:]
        if name and version:
            index[name] = version
    return index


def parse_policy(text: str) -> tuple[str, ...]:
    """Return the versions that a repository has, not only this host or a tagged repository."""
    versions: list[str] = []
    current = ""
    for line in text.splitlines():
        row = _VERSION_ROW.fullmatch(line)
        if row is not None:
            current = row[1] if alpine_versions.is_version(row[1]) else ""
            continue
        place = line.strip()
        if current and place and not place.endswith(_INSTALLED) and not place.startswith("@"):
            versions.append(current)
    return tuple(dict.fromkeys(versions))
