"""Changing one's own key: the old one signs the new one, and the roster names it in its place.

Until the roster names the new key both files lie side by side, and the old one still signs.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

import msgspec

from client import operator_key
from client.failures import AuthError, BadUsageError
from client.roster_edits import following
from client.session import Session
from protocol import dsse, handshake, ids, sealing
from protocol.errors import DecodeError
from protocol.keys import SigningKey
from protocol.roster import Roster, RosterOperator, TrustedRoster

NEXT_FILE = "operator.key.next"


def next_key(directory: Path) -> SigningKey:
    """Return the new key of a change that has begun, making it at first."""
    path = directory / NEXT_FILE
    if not path.exists():
        operator_key.store_file(path, SigningKey.generate())
    return operator_key.load_file(path)


def has_begun(directory: Path) -> bool:
    """Say whether a new key waits to take the old one's place."""
    return (directory / NEXT_FILE).exists()


def finish(session: Session) -> bool:
    """Put the new key in the old one's place once the roster names it; say whether it does.

    The roster says it, not the coordinator: else that could take the key away that still signs.
    """
    old, new = session.key, next_key(session.directory)
    session.act_with(new)
    try:
        named = session.trusted().roster.find(ids.operator_id(new.public)) is not None
    except AuthError:
        named = False
    if named:
        (session.directory / NEXT_FILE).replace(operator_key.key_path(session.directory))
    else:
        session.act_with(old)
    return named


def replaced(
    trusted: TrustedRoster, old: RosterOperator, public: bytes, sealing_key: str, now: float
) -> Roster:
    """Return the next version in which one operator has another key and is otherwise the same."""
    new = msgspec.structs.replace(
        old,
        operator_id=ids.operator_id(public),
        public_key=public.hex(),
        sealing_key=sealing_key,
    )
    operators = (new if one == old else one for one in trusted.roster.operators)
    return following(trusted, tuple(operators), now)


def statement(old: SigningKey, new: SigningKey, at: float) -> str:
    """Return one line by which the old key names the new one, to be given to an admin."""
    envelope = handshake.rotation(old, new.public, int(at))
    public = sealing.operator_key(new.seed()).public.hex()
    data = msgspec.json.encode([dsse.encode(envelope).decode(), public])
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def read_statement(text: str, old: RosterOperator) -> tuple[bytes, str]:
    """Return the new public key that an operator's old key has named, and its sealing key.

    Raises:
        BadUsageError: it is no statement, or not by this operator's key.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        signed, sealing_key = msgspec.json.decode(data, type=tuple[str, str])
        envelope = dsse.decode(signed.encode())
        ids.check_hex64(sealing_key, "the sealing key")
    except (binascii.Error, ValueError, DecodeError, msgspec.MsgspecError) as error:
        raise BadUsageError(
            f"this is no statement of a new key: {error}",
            next_command="standfast operator rotate, on their machine, prints it",
            code="statement_invalid",
        ) from error
    held = bytes.fromhex(old.public_key)
    new = handshake.follow_rotations(held, (envelope,))
    if new == held:
        raise BadUsageError(
            f"the key of {old.username} has not named another one in this statement",
            code="statement_foreign",
        )
    return new, sealing_key
