"""What this operator has seen signed of each secret: no coordinator goes back behind it.

Documents hold no values. What follows from one, and for whom is sealed, is `setting` and `sealing`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from client.failures import ClientError, UntrustedError
from client.private_files import read_private, replace_private
from protocol.errors import MALFORMED
from protocol.secrets import SecretDocument

if TYPE_CHECKING:
    from client.session import Session

# A private file holds 1 MiB: this many documents of 500 bytes fit it by half. Beyond it, those that
# restrict nothing give way first: to forget one of them widens nobody's reach.
MAX_DOCUMENTS = 1_000


class Seen(msgspec.Struct, frozen=True):
    """The newest document of each secret, by its name."""

    documents: dict[str, SecretDocument] = {}


def path_of(session: Session) -> Path:
    """Return where the memory of a coordinator lies."""
    return session.directory / "secrets" / f"{session.profile.name}.json"


def recall(session: Session, name: str) -> SecretDocument | None:
    """Return the newest document that was seen of a secret, None if none was.

    Raises:
        ClientError: the file cannot be read; it is never silently replaced.
    """
    return _load(session).documents.get(name)


def check(session: Session, document: SecretDocument, limit: int = MAX_DOCUMENTS) -> None:
    """Remember a document whose signature holds, unless it is not newer than what was seen.

    At most `limit` are kept.

    Raises:
        UntrustedError: it is older, or another one under the number that was seen.
        ClientError: the file cannot be read or written.
    """
    seen = _load(session)
    held = seen.documents.get(document.name)
    if held == document:
        return
    if held is not None and _number(document) <= _number(held):
        text = (
            f"secret {document.name}: version {_text(document)} is shown, and version"
            f" {_text(held)} was signed before, as this machine remembers"
        )
        raise UntrustedError(
            text,
            next_command=f"was the coordinator restored from a backup? then: rm {path_of(session)}",
            code="secret_rollback",
        )
    documents = {**seen.documents, document.name: document}
    replace_private(path_of(session), msgspec.json.encode(Seen(_bounded(documents, limit))))


def _number(document: SecretDocument) -> tuple[int, int]:
    return document.version, document.revision


def _text(document: SecretDocument) -> str:
    return f"{document.version}.{document.revision}"


def _bounded(documents: dict[str, SecretDocument], limit: int) -> dict[str, SecretDocument]:
    if len(documents) <= limit:
        return documents
    open_to_all = (name for name, one in documents.items() if not _restricts(one))
    leaving = next(open_to_all, next(iter(documents)))
    return {name: one for name, one in documents.items() if name != leaving}


def _restricts(document: SecretDocument) -> bool:
    return bool(document.restriction.tags or document.restriction.node_ids)


def _load(session: Session) -> Seen:
    path = path_of(session)
    data = read_private(path)
    if data is None:
        return Seen()
    try:
        return msgspec.json.decode(data, type=Seen)
    except MALFORMED as error:
        text = f"{path} is damaged: {type(error).__name__}"
        raise ClientError(text, code="secret_memory_invalid") from error
