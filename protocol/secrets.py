"""What a secret is between the parts: the signed document of one version, and its sealed bytes.

The operator who sets a secret signs the document, so the coordinator can neither make up a value
nor widen who may have it; it carries ciphertext and wrapped keys. Values exist in the client that
sealed them and, in memory, on the hosts that they are sealed to.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal

import msgspec

from protocol import canonical, dsse, ids, sealing, selectors
from protocol.canonical import Json
from protocol.errors import MALFORMED, DecodeError, InvalidName
from protocol.keys import SigningKey
from protocol.limits import MAX_DECISION_NODES
from protocol.reasons import Reason, Refused
from protocol.roster import DECIDING_ROLES, Roster

# One value: a TLS key with its chain is 10 KiB. Fourteen of the largest still fit one offer.
MAX_VALUE = 65_536
# A shorter one cannot be taken out of output without blotting out half of any text, and is guessed.
MIN_VALUE = 4
# Secrets that one offer carries: 64 of 4 KiB (sealed, with document) are a quarter of a frame.
MAX_OFFERED = 64
MAX_DESCRIPTION = 1_024
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?\Z")

_VALUE = "standfast/secret-value/v1"
_WRAP = "standfast/secret-key/v1"


class Restriction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which hosts may have a secret: all that are named and match; nothing said restricts nothing.

    `tags` is a selector over the tags that an operator has signed for a host, never those that the
    coordinator sets.
    """

    tags: str = ""
    node_ids: tuple[str, ...] = ()


class SecretDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator signs about one version of a secret.

    `version` rises with each new value, `revision` with each new restriction or expiry of the same
    value. `ciphertext` is the SHA-256 of the sealed bytes. Times are whole seconds since the epoch.
    """

    v: Literal[1]
    scope: str
    name: str
    version: int
    revision: int
    ciphertext: str
    restriction: Restriction
    created_by: str
    created_at: int
    expires_at: int | None = None


class SealedSecret(msgspec.Struct, frozen=True):
    """One secret as a host receives and keeps it: document, ciphertext, the key wrapped for it."""

    envelope: dsse.Envelope
    ciphertext: bytes
    wrapped: bytes

    def __repr__(self) -> str:
        return "SealedSecret(<sealed>)"


class Verified(msgspec.Struct, frozen=True):
    """A document whose signature holds, and who signed it."""

    document: SecretDocument
    signers: tuple[str, ...]


def check_secret_name(text: str) -> str:
    """Return the text if it can name a secret: 1 to 64 of `A-Za-z0-9._-`, ends alphanumeric.

    Raises:
        InvalidName: it cannot.
    """
    if not _NAME.match(text):
        raise InvalidName(f"secret name {text!r} must have 1 to 64 of A-Z a-z 0-9 . _ -")
    return text


def check_value(value: str) -> str | None:
    """Return why a text cannot be a secret's value, or None."""
    size = len(value.encode("utf-8", "surrogatepass"))
    if len(value.strip()) < MIN_VALUE:
        return (
            f"a secret has at least {MIN_VALUE} characters: a shorter one is guessed at once and"
            " cannot be taken out of output"
        )
    if size > MAX_VALUE:
        return f"a secret has at most {MAX_VALUE} bytes, this one {size}"
    if "\0" in value or size != len(value.encode("utf-8", "replace")):
        return "a secret is text, and this holds a NUL or half a character"
    return None


def about(scope: str, name: str, version: int) -> bytes:
    """Return what the ciphertext of a value is bound to."""
    return canonical.encode({"context": _VALUE, "name": name, "scope": scope, "version": version})


def key_info(scope: str, name: str, version: int, recipient: str) -> bytes:
    """Return what a wrapped key is bound to; `recipient` is a node's or an operator's id."""
    value: Json = {
        "context": _WRAP,
        "name": name,
        "recipient": recipient,
        "scope": scope,
        "version": version,
    }
    return canonical.encode(value)


def encode(document: SecretDocument) -> bytes:
    """Return the canonical bytes that are signed."""
    value: Json = msgspec.json.decode(msgspec.json.encode(document))
    return canonical.encode(value)


def sign(document: SecretDocument, key: SigningKey) -> dsse.Envelope:
    """Return the document signed by an operator."""
    return dsse.sign(dsse.SEALED, encode(document), key, ids.operator_id(key.public))


def decode(envelope: dsse.Envelope) -> SecretDocument:
    """Return the document in an envelope, its own rules checked but no signature yet.

    Raises:
        DecodeError: it holds none.
    """
    if envelope.payload_type != dsse.SEALED:
        raise DecodeError(f"payload type {envelope.payload_type!r} is not a secret's")
    payload = envelope.content()
    canonical.decode(payload)
    try:
        document = msgspec.json.decode(payload, type=SecretDocument)
        check_secret_name(document.name)
        ids.check_hex64(document.ciphertext, "ciphertext")
        check_restriction(document.restriction)
    except (InvalidName, *MALFORMED) as error:
        raise DecodeError(f"not a secret's document: {error}") from error
    if document.version < 1 or document.revision < 1:
        raise DecodeError("version and revision of a secret begin with 1")
    return document


def check_restriction(restriction: Restriction) -> None:
    """Check a restriction.

    Raises:
        DecodeError: its selector cannot be read, or it names too many hosts.
        InvalidName: it names something that is no node id.
    """
    if restriction.tags:
        selectors.parse(restriction.tags)
    if len(restriction.node_ids) > MAX_DECISION_NODES:
        raise DecodeError(f"a restriction names at most {MAX_DECISION_NODES} hosts")
    for node_id in restriction.node_ids:
        ids.check_node_id(node_id)


def allows(restriction: Restriction, node_id: str, tags: dict[str, str]) -> bool:
    """Say whether a host may have the secret; `tags` are the host's signed ones."""
    if restriction.node_ids and node_id not in restriction.node_ids:
        return False
    return not restriction.tags or selectors.parse(restriction.tags).matches(tags)


def verify(
    envelope: dsse.Envelope, roster: Roster, roles: frozenset[str] = DECIDING_ROLES
) -> Verified | Refused:
    """Verify that somebody who may decide has signed the document."""
    try:
        document = decode(envelope)
        held = dsse.signers(envelope, roster.keys(roles))
    except DecodeError as error:
        return Refused(Reason.SECRET_INVALID, str(error))
    if not held:
        text = f"secret {document.name}: no operator of the roster signed this version"
        return Refused(Reason.SECRET_INVALID, text)
    return Verified(document, held)


def digest_of(ciphertext: bytes) -> str:
    """Return the SHA-256 that a document names its sealed bytes by."""
    return hashlib.sha256(ciphertext).hexdigest()


def open_value(
    document: SecretDocument,
    ciphertext: bytes,
    wrapped: bytes,
    key: sealing.SealingKey,
    recipient: str,
) -> str:
    """Return the value of a secret that is sealed to a recipient.

    Raises:
        DecodeError: it is not sealed to this key, or something of it was changed.
    """
    if digest_of(ciphertext) != document.ciphertext:
        raise DecodeError(f"secret {document.name}: the sealed bytes are not the signed ones")
    names = (document.scope, document.name, document.version)
    data_key = key.open(wrapped, key_info(*names, recipient))
    value = sealing.decrypt(data_key, ciphertext, about(*names))
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise DecodeError(f"secret {document.name} is not text") from error


def seal(document: SecretDocument, value: str) -> tuple[SecretDocument, bytes, bytes]:
    """Return the document with its ciphertext named, the ciphertext, and the new data key."""
    data_key = sealing.new_data_key()
    names = (document.scope, document.name, document.version)
    ciphertext = sealing.encrypt(data_key, value.encode(), about(*names))
    named = msgspec.structs.replace(document, ciphertext=digest_of(ciphertext))
    return named, ciphertext, data_key


def wrap_for(document: SecretDocument, data_key: bytes, recipient: str, public_key: bytes) -> bytes:
    """Return the data key of a version wrapped for one recipient.

    Raises:
        DecodeError: the recipient's key is not usable.
    """
    names = (document.scope, document.name, document.version)
    return sealing.wrap(data_key, public_key, key_info(*names, recipient))
