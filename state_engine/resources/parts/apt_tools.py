"""The command lines of apt and dpkg, and what `apt-cache policy` prints. It is no kind.

Values are elements of argv, never text for a shell; what may be a value is the kinds' concern.
"""

from __future__ import annotations

import re

import msgspec

from state_engine.ports import PortError, Ports, ProgramCall
from state_engine.resources.parts.debian_versions import is_version

# A kernel and its headers over a slow mirror take minutes; an hour means that something hangs.
INSTALL_TIMEOUT = 3_600.0
UPDATE_TIMEOUT = 600.0
QUERY_TIMEOUT = 60.0
# Seconds to wait for another apt or dpkg, such as the daily upgrade, to let go of its lock.
LOCK_WAIT = 60
# No question can be answered here, and no tool may restart services that the plan did not show.
_ENVIRONMENT = (
    "/usr/bin/env",
    "DEBIAN_FRONTEND=noninteractive",
    "DEBCONF_NONINTERACTIVE_SEEN=true",
    "APT_LISTCHANGES_FRONTEND=none",
    "NEEDRESTART_MODE=l",
)
# The characters with which apt takes a name that it does not know for a pattern.
_PATTERN = re.compile(r"([.+])")
_ROW = re.compile(r" (?:   |\*\*\*) (\S+) -?[0-9]+(?: .*)?")


class Policy(msgspec.Struct, frozen=True):
    """What the package index offers: the version that apt would install, and all that it knows."""

    candidate: str | None = None
    versions: tuple[str, ...] = ()


class AptTools:
    """Calls of apt and dpkg for the system below `root`."""

    def __init__(self, root: str = "/") -> None:
        base = root.rstrip("/")
        self._apt: tuple[str, ...] = ()
        self._dpkg: tuple[str, ...] = ()
        if base:
            # dpkg's settings, and so the place of its log, are those of the running system.
            self._dpkg = (f"--root={base}", f"--log={base}/var/log/dpkg.log")
            self._apt = (
                *("-o", f"Dir={base}", "-o", f"Dir::State::status={base}/var/lib/dpkg/status"),
                *(word for option in self._dpkg for word in ("-o", f"DPkg::Options::={option}")),
                *("-o", "APT::Sandbox::User=root"),
            )

    def install(self, *what: str, downgrade: bool = False, held: bool = False) -> ProgramCall:
        """Return the installation of each `name` or `name=version`, in one transaction.

        It fails rather than remove another package, which no plan would have shown.
        """
        options = ["-y", "--no-install-recommends", "--no-remove"]
        if downgrade:
            options.append("--allow-downgrades")
        if held:
            options.append("--allow-change-held-packages")
        options += ["-o", "Dpkg::Options::=--force-confold"]
        return self._apt_get((*options, "install", "--", *what), INSTALL_TIMEOUT)

    def satisfy(self, relations: str) -> ProgramCall:
        """Return the installation of whatever satisfies relations as control files write them."""
        options = ("-y", "--no-install-recommends", "--no-remove")
        keep = ("-o", "Dpkg::Options::=--force-confold")
        return self._apt_get((*options, *keep, "satisfy", "--", relations), INSTALL_TIMEOUT)

    def wait(self) -> ProgramCall:
        """Return a call that waits until no other apt or dpkg is at work."""
        return self._apt_get(("check",), QUERY_TIMEOUT + LOCK_WAIT)

    def remove(self, name: str, *, rehearse: bool = False) -> ProgramCall:
        """Return the removal of one package; its configuration stays.

        It is dpkg that does it: apt would take along whatever depends on the package. Rehearse it
        first: where dpkg refuses, it has already noted that the package is to go one day.
        """
        only = ("--no-act",) if rehearse else ()
        argv = (*_ENVIRONMENT, "dpkg", *self._dpkg, *only, "--remove", "--", name)
        return ProgramCall(argv, timeout=INSTALL_TIMEOUT)

    def select(self, name: str, *, hold: bool) -> ProgramCall:
        """Return the call that holds a package as it is, or lets go of it."""
        word = "hold" if hold else "install"
        argv = (*_ENVIRONMENT, "dpkg", *self._dpkg, "--set-selections")
        return ProgramCall(argv, stdin=f"{name} {word}\n".encode(), timeout=QUERY_TIMEOUT)

    def update(self, list_path: str) -> ProgramCall:
        """Return the fetch of the index of one source list; the others stay as they are."""
        only = (
            *("-o", f"Dir::Etc::SourceList={list_path}", "-o", "Dir::Etc::SourceParts=/dev/null"),
            *("-o", "APT::Get::List-Cleanup=0", "-o", "APT::Update::Error-Mode=any"),
        )
        return self._apt_get((*only, "update"), UPDATE_TIMEOUT)

    def policy(self, name: str, ports: Ports) -> Policy:
        """Return what the package index offers of a package.

        Raises:
            PortError: apt-cache cannot be run, or fails.
        """
        call = ProgramCall(("apt-cache", *self._apt, "policy", "--", name), timeout=QUERY_TIMEOUT)
        captured = ports.programs.run(call)
        if captured.exit != 0:
            last = captured.stderr.strip().rpartition("\n")[2][:200]
            raise PortError(f"apt-cache failed: exit {captured.exit}: {last}")
        return parse_policy(captured.stdout)

    def _apt_get(self, arguments: tuple[str, ...], timeout: float) -> ProgramCall:
        lock = ("-o", f"DPkg::Lock::Timeout={LOCK_WAIT}")
        quiet = ("-q", "-o", "Dpkg::Use-Pty=0")
        argv = (*_ENVIRONMENT, "apt-get", *quiet, *self._apt, *lock, *arguments)
        return ProgramCall(argv, timeout=timeout)


def literal(name: str) -> str:
    """Return a package name in the form that apt cannot take for a pattern of many names."""
    bare, colon, architecture = name.partition(":")
    if not _PATTERN.search(bare):
        return name
    escaped = _PATTERN.sub(r"\\\1", bare)
    return f"^{escaped}${colon}{architecture}"


def parse_policy(text: str) -> Policy:
    """Return what `apt-cache policy NAME` said; it says nothing of a name that it does not know."""
    candidate: str | None = None
    versions: list[str] = []
    for line in text.splitlines():
        if line.startswith("  Candidate: "):
            word = line.partition(": ")[2].strip()
            candidate = word if is_version(word) else None  # `(none)`
        elif (found := _ROW.fullmatch(line)) is not None and is_version(found[1]):
            versions.append(found[1])
    return Policy(candidate, tuple(dict.fromkeys(versions)))
