"""Changing the coordinator's key: the old one signs its successor, and every statement is kept.

Hosts and clients that pinned an older key follow the statements (`protocol.handshake`), so nobody
has to be told by hand. The old key is gone from the disk afterwards: whoever finds it in a backup
can name another successor to those who have not met the new one yet, and to nobody else.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from coordinator import identity
from coordinator.identity import IdentityError
from protocol import dsse, handshake
from protocol.errors import MALFORMED
from protocol.handshake import MAX_ROTATIONS
from protocol.keys import SigningKey

ROTATIONS_FILE = "rotations.json"
NEXT_FILE = "coordinator.key.next"


def statements(directory: Path) -> tuple[dsse.Envelope, ...]:
    """Return every statement by which a key of this coordinator named its successor, oldest first.

    Raises:
        IdentityError: the file is damaged.
    """
    path = directory / ROTATIONS_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[dsse.Envelope, ...])
    except FileNotFoundError:
        return ()
    except MALFORMED as error:
        raise IdentityError(f"{path} is damaged ({error}): restore it from a backup") from error


def rotate(directory: Path, now: float) -> SigningKey:
    """Replace the signing key and return the new one; a coordinator that runs keeps the old one.

    Cut off at any point, either the old key with its statements stands, or the new one with its
    own: `complete` brings a half-done change to its end.

    Raises:
        IdentityError: there is no key, or there were too many changes.
    """
    complete(directory)
    old = identity.load_key(directory)
    held = statements(directory)
    if len(held) >= MAX_ROTATIONS:
        raise IdentityError(
            f"the key was changed {MAX_ROTATIONS} times, and hosts follow no more statements: "
            "make a new coordinator and enrol the hosts there"
        )
    new = SigningKey.generate()
    identity.write_secret(directory / NEXT_FILE, new.seed().hex().encode() + b"\n")
    made = handshake.rotation(old, new.public, int(now))
    # From here on the change is decided: the statement stands, and `complete` carries it out.
    _replace(directory / ROTATIONS_FILE, msgspec.json.encode((*held, made)))
    complete(directory)
    return new


def complete(directory: Path) -> None:
    """Bring a change that was cut off to its end, or take it back if it was not decided yet.

    Raises:
        IdentityError: a file is damaged.
    """
    path = directory / NEXT_FILE
    if not path.exists():
        return
    try:
        new = identity.read_key(path)
    except IdentityError:
        # Half a key was never the successor of anything.
        path.unlink()
        return
    old = identity.load_key(directory)
    if handshake.follow_rotations(old.public, statements(directory)) == new.public:
        path.replace(directory / identity.KEY_FILE)
        identity.sync(directory)
    else:
        path.unlink()


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f"{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    identity.sync(path.parent)
