"""Secrets sealed to a host, as an operator's client makes them."""

from __future__ import annotations

from protocol import ids, keys, secrets
from protocol.secrets import Restriction, SealedSecret, SecretDocument

ADMIN = keys.SigningKey(b"\x01" * 32)


def sealed(
    name: str,
    value: str,
    recipient: str,
    public_key: bytes,
    *,
    signer: keys.SigningKey = ADMIN,
    version: int = 1,
    revision: int = 1,
    scope: str = ids.DEFAULT_SCOPE,
    restriction: Restriction | None = None,
    expires_at: int | None = None,
) -> SealedSecret:
    """Seal a value to one recipient, signed by `signer`."""
    draft = SecretDocument(
        1,
        scope,
        name,
        version,
        revision,
        "0" * 64,
        restriction or Restriction(),
        ids.operator_id(signer.public),
        1_700_000_000,
        expires_at,
    )
    document, ciphertext, data_key = secrets.seal(draft, value)
    wrapped = secrets.wrap_for(document, data_key, recipient, public_key)
    return SealedSecret(secrets.sign(document, signer), ciphertext, wrapped)
