"""Who a process is, read from /proc while it still lives: program, user, log-in, service.

What can be read without waiting for the process is read at once, for it may end in a millisecond;
its command line waits for the lock of its memory, so that is read in a thread that may be left.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from protocol.reports import Author

# Text of one command line in a record: what fits three lines of a screen.
MAX_COMMAND = 256
MAX_EXE = 256
MAX_UNIT = 128
# Processes remembered for the events that follow: a writer is named by his first event, although
# he may be gone at his last. 256 of 1 KiB.
MAX_KNOWN = 256
# A process that is known is not read again within so many seconds: a storm of events of one writer.
FRESH_SECONDS = 0.1
# The number of a process may be another's after this time.
STALE_SECONDS = 5.0
# Nobody has logged in: (uid_t) -1.
_NOBODY = 4_294_967_295
_SECRET = re.compile(r"(?i)pass|secret|token|credential|api.?key|private.?key")
_HIDDEN = "***"


class Known(msgspec.Struct, frozen=True):
    """A process as it was read at a time of a clock that is never set."""

    at: float
    author: Author


class Processes:
    """The processes that were seen lately, by their number."""

    def __init__(self, root: str = "/proc") -> None:
        self._root = root
        self._known: dict[int, Known] = {}

    def meet(self, pid: int, now: float) -> Author:
        """Return what is known of a process, read now unless it was a moment ago."""
        known = self._known.get(pid)
        if known is not None and 0.0 <= now - known.at < FRESH_SECONDS:
            return known.author
        author = look(pid, self._root)
        if known is not None and now - known.at < STALE_SECONDS and _says_less(author, known):
            # It ends, or has ended: what was read before is the better word.
            return known.author
        self._keep(pid, Known(now, author))
        return author

    def _keep(self, pid: int, known: Known) -> None:
        self._known.pop(pid, None)
        self._known[pid] = known
        while len(self._known) > MAX_KNOWN:
            del self._known[next(iter(self._known))]

    def complete(self, author: Author) -> Author:
        """Return it with its command line, if it still is the same program; may wait for it."""
        if author.command is not None or not _has_program(author):
            return author
        text = command(author.pid, self._root)
        # Gone, or already another program: the words would be somebody else's.
        if text is None or _link(f"{self._root}/{author.pid}/exe") != author.exe:
            return author
        return msgspec.structs.replace(author, command=text)

    def remember(self, author: Author) -> None:
        """Take in what was completed, for the events that follow."""
        known = self._known.get(author.pid)
        if known is not None and known.author.exe == author.exe:
            self._known[author.pid] = Known(known.at, author)


def _says_less(author: Author, known: Known) -> bool:
    return not _has_program(author) and _has_program(known.author)


def _has_program(author: Author) -> bool:
    return author.exe is not None and not author.exe.startswith("[")


def look(pid: int, root: str = "/proc") -> Author:
    """Return what /proc tells of a process without waiting for it; its number alone if it is gone.

    0 stands for a process outside of our view, such as one of the host seen from a container.
    """
    place = f"{root}/{pid}"
    status = _read(f"{place}/status", 4_096)
    if status is None:
        return Author(pid)
    fields = dict(line.split(":\t", 1) for line in status.split("\n") if ":\t" in line)
    # A process that has ended and is not waited for yet has a name, but no program.
    name = fields.get("Name")
    exe = _link(f"{place}/exe") or (None if name is None else f"[{name}]")
    # Real, effective, saved, file system: it acts with the second.
    uids = fields.get("Uid", "").split()
    login = _number(_read(f"{place}/loginuid", 32))
    return Author(
        pid,
        exe=exe,
        uid=_number(uids[1]) if len(uids) > 1 else None,
        login_uid=None if login == _NOBODY else login,
        unit=_unit(_read(f"{place}/cgroup", 4_096)),
        # What ends in a millisecond was started by something that lives longer.
        parent=_link(f"{root}/{fields.get('PPid', '0')}/exe"),
    )


def command(pid: int, root: str = "/proc") -> str | None:
    """Return the command line, cut and with what looks like a secret hidden; None if there is none.

    It may wait for as long as the process holds the lock of its memory.
    """
    text = _read(f"{root}/{pid}/cmdline", 4 * MAX_COMMAND)
    if not text:
        return None
    words: list[str] = []
    hide = False
    for word in text.rstrip("\0").split("\0"):
        shown, hide = (_HIDDEN, False) if hide else _shown(word)
        words.append(shown)
    joined = " ".join(words)
    return joined if len(joined) <= MAX_COMMAND else joined[:MAX_COMMAND] + "…"


def _shown(word: str) -> tuple[str, bool]:
    """Return a word without the value of a secret, and whether the next word is such a value."""
    name, equals, _ = word.partition("=")
    if not _SECRET.search(name):
        return word, False
    if equals:
        return f"{name}={_HIDDEN}", False
    return word, word.startswith("-")


def named(author: Author, name: Callable[[int], str]) -> Author:
    """Return it with the names of its users; `name` may ask a directory service and take long."""
    user = None if author.uid is None else name(author.uid)
    login = None if author.login_uid is None else name(author.login_uid)
    return msgspec.structs.replace(author, user=user, login=login)


def _unit(cgroup: str | None) -> str | None:
    for line in (cgroup or "").split("\n"):
        # `number:controllers:path`: the tree of systemd has no controllers, or its own name.
        parts = line.split(":", 2)
        if len(parts) == 3 and parts[1] in {"", "name=systemd"}:
            names = [part for part in parts[2].split("/") if part.endswith((".service", ".scope"))]
            if names:
                # The outermost is the system's word. What is below it, a user's own manager or a
                # service that was handed its tree names as it likes.
                return names[0][:MAX_UNIT]
    return None


def _number(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isdecimal() else None


def _read(path: str, limit: int) -> str | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(handle, limit).decode("utf-8", "replace")
    except OSError:
        return None
    finally:
        os.close(handle)


def _link(path: str) -> str | None:
    try:
        target = Path(path).readlink()
    except OSError:
        return None
    # It may hold any byte but zero.
    return os.fsencode(target).decode("utf-8", "replace")[:MAX_EXE]
