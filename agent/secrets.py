"""Secrets that were sealed to this host: checked, kept sealed, opened in memory when needed.

What is on disk is what came over the link: documents, ciphertext and keys wrapped for this host.
The signed document decides; what the coordinator says of a secret counts for nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime

import msgspec

from agent.clock import Clock
from agent.database import Database, Tx
from agent.trust import Trust
from protocol import authority, secrets
from protocol.authority import Work
from protocol.errors import DecodeError
from protocol.reasons import Reason, Refused
from protocol.sealing import SealingKey
from protocol.secrets import MAX_OFFERED, SealedSecret, SecretDocument
from state_engine.model import Snapshot
from state_engine.ports import PortError
from state_engine.references import (
    Reference,
    SecretValue,
    Unavailable,
    fingerprinted,
    references_in,
)

Known = dict[str, SecretValue | Unavailable]

_encode = msgspec.msgpack.Encoder().encode
_sealed: msgspec.msgpack.Decoder[SealedSecret] = msgspec.msgpack.Decoder(SealedSecret)


class Secrets:
    """The sealed secrets in the host's database, and the key that opens them."""

    def __init__(
        self,
        database: Database,
        trust: Trust,
        *,
        node_id: str,
        key: SealingKey,
        fingerprint_key: bytes,
        clock: Clock,
    ) -> None:
        self._database = database
        self._trust = trust
        self._node_id = node_id
        self._key = key
        self._fingerprint_key = fingerprint_key
        self._clock = clock

    def take(self, offered: tuple[SealedSecret, ...]) -> Known | Refused:
        """Check what came with a step, store it, and return it as modules are resolved with it.

        Nothing is stored of an offer in which one secret is not as it was signed, is older than
        what this host has seen, or is not for this host.

        Raises:
            StorageError: the disk is full or broken.
        """
        if len(offered) > MAX_OFFERED:
            text = f"{len(offered)} secrets at once; at most {MAX_OFFERED}"
            return Refused(Reason.SECRET_INVALID, text)
        documents: list[SecretDocument] = []
        for sealed in offered:
            found = self._verified(sealed)
            if isinstance(found, Refused):
                return found
            documents.append(found)
        if len({document.name for document in documents}) != len(documents):
            # The last of them would be remembered, and take back what the others have raised.
            return Refused(Reason.SECRET_INVALID, "one secret came twice")

        def job(tx: Tx) -> Refused | None:
            for document in documents:
                refused = _older(tx, document)
                if refused is not None:
                    return refused
            for document, sealed in zip(documents, offered, strict=True):
                _store(tx, document, sealed)
            return None

        refused = self._database.write(job) if offered else None
        if refused is not None:
            return refused
        return {
            document.name: self._opened(document, sealed)
            for document, sealed in zip(documents, offered, strict=True)
        }

    def reveal(self, name: str, version: int) -> str:
        """Return a secret's value, opened for this call and kept nowhere.

        Raises:
            PortError: this host does not hold that version, or cannot open it.
        """
        sealed = self._database.read(lambda tx: _load(tx, name, version))
        if sealed is None:
            raise PortError(f"secret {name} v{version} is not held by this host", "ENOKEY")
        try:
            return self._open(secrets.decode(sealed.envelope), sealed)
        except DecodeError as error:
            raise PortError(f"secret {name} v{version}: {error}", "ENOKEY") from error

    def any(self) -> bool:
        """Say whether this host holds any secret."""
        found = self._database.read(
            lambda tx: tx.execute("SELECT 1 FROM secrets LIMIT 1").fetchone()
        )
        return found is not None

    def prune(self, tx: Tx, snapshot: Snapshot) -> None:
        """Destroy the versions that nothing on this host refers to any more, but each newest."""
        used: set[tuple[str, int]] = set()
        for applied in snapshot.applied:
            if applied.resource.sensitive:
                named = references_in(applied.resource.spec)
                used.update((reference.name, reference.version) for reference in named)
        rows: list[tuple[str, int]] = tx.execute(
            "SELECT name, version FROM secrets WHERE version <"
            " (SELECT version FROM secrets_seen WHERE secrets_seen.name = secrets.name)"
        ).fetchall()
        for row in rows:
            if row not in used:
                tx.execute("DELETE FROM secrets WHERE name=? AND version=?", row)

    def _verified(self, sealed: SealedSecret) -> SecretDocument | Refused:
        trusted = self._trust.roster
        if trusted is None:
            return Refused(Reason.ROSTER_UNKNOWN, "no roster has been verified on this host")
        found = secrets.verify(sealed.envelope, trusted.roster)
        if isinstance(found, Refused):
            return found
        document = found.document
        if document.scope != self._trust.scope:
            text = f"secret {document.name} belongs to the scope {document.scope!r}"
            return Refused(Reason.SECRET_INVALID, text)
        tags = self._trust.tags
        # What a module makes of a secret is a change of state: whoever may not change this host
        # gives it no values, nor takes those of others away with a higher number.
        work = Work("state.apply", self._trust.scope, tags)
        able = authority.deciders(found.signers, trusted.roster, work)
        if isinstance(able, Refused):
            return Refused(able.reason, f"secret {document.name}: {able.detail}")
        unknown = tags is None and bool(document.restriction.tags)
        if unknown or not secrets.allows(document.restriction, self._node_id, tags or {}):
            text = f"secret {document.name} is restricted to other hosts"
            return Refused(Reason.SECRET_FORBIDDEN, text)
        if secrets.digest_of(sealed.ciphertext) != document.ciphertext:
            text = f"secret {document.name}: the sealed bytes are not the signed ones"
            return Refused(Reason.SECRET_INVALID, text)
        return document

    def _opened(self, document: SecretDocument, sealed: SealedSecret) -> SecretValue | Unavailable:
        name, expires = document.name, document.expires_at
        if expires is not None and expires <= self._clock():
            when = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%d %H:%M UTC")
            return Unavailable(f"expired at {when}", f"standfast secrets set {name}")
        try:
            value = self._open(document, sealed)
        except DecodeError:
            hint = f"standfast secrets reseal {name}"
            return Unavailable("is not sealed to this host's key", hint)
        return SecretValue(self._reference(document, value), value)

    def _open(self, document: SecretDocument, sealed: SealedSecret) -> str:
        return secrets.open_value(
            document, sealed.ciphertext, sealed.wrapped, self._key, self._node_id
        )

    def _reference(self, document: SecretDocument, value: str) -> Reference:
        message = fingerprinted(document.name, document.version, value)
        mark = hmac.new(self._fingerprint_key, message, hashlib.sha256).hexdigest()
        return Reference(document.name, document.version, mark)


def _older(tx: Tx, document: SecretDocument) -> Refused | None:
    """Return why a document may not follow what this host has seen of the secret, or None."""
    query = "SELECT version, revision, ciphertext FROM secrets_seen WHERE name=?"
    seen: tuple[int, int, str] | None = tx.execute(query, (document.name,)).fetchone()
    if seen is None:
        return None
    version, revision, ciphertext = seen
    offered = f"secret {document.name}: version {document.version}.{document.revision}"
    if (document.version, document.revision) < (version, revision):
        text = f"{offered} offered, {version}.{revision} seen"
        return Refused(Reason.SECRET_ROLLBACK, text)
    if document.version == version and document.ciphertext != ciphertext:
        return Refused(Reason.SECRET_INVALID, f"{offered} came with another value before")
    return None


def _store(tx: Tx, document: SecretDocument, sealed: SealedSecret) -> None:
    tx.execute(
        "INSERT OR REPLACE INTO secrets_seen VALUES (?, ?, ?, ?)",
        (document.name, document.version, document.revision, document.ciphertext),
    )
    tx.execute(
        "INSERT OR REPLACE INTO secrets VALUES (?, ?, ?)",
        (document.name, document.version, _encode(sealed)),
    )


def _load(tx: Tx, name: str, version: int) -> SealedSecret | None:
    query = "SELECT sealed FROM secrets WHERE name=? AND version=?"
    row: tuple[bytes] | None = tx.execute(query, (name, version)).fetchone()
    return None if row is None else _sealed.decode(row[0])
