"""What the RPM database holds and what dnf offers, and the command lines that change it.

It is no kind. Values are elements of argv, never text for a shell.
"""

from __future__ import annotations

import re
from weakref import WeakKeyDictionary

from state_engine.ports import PortError, Ports, ProgramCall, Stat
from state_engine.resources.parts import rpm_versions
from state_engine.resources.parts.dpkg_status import SETTLED_NS
from state_engine.resources.parts.versioned_package import INSTALL_TIMEOUT, QUERY_TIMEOUT, Wish

# Where the database lies, by distribution and age; the first that is there is the one.
_DATABASES = (
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/var/lib/rpm/rpmdb.sqlite",
    "/var/lib/rpm/Packages",
)
_FORMAT = r"%{NAME}\t%{ARCH}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\n"
_OFFER = "%{epoch}:%{version}-%{release}\n"
# 20,000 packages, which no host has, in lines of 100 bytes.
_OUTPUT = 2_097_152
_ROW = re.compile(r"(\S+)\t(\S+)\t(\S+)")

Index = dict[str, list[tuple[str, str]]]  # name -> (architecture, version)


class RpmPackages:
    """The packages of the system below `root`."""

    def __init__(self, root: str = "/") -> None:
        base = root.rstrip("/")
        self._databases = tuple(f"{base}{path}" for path in _DATABASES)
        self._rpm = ("rpm", f"--root={base}") if base else ("rpm",)
        self._dnf = ("dnf", f"--installroot={base}") if base else ("dnf",)
        # Weak: a reading belongs to the ports it was made with, and dies with them.
        self._kept: WeakKeyDictionary[Ports, tuple[Stat, Index]] = WeakKeyDictionary()

    @property
    def watched(self) -> tuple[str, ...]:
        """The database in all its places, with the journal of the newer ones."""
        journals = (f"{path}-wal" for path in self._databases if path.endswith(".sqlite"))
        return (*self._databases, *journals)

    def installed(self, name: str, ports: Ports, *, verify: bool) -> str | None:
        """Return the latest installed version, for the architecture that the name may end in.

        Raises:
            PortError: there is no such database, or rpm cannot read it.
        """
        index = self._index(ports, verify=verify)
        versions = [version for _, version in index.get(name, [])]
        if not versions:
            bare, _, architecture = name.rpartition(".")
            versions = [item[1] for item in index.get(bare, []) if item[0] == architecture]
        best: str | None = None
        for version in versions:
            if best is None or rpm_versions.compare(version, best) > 0:
                best = version
        return best

    def offered(self, name: str, ports: Ports) -> tuple[str, ...]:
        """Return the versions in the enabled repositories.

        Raises:
            PortError: dnf cannot be run, or fails.
        """
        words = ("-q", "-y", "repoquery", "--available", "--qf", _OFFER, "--", name)
        call = ProgramCall((*self._dnf, *words), timeout=QUERY_TIMEOUT, keep=_OUTPUT)
        return parse_offers(_said(call, ports))

    def install(self, name: str, wish: Wish, installed: str | None) -> ProgramCall:
        """Return the installation; weak dependencies stay away, as do questions."""
        verb, what = "install", name
        if wish.version is not None:
            what = f"{name}-{wish.version}"
            if installed is not None and rpm_versions.compare(wish.version, installed) < 0:
                verb = "downgrade"
        elif installed is not None:
            verb = "upgrade"
        options = ("-q", "-y", "--setopt=install_weak_deps=False", "--setopt=best=True")
        return ProgramCall((*self._dnf, *options, verb, "--", what), timeout=INSTALL_TIMEOUT)

    def remove(self, name: str) -> ProgramCall:
        """Return the removal; it is rpm that does it: dnf would take along what depends on it."""
        return ProgramCall((*self._rpm, "--erase", "--", name), timeout=INSTALL_TIMEOUT)

    def _index(self, ports: Ports, *, verify: bool) -> Index:
        before = self._stat(ports)
        kept = self._kept.get(ports)
        if kept is not None and kept[0] == before and not verify:
            return kept[1]
        now_ns = int(ports.clock() * 1e9)
        words = ("--query", "--all", "--queryformat", _FORMAT)
        call = ProgramCall((*self._rpm, *words), timeout=QUERY_TIMEOUT, keep=_OUTPUT)
        index = parse_index(_said(call, ports))
        if before == self._stat(ports) and before.ctime_ns < now_ns - SETTLED_NS:
            self._kept[ports] = (before, index)
        else:
            self._kept.pop(ports, None)
        return index

    def _stat(self, ports: Ports) -> Stat:
        for path in self._databases:
            found = ports.files.stat(path)
            if found is not None and found.type == "file":
                return self._with_journal(found, ports.files.stat(f"{path}-wal"))
        raise PortError("this host has no RPM database", "ENOENT")

    @staticmethod
    def _with_journal(found: Stat, journal: Stat | None) -> Stat:
        # A change that still stands in the journal alone changes only that; one that reads makes
        # an empty one.
        return found if journal is None or journal.size == 0 else journal


def parse_index(text: str) -> Index:
    """Return what is installed, from lines of name, architecture and version."""
    index: Index = {}
    for line in text.splitlines():
        found = _ROW.fullmatch(line)
        # Keys that sign packages are in the database too.
        if found is not None and found[1] != "gpg-pubkey":
            index.setdefault(found[1], []).append((found[2], plain(found[3])))
    return index


def parse_offers(text: str) -> tuple[str, ...]:
    """Return the versions among the lines; some versions of dnf put empty lines between."""
    versions = (plain(line.strip()) for line in text.splitlines())
    return tuple(dict.fromkeys(item for item in versions if rpm_versions.is_version(item)))


def plain(version: str) -> str:
    """Return a version without an epoch that says nothing, as people write it."""
    for nothing in ("0:", "(none):"):
        version = version.removeprefix(nothing)
    return version


def _said(call: ProgramCall, ports: Ports) -> str:
    captured = ports.programs.run(call)
    if captured.exit != 0 or captured.truncated:
        last = captured.stderr.strip().rpartition("\n")[2][:200]
        raise PortError(f"{call.argv[0]} failed: exit {captured.exit}: {last}")
    return captured.stdout
