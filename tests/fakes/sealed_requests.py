"""Requests that bring secrets to a coordinator, as an operator's client makes them."""

from __future__ import annotations

import base64

import msgspec

from protocol import ids, keys, secrets
from protocol.api_secrets import CreateSecretRequest, SealedBody
from protocol.secrets import Restriction, SecretDocument
from tests.fakes.api_site import operator_key

WRAPPED = b"w" * 80
NODE = ids.node_id(b"n" * 32)


def body(
    name: str = "db",
    value: str = "correct horse",
    *,
    version: int = 1,
    revision: int = 1,
    signer: keys.SigningKey | None = None,
    recipients: tuple[str, ...] = (NODE,),
    restriction: Restriction | None = None,
    expires_at: int | None = None,
    scope: str = ids.DEFAULT_SCOPE,
) -> SealedBody:
    """A sealed version signed by ada, with keys for some recipients."""
    key = signer or operator_key("ada")
    draft = SecretDocument(
        1,
        scope,
        name,
        version,
        revision,
        "0" * 64,
        restriction or Restriction(),
        ids.operator_id(key.public),
        10,
        expires_at,
    )
    document, ciphertext, _ = secrets.seal(draft, value)
    return SealedBody(
        secrets.sign(document, key),
        base64.b64encode(ciphertext).decode(),
        {one: base64.b64encode(WRAPPED).decode() for one in recipients},
    )


def again(sealed: SealedBody, **changes: object) -> SealedBody:
    """The same value under a document with changes, signed by ada."""
    document = msgspec.structs.replace(secrets.decode(sealed.envelope), **changes)
    return SealedBody(secrets.sign(document, operator_key("ada")), "", sealed.wraps)


def creation(name: str = "db", **parts: object) -> CreateSecretRequest:
    """The request that makes a secret."""
    return CreateSecretRequest(name, sealed=body(name, **parts))  # type: ignore[arg-type]
