"""Doing a change once: the answer to an `Idempotency-Key` is kept in the transaction of the change.

A kept answer may hold a secret (an enrolment key is shown once), so it is encrypted under the
client's own key, which is not stored: the database alone cannot read it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal, invalid
from coordinator.store import idempotency
from coordinator.store.database import Tx

T = TypeVar("T")
MAX_KEY = 255
# Every stored answer has its own encryption key, so the nonce has nothing to tell apart.
_NONCE = b"\x00" * 12


def once(
    tx: Tx,
    actor: Actor,
    key: str | None,
    request: bytes,
    job: Callable[[Tx], T | Refusal],
    kind: type[T],
) -> T | Refusal:
    """Do a job, or return the answer it gave before under the same key to the same request.

    `request` is method, path and body. A refusal is not kept: nothing was done, so trying again
    with the same key is right.
    """
    if key is None:
        return job(tx)
    if not 1 <= len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
        message = f"Idempotency-Key must be 1 to {MAX_KEY} printable ASCII characters"
        return invalid("Idempotency-Key", message)
    name = hashlib.sha256(b"standfast/idempotency/v1\x00" + key.encode()).hexdigest()
    digest = hashlib.sha256(request).hexdigest()
    kept = idempotency.find(tx, actor.operator_id, name)
    if kept is not None:
        if kept.request != digest:
            return Refusal("conflict", "this Idempotency-Key was used for another request")
        return msgspec.json.decode(_cipher(key, digest).decrypt(_NONCE, kept.body, None), type=kind)
    result = job(tx)
    if not isinstance(result, Refusal):
        body = _cipher(key, digest).encrypt(_NONCE, msgspec.json.encode(result), None)
        idempotency.keep(tx, actor.operator_id, name, idempotency.Answer(digest, 0, {}, body))
    return result


def _cipher(key: str, digest: str) -> ChaCha20Poly1305:
    derived = HKDF(
        algorithm=hashes.SHA256(),
        length=32,
        salt=bytes.fromhex(digest),
        info=b"standfast/idempotency/v1",
    ).derive(key.encode())
    return ChaCha20Poly1305(derived)
