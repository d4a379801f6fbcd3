"""Content that modules name by digest: a private cache, filled from files and web addresses.

Whatever is handed out has the digest that was asked for, from the cache too. Deciding what content
goes where is the kinds' work.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

import msgspec

from state_engine.host import clock, walk
from state_engine.host.files import LinuxFiles
from state_engine.ports import MAX_CONTENT, PortError

if TYPE_CHECKING:
    import ssl
    from http.client import HTTPConnection, HTTPResponse

SCHEMES = ("artifact", "file", "https", "http")
MAX_REDIRECTS = 5
# Addresses of one name that are tried: it may have thousands, and each may be silent for long.
MAX_ADDRESSES = 4
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CHUNK = 65_536
_DIGEST = re.compile(r"[0-9a-f]{64}")


class SourcePolicy(msgspec.Struct, frozen=True):
    """What this host fetches: which schemes, how long it waits (seconds), how much (bytes).

    `silence` is the longest wait for the next bytes, `whole` the longest for all of them. `cache`
    is what is kept of all that was fetched; the longest unused goes first.
    """

    schemes: tuple[str, ...] = SCHEMES
    silence: float = 30.0
    whole: float = 600.0
    limit: int = MAX_CONTENT
    cache: int = 8 * MAX_CONTENT


class LinuxSources:
    """Content by address and digest, below a directory that only we can read.

    `artifacts` brings the bytes of an artifact that the cache does not hold, or None if it cannot;
    without it `artifact:` finds only what the cache was given.
    """

    def __init__(
        self,
        directory: Path,
        files: LinuxFiles,
        *,
        policy: SourcePolicy | None = None,
        artifacts: Callable[[str], bytes | None] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._directory = directory
        self._files = files
        self._policy = policy or SourcePolicy()
        self._artifacts = artifacts
        self._cancelled = cancelled

    def fetch(self, url: str, sha256: str) -> bytes:
        """Return what an address holds, if that is what the digest names; kept for the next time.

        Raises:
            PortError: the address is not allowed, cannot be reached, holds something else, or more
                than the limit (code EFBIG).
        """
        if not _DIGEST.fullmatch(sha256):
            raise PortError(f"`{sha256}` is not a SHA-256 in lower-case hex", "EINVAL")
        scheme = _taken_apart(url).scheme
        if scheme not in self._policy.schemes:
            raise PortError(f"this host does not fetch from `{scheme}:` addresses", "EACCES")
        held = self._held(sha256)
        if held is not None:
            return held
        match scheme:
            case "artifact":
                data = self._artifact(url, sha256)
            case "file":
                data = self._file(url)
            case _:
                data = self._web(url)
        found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            # The digest of a private file stays here; what the web serves is no secret of ours.
            what = f"{found}" if scheme in {"https", "http"} else "something else"
            raise PortError(f"{url} holds {what}, not {sha256}", "EBADMSG")
        self.put(data)
        return data

    def put(self, data: bytes) -> str:
        """Keep content in the cache and return its SHA-256; makes room for it."""
        digest = hashlib.sha256(data).hexdigest()
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_room(len(data))
        except OSError as error:
            raise walk.refusal(error, "keep content in", str(self._directory)) from error
        self._files.write(str(self._directory / digest), data, 0o600, -1, -1)
        return digest

    def _held(self, sha256: str) -> bytes | None:
        target = self._directory / sha256
        try:
            data = self._files.read(str(target), self._policy.limit + 1)
        except PortError:
            return None
        if hashlib.sha256(data).hexdigest() != sha256:
            return None  # damaged: fetch it again
        with suppress(OSError):
            os.utime(target)  # so that what is in use is the last to go
        return data

    def _make_room(self, size: int) -> None:
        entries: list[tuple[int, int, Path]] = []
        for path in self._directory.iterdir():
            with suppress(FileNotFoundError):
                found = path.lstat()
                entries.append((found.st_mtime_ns, found.st_size, path))
        entries.sort()
        total = sum(entry[1] for entry in entries) + size
        for _, held, path in entries:
            if total <= self._policy.cache:
                break
            path.unlink(missing_ok=True)
            total -= held

    def _artifact(self, url: str, sha256: str) -> bytes:
        if url != f"artifact:{sha256}":
            raise PortError(f"{url} does not name {sha256}", "EINVAL")
        data = self._artifacts(sha256) if self._artifacts is not None else None
        if data is None:
            message = "is not in the cache of this host, and there is nobody here to ask for it"
            raise PortError(f"artifact {sha256} {message}", "ENOENT")
        return self._within(data, url)

    def _file(self, url: str) -> bytes:
        parts = urlsplit(url)
        if parts.netloc not in {"", "localhost"}:
            raise PortError(f"{url} names another host; write file:///path", "EINVAL")
        path = unquote(parts.path)
        return self._within(self._files.read(path, self._policy.limit + 1), url)

    def _within(self, data: bytes, url: str) -> bytes:
        if len(data) > self._policy.limit:
            raise self._too_large(url)
        return data

    def _too_large(self, url: str) -> PortError:
        return PortError(f"{url} holds more than {self._policy.limit} bytes", "EFBIG")

    def _web(self, url: str) -> bytes:
        from http.client import HTTPException

        until = clock.monotonic() + self._policy.whole
        near = _names_near(url)
        try:
            for _ in range(MAX_REDIRECTS + 1):
                found = self._ask(url, until, near=near)
                if isinstance(found, bytes):
                    return found
                url = found
        except (OSError, HTTPException, ValueError) as error:
            # ValueError: what a server sends, or leads to, may be no address or no text.
            # An HTTPException may say nothing but its class's name.
            why = str(error) or type(error).__name__
            raise PortError(f"cannot fetch {url}: {why}", "EIO") from error
        raise PortError(f"cannot fetch {url}: more than {MAX_REDIRECTS} redirects", "ELOOP")

    def _ask(self, url: str, until: float, *, near: bool) -> bytes | str:
        """Return the content at an address, or the address that it leads to."""
        from http.client import HTTPConnection, HTTPSConnection

        parts, host, port = _address(url)
        connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = connect(host, port, timeout=self._policy.silence)
        raw = self._reached(url, host, connection.port, until, near=near)
        encrypted = None
        connection.sock = raw
        if parts.scheme == "https":
            encrypted = _encrypted(raw, host)
            connection.sock = encrypted
        # The silence between two bytes is limited by the socket, all of it by this: a server that
        # sends one byte of a header a minute must not hold the engine's one thread.
        # It begins when there is something to cut, so that it cannot come too early.
        guard = threading.Timer(max(0.0, until - clock.monotonic()), _cut, (connection,))
        guard.daemon = True
        try:
            guard.start()
            if encrypted is not None:
                encrypted.do_handshake()
            found = self._answer(connection, parts)
            if clock.monotonic() > until:  # what was cut may look like an end
                raise PortError(f"cannot fetch {url}: not whole in time", "ETIMEDOUT")
            return found
        finally:
            guard.cancel()
            connection.close()

    def _reached(
        self, url: str, host: str, port: int, until: float, *, near: bool
    ) -> socket.socket:
        """Return a connection to a host; `near`: also to this host itself and its own link."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        last: OSError = TimeoutError("it has no address")
        for family, sort, protocol, _, place in found[:MAX_ADDRESSES]:
            if not near and _is_near(str(place[0])):
                # A name, or a redirect, must not turn what was approved into a request to what
                # trusts this host: services on its loopback, a cloud's metadata.
                raise PortError(f"{url} leads to {place[0]}, which no address named", "EACCES")
            left = min(self._policy.silence, until - clock.monotonic())
            if left <= 0.0:
                raise PortError(f"cannot fetch {url}: not whole in time", "ETIMEDOUT")
            connecting = socket.socket(family, sort, protocol)
            try:
                connecting.settimeout(left)
                connecting.connect(place)
            except OSError as error:
                connecting.close()
                last = error
                continue
            connecting.settimeout(self._policy.silence)
            return connecting
        raise last

    def _answer(self, connection: HTTPConnection, parts: SplitResult) -> bytes | str:
        url = parts.geturl()
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"Accept-Encoding": "identity"})
        with connection.getresponse() as response:
            if response.status in _REDIRECTS:
                following = urljoin(url, response.getheader("Location") or "")
                if urlsplit(following).scheme != parts.scheme:
                    raise PortError(f"{url} leads to another scheme: {following[:200]}", "EACCES")
                return following
            if response.status != 200:
                raise PortError(f"cannot fetch {url}: status {response.status}", "EIO")
            return self._body(response, url)

    def _body(self, response: HTTPResponse, url: str) -> bytes:
        data = bytearray()
        while chunk := response.read1(_CHUNK):
            data += chunk
            if len(data) > self._policy.limit:
                raise self._too_large(url)
            if self._cancelled():
                raise PortError(f"cannot fetch {url}: cancelled", "ECANCELED")
        missing = response.length
        if missing:
            raise PortError(f"cannot fetch {url}: it ends {missing} bytes too early", "EIO")
        return bytes(data)


def _taken_apart(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise PortError(f"{url!r} is not an address: {error}", "EINVAL") from error


def _names_near(url: str) -> bool:
    """Say whether an address itself names this host or its own link."""
    host = _taken_apart(url).hostname or ""
    return host == "localhost" or host.endswith(".localhost") or _is_near(host)


def _is_near(address: str) -> bool:
    """Say whether an IP address is this host's loopback, or reaches no further than its link."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    found = mapped or found
    return found.is_loopback or found.is_link_local or found.is_unspecified


def _encrypted(raw: socket.socket, host: str) -> ssl.SSLSocket:
    """Return a connection on which the handshake is still to come; closes `raw` if it fails."""
    import ssl

    try:
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        return context.wrap_socket(raw, server_hostname=host, do_handshake_on_connect=False)
    except BaseException:
        raw.close()
        raise


def _address(url: str) -> tuple[SplitResult, str, int | None]:
    """Return a web address taken apart; nothing in it may end a line of the request."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise PortError(f"{url!r} is not an address: {error}", "EINVAL") from error
    plain = url.isascii() and url.isprintable() and " " not in url
    if not host or not plain or "@" in parts.netloc:
        raise PortError(f"{url!r} is not an address of a host without name and password", "EINVAL")
    return parts, host, port


def _cut(connection: HTTPConnection) -> None:
    """End a connection from another thread: whoever reads from it sees its end."""
    if connection.sock is not None:
        with suppress(OSError):
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
