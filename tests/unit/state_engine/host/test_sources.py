"""Content by address and digest, from files and from a web server of our own."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from state_engine.host.files import LinuxFiles
from state_engine.host.sources import LinuxSources, SourcePolicy
from state_engine.ports import PortError

GOOD = b"#!/bin/sh\n" + b"x" * 200_000
DIGEST = hashlib.sha256(GOOD).hexdigest()
EMPTY = hashlib.sha256(b"").hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Answers by path; counts what it was asked."""

    asked: list[str] = []  # noqa: RUF012 - one list for the one server of a test, emptied by it

    def do_GET(self) -> None:
        """Answer one request."""
        self.asked.append(self.path)
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        if self.path == "/slow":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            self.rfile.read(1)  # until the other side goes away
            return
        body = GOOD[:1000] if self.path == "/short" else GOOD
        self.send_response(404 if self.path == "/gone" else 200)
        self.send_header("Content-Length", str(len(GOOD)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@pytest.fixture
def server() -> Generator[str, None, None]:
    Handler.asked.clear()
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{made.server_address[1]}"
    finally:
        made.shutdown()
        thread.join()
        made.server_close()


def store(tmp_path: Path, policy: SourcePolicy | None = None) -> LinuxSources:
    """Return an empty store."""
    return LinuxSources(tmp_path / "state" / "sources", LinuxFiles(), policy=policy)


def refusal(held: LinuxSources, url: str, sha256: str = DIGEST) -> str:
    """Return the code with which an address is refused."""
    with pytest.raises(PortError) as caught:
        held.fetch(url, sha256)
    return caught.value.code


def test_what_was_fetched_once_is_not_asked_for_again(tmp_path: Path, server: str) -> None:
    """And it is kept where only we can read it, under its digest."""
    held = store(tmp_path)
    assert held.fetch(f"{server}/a", DIGEST) == GOOD
    assert held.fetch(f"{server}/a", DIGEST) == GOOD
    assert held.fetch(f"artifact:{DIGEST}", DIGEST) == GOOD
    assert Handler.asked == ["/a"]
    kept = tmp_path / "state" / "sources" / DIGEST
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700


def test_a_damaged_copy_is_fetched_again(tmp_path: Path, server: str) -> None:
    """The digest is checked on the way out of the cache too."""
    held = store(tmp_path)
    held.fetch(f"{server}/a", DIGEST)
    (tmp_path / "state" / "sources" / DIGEST).write_bytes(b"rot")
    assert held.fetch(f"{server}/a", DIGEST) == GOOD
    assert Handler.asked == ["/a", "/a"]


def test_what_does_not_have_the_digest_is_never_handed_out_or_kept(
    tmp_path: Path, server: str
) -> None:
    """From the web, from a file, and as a piece of the whole."""
    held = store(tmp_path)
    (tmp_path / "f").write_bytes(b"other")
    assert refusal(held, f"{server}/a", EMPTY) == "EBADMSG"
    assert refusal(held, f"file://{tmp_path}/f") == "EBADMSG"
    assert refusal(held, f"{server}/short") == "EIO"
    assert not (tmp_path / "state" / "sources").exists()


def test_the_digest_of_a_file_of_the_host_is_not_told(tmp_path: Path) -> None:
    """A message travels; it must not help to guess what a private file holds."""
    (tmp_path / "f").write_bytes(b"other")
    with pytest.raises(PortError) as caught:
        store(tmp_path).fetch(f"file://{tmp_path}/f", DIGEST)
    assert hashlib.sha256(b"other").hexdigest() not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://localhost/a", "EACCES"),
        ("data:,x", "EACCES"),
        ("/etc/motd", "EACCES"),
        ("file://elsewhere/etc/motd", "EINVAL"),
        ("file:///nonexistent/a", "ENOENT"),
        ("file:///etc/../etc/motd", "EINVAL"),
        ("http://name:secret@localhost/a", "EINVAL"),
        ("http://localhost:x/a", "EINVAL"),
        ("http://localhost/a\r\nX: y", "EINVAL"),
        ("http:///a", "EINVAL"),
        (f"artifact:{EMPTY}", "EINVAL"),
        (f"artifact:{DIGEST}", "ENOENT"),
    ],
)
def test_an_address_that_is_none_is_refused(tmp_path: Path, url: str, code: str) -> None:
    assert refusal(store(tmp_path), url) == code


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", DIGEST.upper(), DIGEST[:-1]])
def test_only_a_digest_names_content(tmp_path: Path, digest: str) -> None:
    """It becomes the name of a file."""
    assert refusal(store(tmp_path), "file:///etc/hostname", digest) == "EINVAL"


def test_redirects_are_followed_within_their_scheme_and_not_for_ever(
    tmp_path: Path, server: str
) -> None:
    """What leads to another scheme is refused, and so is what leads nowhere."""
    held = store(tmp_path)
    assert refusal(held, f"{server}/to/file:///etc/hostname") == "EACCES"
    assert refusal(held, f"{server}/to/https://127.0.0.1/") == "EACCES"
    assert refusal(held, f"{server}/to/" * 6 + "/a") == "ELOOP"
    assert refusal(held, f"{server}/gone") == "EIO"
    assert held.fetch(f"{server}/to/{server}/a", DIGEST) == GOOD


def test_what_is_too_large_or_too_slow_is_given_up(tmp_path: Path, server: str) -> None:
    """A server decides neither how much memory we take nor how long we wait."""
    small = store(tmp_path, SourcePolicy(limit=199_999))
    assert refusal(small, f"{server}/a") == "EFBIG"
    (tmp_path / "f").write_bytes(GOOD)
    assert refusal(small, f"file://{tmp_path}/f") == "EFBIG"
    assert refusal(store(tmp_path, SourcePolicy(whole=0.2)), f"{server}/slow") == "ETIMEDOUT"
    assert refusal(store(tmp_path, SourcePolicy(silence=0.2)), f"{server}/slow") == "EIO"


def test_a_scheme_that_the_policy_leaves_out_is_refused(tmp_path: Path, server: str) -> None:
    """Even for what the cache holds, for the policy is about the address."""
    held = store(tmp_path, SourcePolicy(("https",)))
    held.put(GOOD)
    assert refusal(held, f"{server}/a") == "EACCES"


def test_a_cancelled_download_ends(tmp_path: Path, server: str) -> None:
    held = LinuxSources(tmp_path / "s", LinuxFiles(), cancelled=lambda: True)
    assert refusal(held, f"{server}/a") == "ECANCELED"


def test_an_artifact_comes_from_whoever_can_bring_it(tmp_path: Path) -> None:
    """And it is checked like all else."""
    asked: list[str] = []

    def bring(sha256: str) -> bytes | None:
        asked.append(sha256)
        return GOOD if sha256 == DIGEST else b"forged"

    held = LinuxSources(tmp_path / "s", LinuxFiles(), artifacts=bring)
    assert held.fetch(f"artifact:{DIGEST}", DIGEST) == GOOD
    assert refusal(held, f"artifact:{EMPTY}", EMPTY) == "EBADMSG"
    assert asked == [DIGEST, EMPTY]


def test_the_cache_forgets_what_was_unused_the_longest(tmp_path: Path) -> None:
    """It never holds more than its share of the disk."""
    held = store(tmp_path, SourcePolicy(cache=25))
    names = [held.put(bytes([number]) * 10) for number in range(2)]
    for age, name in enumerate(reversed(names)):
        os.utime(tmp_path / "state" / "sources" / name, (age, age))
    new = held.put(b"n" * 10)
    left = {path.name for path in (tmp_path / "state" / "sources").iterdir()}
    assert left == {names[0], new}
