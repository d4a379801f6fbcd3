"""Bodies of the API's secrets family. No answer holds a value, sealed or not, but to its readers.

Field names are those of the published interface, with ours added.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from protocol import dsse
from protocol.secrets import Restriction


class SealedBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A version sealed by the operator's client: the signed document, ciphertext, wrapped keys.

    `ciphertext` and the keys are base64; `wraps` maps node ids and operator ids to wrapped keys.
    `ciphertext` is "" where the value stays and only restriction or expiry is signed anew.
    """

    envelope: dsse.Envelope
    ciphertext: str = ""
    wraps: dict[str, str] = {}


class CreateSecretRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /secrets: `sealed` by the client; a plain `value` only where the coordinator takes it.

    `expires_at` and `restriction` go with a plain value; a sealed one has them in its document.
    """

    name: str
    value: str | None = None
    description: str | None = None
    expires_at: str | None = None
    restriction: Restriction | None = None
    sealed: SealedBody | None = None

    def __repr__(self) -> str:
        return f"CreateSecretRequest(name={self.name!r})"


class UpdateSecretRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """PUT /secrets/{name}: what is absent stays; `description` and `expires_at` null are cleared.

    A new value, and each change of `expires_at`, comes signed in `sealed`.
    """

    value: str | None = None
    description: str | UnsetType | None = UNSET
    expires_at: str | UnsetType | None = UNSET
    sealed: SealedBody | None = None

    def __repr__(self) -> str:
        return "UpdateSecretRequest()"


class RestrictSecretRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /secrets/{name}/restriction: the same value under a newly signed restriction."""

    sealed: SealedBody


class WrapsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /secrets/{name}/wraps: the key of a version wrapped for more recipients, in base64."""

    version: int
    wraps: dict[str, str]


class SecretHost(msgspec.Struct, frozen=True):
    """One host and a secret: whether it is sealed to it, and the version it was given last."""

    node_id: str
    name: str | None = None
    sealed: bool = False
    delivered_version: int = 0
    pending: bool = False


class Secret(msgspec.Struct, frozen=True):
    """A secret's description; never its value. Times are RFC 3339."""

    name: str
    created_at: str
    created_by: str
    updated_at: str
    updated_by: str
    description: str | None = None
    restriction: Restriction | None = None
    expires_at: str | None = None
    version: int = 1
    revision: int = 1
    scope: str = ""
    recipients: int = 0
    expired: bool = False


class SecretDetail(Secret, frozen=True):
    """One secret with its signed document, who can open it, and where it is used."""

    envelope: dsse.Envelope | None = None
    sealed_to: tuple[str, ...] = ()
    hosts: tuple[SecretHost, ...] = ()


class SealedCopy(msgspec.Struct, frozen=True):
    """GET /secrets/{name}/sealed: what the caller needs to wrap the key for others; base64."""

    envelope: dsse.Envelope
    ciphertext: str
    wrapped: str | None = None


class Recipient(msgspec.Struct, frozen=True):
    """One approved host as a recipient; the client believes none of it without its signatures.

    `sealing_sig` is by the identity key `public_key` (hex) over `sealing_key`; `statement` is what
    an operator signed about the host when it was let in.
    """

    node_id: str
    name: str | None
    public_key: str
    sealing_key: str
    sealing_sig: str
    statement: dsse.Envelope | None = None
