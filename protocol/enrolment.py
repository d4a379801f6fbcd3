"""The enrolment key: one string that tells a new host where to go, whom to trust, and a secret.

The coordinator keeps only the secret's hash; the string is shown once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

import msgspec

from protocol import ids
from protocol.errors import MALFORMED, DecodeError, InvalidName
from protocol.urls import check_urls

SECRET_SIZE = 32
# urls, three digests and a name: 600 bytes; with eight long urls 2 KiB.
MAX_KEY = 4_096


class EnrolmentKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the string holds; digests and keys are lower-case hex, `secret` is base64url.

    `tls_fingerprint` is the SHA-256 of the server certificate ("" where a public CA signs it).
    `roster` is the digest of the roster version that was current when the key was made. `node_id`
    makes it a recovery key: whoever uses it becomes the host with this id, installed anew.
    """

    urls: tuple[str, ...]
    coordinator_key: str
    tls_fingerprint: str
    roster: str
    cluster: str
    secret: str
    node_id: str = ""

    def secret_bytes(self) -> bytes:
        """Return the secret's 32 bytes."""
        return _unbase64(self.secret)


def encode(key: EnrolmentKey) -> str:
    """Return the one string that people copy: base64url without padding, of JSON."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def decode(text: str) -> EnrolmentKey:
    """Return what an enrolment key holds.

    Raises:
        DecodeError: it is not one; the text says what is wrong.
    """
    if len(text) > MAX_KEY:
        raise DecodeError(f"an enrolment key has at most {MAX_KEY} characters")
    try:
        key = msgspec.json.decode(_unbase64(text.strip()), type=EnrolmentKey)
        _check_ids(key)
    except (InvalidName, *MALFORMED) as error:
        raise DecodeError(f"not an enrolment key: {error}") from error
    check_urls(key.urls, "an enrolment key")
    if len(key.secret_bytes()) != SECRET_SIZE:
        raise DecodeError("not an enrolment key: its secret is not 32 bytes")
    return key


def _check_ids(key: EnrolmentKey) -> None:
    ids.check_hex64(key.coordinator_key, "coordinator_key")
    if key.tls_fingerprint:
        ids.check_hex64(key.tls_fingerprint, "tls_fingerprint")
    ids.check_hex64(key.roster, "roster")
    if key.node_id:
        ids.check_node_id(key.node_id)


def secret_hash(secret: bytes) -> str:
    """Return what the coordinator stores: the secret has 256 bits, so a plain hash is enough."""
    return hashlib.sha256(b"standfast/enrolment/v1\x00" + secret).hexdigest()


def secret_text(secret: bytes) -> str:
    """Return a secret as the text that stands in a key."""
    return base64.urlsafe_b64encode(secret).decode().rstrip("=")


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecodeError(f"not an enrolment key: {error}") from error
