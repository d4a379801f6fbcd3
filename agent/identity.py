"""Who this host is: its Ed25519 identity and X25519 sealing key, made once and never rewritten.

The private halves leave this module only inside `SigningKey` and `SealingKey`, which print nothing.
"""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Literal

import msgspec

from agent.files import StateDirectoryError, create_private, read_small
from protocol import ids
from protocol.errors import InvalidName
from protocol.keys import SigningKey
from protocol.sealing import SealingKey

FILE = "identity.key"


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    v: Literal[1]
    identity: str
    sealing: str


class Identity:
    """The host's keys; `node_id` follows from the public half of the identity key.

    Only a host that was installed anew under its old id has another (`renamed`).
    """

    __slots__ = ("key", "node_id", "sealing")

    def __init__(self, identity_seed: bytes, sealing_seed: bytes) -> None:
        self.key = SigningKey(identity_seed)
        self.node_id = ids.node_id(self.key.public)
        self.sealing = SealingKey(sealing_seed)

    def renamed(self, node_id: str) -> Identity:
        """Return the same keys under the id that an operator gave them; "" is their own."""
        other = copy.copy(self)
        other.node_id = node_id or self.node_id
        return other

    @property
    def sealing_public(self) -> bytes:
        """The public half of the key that secrets are sealed to."""
        return self.sealing.public

    @property
    def fingerprint(self) -> str:
        """The short form of the identity key that people compare."""
        return ids.fingerprint(self.key.public)

    def __repr__(self) -> str:
        return f"Identity(node_id={self.node_id})"


def load(state_dir: Path) -> Identity | None:
    """Return the identity in a state directory, or None if none was made yet.

    Raises:
        StateDirectoryError: the file is damaged or readable by others.
    """
    path = state_dir / FILE
    data = read_small(path)
    if data is None:
        return None
    if path.stat().st_mode & 0o077:
        raise StateDirectoryError(f"{path} can be read by others; chmod 0600 it and think why")
    try:
        stored = msgspec.json.decode(data, type=_Stored)
        return Identity(
            ids.check_hex64(stored.identity, "identity"), ids.check_hex64(stored.sealing, "sealing")
        )
    except (msgspec.MsgspecError, InvalidName) as error:
        raise StateDirectoryError(
            f"{path} is damaged ({error}). Put it back from a copy; or remove it, and this host"
            " becomes a new one that must be enrolled again"
        ) from error


def load_or_create(state_dir: Path) -> Identity:
    """Return the host's identity, making it durably at the first start.

    Raises:
        StateDirectoryError: it cannot be written, is damaged or readable by others.
    """
    found = load(state_dir)
    if found is not None:
        return found
    stored = _Stored(1, SigningKey.generate().seed().hex(), os.urandom(32).hex())
    try:
        create_private(state_dir / FILE, msgspec.json.encode(stored) + b"\n")
    except OSError as error:
        raise StateDirectoryError(f"{state_dir / FILE}: {error.strerror}") from error
    # Read back what is on disk: another process may have been first, and its file stands.
    made = load(state_dir)
    if made is None:
        raise StateDirectoryError(f"{state_dir / FILE} vanished while it was made")
    return made
