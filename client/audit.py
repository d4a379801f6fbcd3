"""What this operator remembers of a coordinator's event log, and the comparison at each log-in.

Only signed heads are kept. Checking all lines against them is `client.audit_check`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from client.failures import NotFoundError, UntrustedError
from client.private_files import read_private, replace_private
from protocol import audit_heads, dsse
from protocol.api_audit import AuditHead
from protocol.audit_heads import Contradiction, Head
from protocol.errors import DecodeError
from protocol.handshake import follow_rotations

if TYPE_CHECKING:
    from client.api import Api
    from client.profiles import Profile
    from client.render.output import Output

# Heads that are kept of one coordinator: 256 of 700 bytes. Every second older one gives way.
MAX_HEADS = 256


class Visit(Protocol):
    """A command's visit to one coordinator, as far as its event log is concerned."""

    @property
    def directory(self) -> Path:
        """Where this operator's memory lies."""
        ...

    @property
    def profile(self) -> Profile:
        """The coordinator, as it is pinned."""
        ...

    @property
    def api(self) -> Api:
        """Its API."""
        ...

    @property
    def out(self) -> Output:
        """What a person sees."""
        ...

    def now(self) -> float:
        """The time, in seconds since the epoch."""
        ...


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Signed heads of one coordinator key, oldest first; each was verified when it came."""

    coordinator_key: str
    heads: tuple[dsse.Envelope, ...] = ()

    def newest(self) -> Head | None:
        """Return the newest head, None before the first."""
        return audit_heads.decode(self.heads[-1]) if self.heads else None

    def all(self) -> tuple[Head, ...]:
        """Return the heads, oldest first."""
        return tuple(map(audit_heads.decode, self.heads))

    def plus(self, envelope: dsse.Envelope) -> Memory:
        """Return the memory with a newer head."""
        heads = (*self.heads, envelope)
        if len(heads) > MAX_HEADS:
            half = len(heads) // 2
            heads = (*heads[:half:2], *heads[half:])
        return Memory(self.coordinator_key, heads)


def load(directory: Path, profile: Profile) -> Memory:
    """Return what is remembered of a profile's coordinator; a damaged file counts as none."""
    data = read_private(_path(directory, profile))
    empty = Memory(profile.coordinator_key)
    if data is None:
        return empty
    try:
        held = msgspec.json.decode(data, type=Memory)
        held.all()
    except (msgspec.MsgspecError, DecodeError):
        return empty
    return held


def forget(directory: Path, profile: Profile) -> int:
    """Forget the heads and the proof of a profile, and return how many heads there were."""
    held = load(directory, profile)
    for path in (_path(directory, profile), proof_path(directory, profile)):
        path.unlink(missing_ok=True)
    return len(held.heads)


def proof_path(directory: Path, profile: Profile) -> Path:
    """Return where the proof of a contradiction is kept."""
    return directory / "audit" / f"{profile.name}.proof.json"


def ask(session: Visit, held: Memory) -> AuditHead:
    """Return what the coordinator signs about its log now.

    Raises:
        NotFoundError: it is of a version without signed heads.
    """
    newest = held.newest()
    params = {"known": str(newest.seq)} if newest is not None else {}
    return session.api.ask("GET", "/audit/head", AuditHead, params=params)


def watch(session: Visit) -> None:
    """Compare the coordinator's log with what is remembered, and remember its head.

    Raises:
        UntrustedError: it contradicts what it signed before; the proof is on disk.
    """
    profile = session.profile
    held = load(session.directory, profile)
    try:
        shown = ask(session, held)
    except NotFoundError:
        if held.heads:
            session.out.note(f"{profile.url} signs its event log no longer; it did before")
        return
    found = judge(held, shown, trusted(session, held, shown))
    if found is not None:
        path = write_proof(session, held, shown, (found.message,))
        raise contradicted(profile, found.message, found.code, path)
    remember(session, held, shown)


def trusted(session: Visit, held: Memory, shown: AuditHead) -> frozenset[str]:
    """Return the coordinator's keys: the pinned one, and those that named it their successor."""
    envelopes = (*shown.tombstones, *([shown.head] if shown.head is not None else []))
    pinned = session.profile.coordinator_key
    known = frozenset({pinned, *(head.coordinator_key for head in held.all())})
    if all(key_of(one) in known for one in envelopes):
        return known
    return known | leading_to(pinned, map(key_of, envelopes), session.api.status().rotations)


def leading_to(
    pinned: str, keys: Iterable[str], rotations: tuple[dsse.Envelope, ...]
) -> frozenset[str]:
    """Return those of the keys (hex) which statements of rotation connect with the pinned one.

    That is: older ones that lead to it, and its own successor. A log-in from before a change goes
    on after it, so the pin may be the older key.
    """
    successor = follow_rotations(bytes.fromhex(pinned), rotations).hex()
    return frozenset(
        key
        for key in keys
        if key
        and (key == successor or follow_rotations(bytes.fromhex(key), rotations).hex() == pinned)
    )


def key_of(envelope: dsse.Envelope) -> str:
    """Return the coordinator key that a statement says it is signed with, "" if it is none."""
    try:
        return audit_heads.decode(envelope).coordinator_key
    except DecodeError:
        return ""


def judge(held: Memory, shown: AuditHead, keys: Collection[str]) -> Contradiction | None:
    """Say how what is shown contradicts what is remembered, None if it does not.

    Raises:
        UntrustedError: what is shown is not signed by the coordinator.
    """
    newest = held.newest()
    if shown.head is None:
        if newest is None:
            return None
        return Contradiction(
            "audit_rolled_back", f"the event log has no line {newest.seq} any more"
        )
    head = checked(shown.head, keys)
    if newest is None:
        return None
    found = audit_heads.contradiction(newest, head)
    if found is not None:
        return found
    # Grown again after it was cut: its own word for the line that we remember gives it away.
    line = shown.known.hash if shown.known is not None and shown.known.seq == newest.seq else None
    pruned = [checked(one, keys).seq for one in shown.tombstones]
    if line is None and newest.seq <= max(pruned, default=0):
        return None
    if line != newest.hash:
        return Contradiction(
            "audit_forked", f"line {newest.seq} of the event log is not the one that was signed"
        )
    return None


def checked(envelope: dsse.Envelope, keys: Collection[str]) -> Head:
    """Return a statement that one of the coordinator's keys signed.

    Raises:
        UntrustedError: it did not.
    """
    try:
        return audit_heads.read(envelope, keys)
    except DecodeError as error:
        raise UntrustedError(
            f"the head of the audit log does not hold: {error}",
            next_command="standfast status",
            code="audit_head_invalid",
        ) from error


def remember(session: Visit, held: Memory, shown: AuditHead) -> None:
    """Keep the head that was shown, if it is newer."""
    newest = held.newest()
    if shown.head is None or (
        newest is not None and audit_heads.decode(shown.head).seq <= newest.seq
    ):
        return
    kept = Memory(session.profile.coordinator_key, held.heads).plus(shown.head)
    replace_private(_path(session.directory, session.profile), msgspec.json.encode(kept))


def write_proof(session: Visit, held: Memory, shown: AuditHead, messages: tuple[str, ...]) -> Path:
    """Keep on disk what contradicts each other, and return where."""
    path = proof_path(session.directory, session.profile)
    proof = {
        "at": int(session.now()),
        "url": session.profile.url,
        "coordinator_key": session.profile.coordinator_key,
        "messages": messages,
        "shown": shown,
        "remembered": held.heads[-1:],
    }
    replace_private(path, msgspec.json.format(msgspec.json.encode(proof), indent=2) + b"\n")
    return path


def contradicted(profile: Profile, message: str, code: str, path: Path) -> UntrustedError:
    """Return the error for a log that contradicts what was signed."""
    return UntrustedError(
        f"the audit log of {profile.url} contradicts itself: {message}",
        where=f"proof: {path}",
        next_command="standfast audit verify --live; if you restored it yourself:"
        " standfast audit accept",
        code=code,
    )


def _path(directory: Path, profile: Profile) -> Path:
    return directory / "audit" / f"{profile.name}.json"
