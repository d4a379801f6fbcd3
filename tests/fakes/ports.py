"""The ports in memory: passes `tests/contract/test_ports.py` beside the real ones."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from protocol.reports import CapturedStream
from state_engine.ports import (
    MAX_CONTENT,
    Address,
    FileType,
    Link,
    PortError,
    ProgramCall,
    Route,
    Stat,
)
from state_engine.references import Reference, SecretValue, fingerprinted


class Node:
    """One object of the fake file system."""

    def __init__(self, kind: FileType, mode: int, uid: int, gid: int, content: bytes = b"") -> None:
        self.kind: FileType = kind
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.content = content
        self.inode = 0
        self.changed = 0


class FakeFiles:
    """A tree of nodes by path; every change advances a counter that serves as its clock.

    `writes` lists what was changed, in order, as (operation, path). `full` makes writes fail with
    ENOSPC, leaving everything as it was.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.writes: list[tuple[str, str]] = []
        self.full = False
        self._ticks = 0
        self._read: dict[str, tuple[int, int, str]] = {}
        self.put("/", Node("directory", 0o755, 0, 0))

    def put(self, path: str, node: Node) -> None:
        """Place a node as someone else would, without a note in `writes`."""
        self._ticks += 1
        node.changed = self._ticks
        node.inode = self._ticks
        self.nodes[path] = node

    def touch(self, path: str) -> None:
        """Advance the times of a node that was changed in place."""
        self._ticks += 1
        self.nodes[path].changed = self._ticks

    def stat(self, path: str) -> Stat | None:
        self._check(path)
        node = self.nodes.get(path)
        if node is None:
            return None
        size = len(node.content)
        ticks = node.changed
        return Stat(node.kind, node.mode, node.uid, node.gid, size, ticks, ticks, node.inode, 1)

    def digest(self, path: str, *, verify: bool = False) -> str:
        del verify
        node = self._file(path)
        if len(node.content) > MAX_CONTENT:
            raise PortError(f"{path} is too large", "EFBIG")
        digest = hashlib.sha256(node.content).hexdigest()
        self._read[path] = (node.inode, node.changed, digest)
        return digest

    def matches(
        self,
        path: str,
        kind: FileType,
        mode: int | None,
        uid: int | None,
        gid: int | None,
        digest: str | None,
    ) -> bool:
        node = self.nodes.get(path)
        if node is None or node.kind != kind:
            return False
        return (
            (mode is None or node.mode == mode)
            and (uid is None or node.uid == uid)
            and (gid is None or node.gid == gid)
            and (digest is None or self._read.get(path) == (node.inode, node.changed, digest))
        )

    def read(self, path: str, limit: int) -> bytes:
        return self._file(path).content[:limit]

    def read_public(self, path: str, limit: int) -> bytes | None:
        node = self._file(path)
        way = [path[:index] or "/" for index, char in enumerate(path) if char == "/"]
        above = [self.nodes[name] for name in way if name in self.nodes]
        if not node.mode & 0o004 or not all(item.mode & 0o001 for item in above):
            return None
        return node.content[:limit]

    def write(
        self,
        path: str,
        content: bytes,
        mode: int,
        uid: int,
        gid: int,
        accept: Callable[[str], None] | None = None,
    ) -> None:
        self._parent(path)
        old = self.nodes.get(path)
        if old is not None and old.kind != "file":
            raise PortError(f"{path} is not a regular file", "EINVAL")
        if self.full:
            raise PortError(f"cannot write {path}: no space left", "ENOSPC")
        node = Node("file", mode, max(uid, 0), max(gid, 0), content)
        if accept is not None:
            candidate = path.rpartition("/")[0] + "/.candidate"
            self.put(candidate, node)
            try:
                accept(candidate)
            finally:
                del self.nodes[candidate]
        self.put(path, node)
        self.writes.append(("write", path))

    def make_directory(self, path: str, mode: int, uid: int, gid: int) -> None:
        self._parent(path)
        if path in self.nodes:
            raise PortError(f"{path} exists", "EEXIST")
        self.put(path, Node("directory", mode, max(uid, 0), max(gid, 0)))
        self.writes.append(("make_directory", path))

    def read_link(self, path: str) -> str:
        self._check(path)
        node = self.nodes.get(path)
        if node is None:
            raise PortError(f"{path} does not exist", "ENOENT")
        if node.kind != "symlink":
            raise PortError(f"{path} is not a symbolic link", "EINVAL")
        return node.content.decode()

    def make_symlink(self, path: str, target: str, uid: int, gid: int) -> None:
        self._parent(path)
        old = self.nodes.get(path)
        if old is not None and old.kind != "symlink":
            raise PortError(f"{path} is not a symbolic link", "EEXIST")
        self.put(path, Node("symlink", 0o777, max(uid, 0), max(gid, 0), target.encode()))
        self.writes.append(("make_symlink", path))

    def set_mode(self, path: str, mode: int) -> None:
        self._attributes(path).mode = mode
        self.touch(path)
        self.writes.append(("set_mode", path))

    def set_owner(self, path: str, uid: int, gid: int) -> None:
        node = self._attributes(path)
        node.uid = node.uid if uid == -1 else uid
        node.gid = node.gid if gid == -1 else gid
        if node.kind == "file" and (uid, gid) != (-1, -1):  # as the kernel does
            node.mode &= 0o1777
        self.touch(path)
        self.writes.append(("set_owner", path))

    def remove(self, path: str) -> None:
        self._check(path)
        if path not in self.nodes:
            raise PortError(f"{path} does not exist", "ENOENT")
        if self.nodes[path].kind == "directory" and not self.is_empty(path):
            raise PortError(f"{path} is not empty", "ENOTEMPTY")
        del self.nodes[path]
        self.writes.append(("remove", path))

    def is_empty(self, path: str) -> bool:
        node = self.nodes.get(path)
        if node is None:
            raise PortError(f"{path} does not exist", "ENOENT")
        if node.kind != "directory":
            raise PortError(f"{path} is not a directory", "ENOTDIR")
        prefix = path.rstrip("/") + "/"
        return not any(other != "/" and other.startswith(prefix) for other in self.nodes)

    def names(self, path: str) -> tuple[str, ...]:
        self.is_empty(path)
        prefix = path.rstrip("/") + "/"
        below = [other[len(prefix) :] for other in self.nodes if other.startswith(prefix)]
        return tuple(sorted(name for name in below if name and "/" not in name))

    def _attributes(self, path: str) -> Node:
        self._check(path)
        node = self.nodes.get(path)
        if node is None:
            raise PortError(f"{path} does not exist", "ENOENT")
        if node.kind not in {"file", "directory"}:
            raise PortError(f"{path} is neither a file nor a directory", "EINVAL")
        return node

    def _file(self, path: str) -> Node:
        self._check(path)
        node = self.nodes.get(path)
        if node is None:
            raise PortError(f"{path} does not exist", "ENOENT")
        if node.kind != "file":
            raise PortError(f"{path} is not a regular file", "EINVAL")
        return node

    def _parent(self, path: str) -> None:
        self._check(path)
        parent = self.nodes.get(path.rpartition("/")[0] or "/")
        if parent is None:
            raise PortError(f"the directory of {path} does not exist", "ENOENT")
        if parent.kind != "directory":
            raise PortError(f"the parent of {path} is not a directory", "ENOTDIR")

    @staticmethod
    def _check(path: str) -> None:
        parts = path.split("/")
        if parts[0] or any(part in {"", ".", ".."} for part in parts[1:]) or "\0" in path:
            raise PortError(f"{path!r} is not absolute and normalised", "EINVAL")


class FakeAccounts:
    """Users and groups by name."""

    def __init__(self) -> None:
        self.users = {"root": 0, "app": 1000}
        self.groups = {"root": 0, "app": 1000}

    def uid(self, name: str) -> int | None:
        return self.users.get(name)

    def gid(self, name: str) -> int | None:
        return self.groups.get(name)

    def user(self, uid: int) -> str:
        return next((name for name, number in self.users.items() if number == uid), str(uid))

    def group(self, gid: int) -> str:
        return next((name for name, number in self.groups.items() if number == gid), str(gid))

    def forget(self) -> None:
        pass


class FakePrograms:
    """Programs are Python functions, found by the script body (else by argv joined with spaces).

    A function returns an exit code or a whole captured stream. `calls` lists the names run. An
    unknown name is what a shell makes of an unknown command: exit 127.
    """

    def __init__(self) -> None:
        self.known: dict[str, Callable[[], int | CapturedStream]] = {
            "exit 3": lambda: 3,
            "true": lambda: 0,
            "echo out; echo err >&2": lambda: CapturedStream(0, "out\n", "err\n"),
        }
        self.calls: list[str] = []

    def run(self, call: ProgramCall) -> CapturedStream:
        name = " ".join(call.argv) if call.script is None else call.script.decode()
        if call.argv[0].startswith("/nonexistent"):
            raise PortError(f"cannot run {call.argv[0]}", "ENOENT")
        self.calls.append(name)
        function = self.known.get(name)
        result = 127 if function is None else function()
        return result if isinstance(result, CapturedStream) else CapturedStream(result, "", "")


class FakeBackups:
    """Kept copies in a dict."""

    def __init__(self, files: FakeFiles) -> None:
        self.kept: dict[str, bytes] = {}
        self._files = files

    def keep(self, path: str) -> str:
        data = self._files.read(path, 2**26)
        digest = hashlib.sha256(data).hexdigest()
        self.kept[digest] = data
        return digest

    def content(self, digest: str) -> bytes:
        if digest not in self.kept:
            raise PortError(f"no kept copy {digest}", "ENOENT")
        return self.kept[digest]


class FakeReverts:
    """Lines by operation in a dict; `full` refuses more."""

    def __init__(self) -> None:
        self.held: dict[str, list[bytes]] = {}
        self.durable: list[bytes] = []
        self.full = False

    def add(self, operation_id: str, line: bytes, *, durable: bool) -> None:
        if self.full:
            raise PortError("cannot note: no space left", "ENOSPC")
        self.held.setdefault(operation_id, []).append(line)
        if durable:
            self.durable.append(line)

    def lines(self, operation_id: str) -> tuple[bytes, ...]:
        return tuple(self.held.get(operation_id, ()))

    def operations(self) -> tuple[str, ...]:
        return tuple(self.held)


class FakeSources:
    """Content by address in a dict; `fetched` lists the addresses that were asked."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.fetched: list[str] = []

    def fetch(self, url: str, sha256: str) -> bytes:
        self.fetched.append(url)
        if url not in self.held:
            raise PortError(f"cannot fetch {url}: it is not there", "ENOENT")
        if hashlib.sha256(self.held[url]).hexdigest() != sha256:
            raise PortError(f"what {url} holds is not what sha256 names", "EBADMSG")
        return self.held[url]


class FakeSecrets:
    """Opened secrets by name and version in a dict."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, int], str] = {}

    def reveal(self, name: str, version: int) -> str:
        if (name, version) not in self.held:
            raise PortError(f"secret {name} v{version} is not known here", "ENOKEY")
        return self.held[name, version]


class FakeNetwork:
    """Links, addresses and routes in lists that a test changes; `lo` is there from the start."""

    def __init__(self) -> None:
        self.held_links = [Link("lo", 1, up=True)]
        self.held_addresses: list[Address] = []
        self.held_routes: list[Route] = []

    def links(self) -> tuple[Link, ...]:
        return tuple(self.held_links)

    def addresses(self) -> tuple[Address, ...]:
        return tuple(self.held_addresses)

    def routes(self, table: int) -> tuple[Route, ...]:
        return tuple(route for route in self.held_routes if route.table == table)


class FakePorts:
    """All ports in memory; `now` is the clock, moved by the test."""

    def __init__(self, key: bytes = b"fake key") -> None:
        self._key = key
        self.files = FakeFiles()
        self.accounts = FakeAccounts()
        self.programs = FakePrograms()
        self.backups = FakeBackups(self.files)
        self.sources = FakeSources()
        self.reverts = FakeReverts()
        self.network = FakeNetwork()
        self.secrets = FakeSecrets()
        self.now = 1_000.0

    @property
    def clock(self) -> Callable[[], float]:
        return lambda: self.now

    def fingerprint(self, value: bytes) -> str:
        return hmac.new(self._key, value, hashlib.sha256).hexdigest()

    def secret(self, name: str, value: str, version: int = 1) -> SecretValue:
        """Deliver a secret, and return it as modules are resolved with it."""
        self.secrets.held[name, version] = value
        mark = self.fingerprint(fingerprinted(name, version, value))
        return SecretValue(Reference(name, version, mark), value)

    def tree(self) -> dict[str, tuple[object, ...]]:
        """Return all that can be seen of the file system, for comparisons."""
        return {
            path: (node.kind, node.mode, node.uid, node.gid, node.content)
            for path, node in self.files.nodes.items()
        }
