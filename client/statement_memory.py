"""What this operator has seen signed about each host: no coordinator goes back behind it.

An older statement may name a key that was replaced, or tags that were taken away.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from client.failures import ClientError, UntrustedError
from client.private_files import read_private, replace_private
from protocol import node_statement
from protocol.errors import MALFORMED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from client.session import Session
    from protocol.node_statement import NodeStatement

# A private file holds 1 MiB: this many hosts of 90 bytes fit it. Beyond, the one seen first goes.
MAX_HOSTS = 10_000


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """The newest statement about one host: its version, and the beginning of its digest."""

    version: int
    digest: str


class Seen(msgspec.Struct, frozen=True):
    """The newest statement about each host, by its id."""

    hosts: dict[str, Mark] = {}


def path_of(session: Session) -> Path:
    """Return where the memory of a coordinator lies."""
    return session.directory / "statements" / f"{session.profile.name}.json"


def check(
    session: Session, shown: Mapping[str, NodeStatement | None], limit: int = MAX_HOSTS
) -> None:
    """Remember statements whose signatures hold, by host, unless one is older than what was seen.

    None is what a coordinator shows that shows nothing. At most `limit` hosts are kept, and nothing
    of this is where one is wrong.

    Raises:
        UntrustedError: one is older, another one under the version that was seen, or missing.
        ClientError: the file cannot be read or written.
    """
    seen = _load(session)
    hosts = dict(seen.hosts)
    for node_id, statement in shown.items():
        held = seen.hosts.get(node_id)
        if statement is None:
            if held is not None:
                raise _rollback(session, node_id, "nothing", held)
            continue
        digest = hashlib.sha256(node_statement.encode(statement)).hexdigest()[:32]
        mark = Mark(statement.version, digest)
        if held is not None and mark != held and mark.version <= held.version:
            raise _rollback(session, node_id, f"version {mark.version}", held)
        hosts[node_id] = mark
    if hosts != seen.hosts:
        for node_id in list(hosts)[: max(0, len(hosts) - limit)]:
            del hosts[node_id]
        replace_private(path_of(session), msgspec.json.encode(Seen(hosts)))


def _rollback(session: Session, node_id: str, shown: str, held: Mark) -> UntrustedError:
    return UntrustedError(
        f"about host {node_id} {shown} is shown, and version {held.version} was signed before, as"
        " this machine remembers",
        next_command=f"was the coordinator restored from a backup? then: rm {path_of(session)}",
        code="statement_rollback",
    )


def _load(session: Session) -> Seen:
    path = path_of(session)
    data = read_private(path)
    if data is None:
        return Seen()
    try:
        return msgspec.json.decode(data, type=Seen)
    except MALFORMED as error:
        text = f"{path} is damaged: {type(error).__name__}"
        raise ClientError(text, code="statement_memory_invalid") from error
