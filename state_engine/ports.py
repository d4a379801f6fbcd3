"""How the engine sees and changes a system: the one door between pure code and a host.

`state_engine.host` makes these real on Linux, `tests.fakes` in memory; both pass the same
contract suite. All calls are synchronous; a port raises `PortError` for what the system refused.
Paths are absolute and normalised. A final symbolic link is never followed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import msgspec

from protocol.errors import StandfastError
from protocol.reports import CapturedStream

FileType = Literal["file", "directory", "symlink", "other"]
# The largest file that is read as a whole: it is held in memory when a copy is kept, and hashing it
# takes a fifth of a second. What is larger is no configuration, and is only seen to be larger: a
# user's sparse file of a terabyte must not hold the engine's one thread for an hour.
MAX_CONTENT = 64 * 1_048_576
# The most names of one directory that are listed: 100,000 of 50 bytes are 10 MB of strings.
MAX_NAMES = 100_000


class PortError(StandfastError):
    """The system refused an operation; `code` is an errno name (ENOSPC) if there is one."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Stat(msgspec.Struct, frozen=True):
    """What one `lstat` tells; `mode` is the 12 permission bits."""

    type: FileType
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int


class ProgramCall(msgspec.Struct, frozen=True):
    """A program to run: argv, standard input, seconds it may take, bytes kept of each stream.

    `script` goes to the program as a private file whose path is put after `argv`, so that it is
    never seen in a process list and the program's standard input stays free.

    `user` (a name, or a number that has one) runs it with that user's groups, home and nothing of
    our own; `cwd` is entered as that user. `env` is added to the few variables that it gets.
    `read_only`: it cannot change the file system, as far as the kernel can hold it to that; what is
    lacking is told at the end of the captured standard error.
    """

    argv: tuple[str, ...]
    stdin: bytes = b""
    timeout: float = 600.0
    keep: int = 1_048_576
    script: bytes | None = None
    user: str | None = None
    cwd: str = "/"
    env: tuple[tuple[str, str], ...] = ()
    read_only: bool = False


class FilePort(Protocol):
    """Files and directories."""

    def stat(self, path: str) -> Stat | None:
        """Return what stands at the path, or None; never follows a final symlink."""
        ...

    def digest(self, path: str, *, verify: bool = False) -> str:
        """Return the SHA-256 of a regular file; from the stat cache if allowed and unchanged.

        Raises:
            PortError: it is larger than `MAX_CONTENT` (code EFBIG), or what the system says.
        """
        ...

    def matches(
        self,
        path: str,
        kind: FileType,
        mode: int | None,
        uid: int | None,
        gid: int | None,
        digest: str | None,
    ) -> bool:
        """Return True only if one `lstat` and the stat cache show that all of it holds.

        None is not asked. False means nothing more than: look properly. Never raises.
        """
        ...

    def read(self, path: str, limit: int) -> bytes:
        """Return up to `limit` bytes of a regular file."""
        ...

    def read_public(self, path: str, limit: int) -> bytes | None:
        """Return up to `limit` bytes of a regular file if every user could read them, else None.

        That is: the file has the read bit for others, and each directory on the way the search bit.
        (A port whose plans nobody else gets to see may return them all the same.)
        """
        ...

    def write(
        self,
        path: str,
        content: bytes,
        mode: int,
        uid: int,
        gid: int,
        accept: Callable[[str], None] | None = None,
    ) -> None:
        """Replace the file atomically: temporary sibling, fsync, rename, fsync of the directory.

        `accept` is called with the path of the sibling, whole and with its owner and mode, before
        it is renamed; what it raises leaves the old file as it was.
        """
        ...

    def make_directory(self, path: str, mode: int, uid: int, gid: int) -> None:
        """Make one directory whose parent exists."""
        ...

    def read_link(self, path: str) -> str:
        """Return where a symbolic link leads, as it is written there."""
        ...

    def make_symlink(self, path: str, target: str, uid: int, gid: int) -> None:
        """Put a symbolic link in its place atomically: temporary sibling, rename, fsync.

        -1 for `uid` or `gid` means our own.

        Raises:
            PortError: something that is no symbolic link stands there (code EEXIST), or what the
                system says.
        """
        ...

    def set_mode(self, path: str, mode: int) -> None:
        """Set the permission bits of a file or directory that is not a symlink."""
        ...

    def set_owner(self, path: str, uid: int, gid: int) -> None:
        """Set owner and group; -1 keeps one of them."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file, symlink or empty directory."""
        ...

    def is_empty(self, path: str) -> bool:
        """Say whether a directory holds nothing."""
        ...

    def names(self, path: str) -> tuple[str, ...]:
        """Return the names in a directory, sorted.

        Raises:
            PortError: it holds more than `MAX_NAMES` (code EFBIG), or what the system says.
        """
        ...


class AccountPort(Protocol):
    """Names and numbers of users and groups."""

    def uid(self, name: str) -> int | None:
        """Return the uid of a user name, or None."""
        ...

    def gid(self, name: str) -> int | None:
        """Return the gid of a group name, or None."""
        ...

    def user(self, uid: int) -> str:
        """Return the user name, or the number as text."""
        ...

    def group(self, gid: int) -> str:
        """Return the group name, or the number as text."""
        ...

    def forget(self) -> None:
        """Drop what was looked up so far; called at the start of each look at the host."""
        ...


class BackupPort(Protocol):
    """Copies of what was overwritten, named by their SHA-256."""

    def keep(self, path: str) -> str:
        """Keep a copy of the regular file at the path and return its SHA-256.

        Raises:
            PortError: it cannot be read or stored, or is larger than `MAX_CONTENT` (code EFBIG).
        """
        ...

    def content(self, digest: str) -> bytes:
        """Return a kept copy, checked against its name; raises PortError if it is not there."""
        ...


class RevertPort(Protocol):
    """Lines on how operations are taken back, which outlive this process."""

    def add(self, operation_id: str, line: bytes, *, durable: bool) -> None:
        """Append a line; `durable`: it outlives the host's power too. Raises PortError."""
        ...

    def lines(self, operation_id: str) -> tuple[bytes, ...]:
        """Return the whole lines of an operation; () if nothing of it is kept."""
        ...

    def operations(self) -> tuple[str, ...]:
        """Return the operations of which something is kept, the oldest first."""
        ...


class SourcePort(Protocol):
    """Content that a module names by its digest instead of holding it."""

    def fetch(self, url: str, sha256: str) -> bytes:
        """Return what an address holds, if that is what the digest names; kept for the next time.

        `url` is `artifact:<sha256>`, `file:///path`, `https://...` or, if the host's policy has it,
        `http://...`. What is in the cache is not asked for again.

        Raises:
            PortError: the address is not allowed, cannot be reached, holds something else, or more
                than `MAX_CONTENT` (code EFBIG).
        """
        ...


class SecretPort(Protocol):
    """Secrets that this host may open."""

    def reveal(self, name: str, version: int) -> str:
        """Return a secret's value, opened for this call and kept nowhere.

        Raises:
            PortError: this host does not hold that version, or cannot open it.
        """
        ...


class ProgramPort(Protocol):
    """Running programs."""

    def run(self, call: ProgramCall) -> CapturedStream:
        """Run to its end; a timeout (exit 124) or cancel (143) ends its whole process group."""
        ...


class Link(msgspec.Struct, frozen=True):
    """A network interface."""

    name: str
    index: int
    up: bool


class Address(msgspec.Struct, frozen=True):
    """An address on a link, with its prefix length: `192.0.2.1/24`.

    `permanent`: it has no lifetime. `duplicate`: another host on the link has it too (IPv6).
    """

    interface: str
    address: str
    permanent: bool = True
    duplicate: bool = False


class Route(msgspec.Struct, frozen=True):
    """A unicast route; `protocol` is who set it, `many`: it has several ways and no single one."""

    destination: str
    table: int
    metric: int
    interface: str | None = None
    via: str | None = None
    source: str | None = None
    protocol: int = 4
    many: bool = False


class NetworkPort(Protocol):
    """Looking at the running network. Steps change it."""

    def links(self) -> tuple[Link, ...]:
        """Return every link, by index. Raises PortError."""
        ...

    def addresses(self) -> tuple[Address, ...]:
        """Return every IPv4 and IPv6 address. Raises PortError."""
        ...

    def routes(self, table: int) -> tuple[Route, ...]:
        """Return the unicast routes of a table, IPv4 and IPv6. Raises PortError."""
        ...


class Ports(Protocol):
    """Everything that the engine may touch."""

    @property
    def files(self) -> FilePort:
        """Files and directories."""
        ...

    @property
    def accounts(self) -> AccountPort:
        """Users and groups."""
        ...

    @property
    def programs(self) -> ProgramPort:
        """Programs."""
        ...

    @property
    def backups(self) -> BackupPort:
        """Copies of overwritten files."""
        ...

    @property
    def secrets(self) -> SecretPort:
        """Secrets."""
        ...

    @property
    def reverts(self) -> RevertPort:
        """How operations are taken back."""
        ...

    @property
    def sources(self) -> SourcePort:
        """Content by address and digest."""
        ...

    @property
    def network(self) -> NetworkPort:
        """The running network."""
        ...

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds since the epoch, for times in reports."""
        ...

    def fingerprint(self, value: bytes) -> str:
        """Return an HMAC under a key that never leaves this host, for values not to be shown."""
        ...


ProgressKind = Literal["started", "finished"]
Watches = Sequence[str]
