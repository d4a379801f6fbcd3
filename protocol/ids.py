"""Identifiers and names: how each is made, and the rule that it keeps."""

from __future__ import annotations

import hashlib
import re
import unicodedata
import uuid

from protocol.errors import InvalidName

# Crockford's base 32, as ULIDs use it.
_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_HEX64 = re.compile(r"[0-9a-f]{64}\Z")
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")
_TAG_KEY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?\Z")
_TAG_VALUE = re.compile(r"[A-Za-z0-9._:@/+-]{0,128}\Z")
DEFAULT_SCOPE = "default/default/default"


def node_id(public_key: bytes) -> str:
    """Return a host's id: a version 8 UUID of the first free bits of SHA-256 over its key.

    RFC 9562, section 5.8: 122 bits are free, so the id commits to the key.
    """
    return _uuid8(hashlib.sha256(b"standfast/node/v1\x00" + public_key).digest())


def operator_id(public_key: bytes) -> str:
    """Return an operator's id, made from the public key like a node's but in its own domain."""
    return _uuid8(hashlib.sha256(b"standfast/operator/v1\x00" + public_key).digest())


def _uuid8(digest: bytes) -> str:
    raw = bytearray(digest[:16])
    raw[6] = 0x80 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return str(uuid.UUID(bytes=bytes(raw)))


def ulid(now: float, entropy: bytes) -> str:
    """Return a ULID: 48 bits of milliseconds, then 80 bits of entropy (10 bytes)."""
    if len(entropy) != 10:
        raise InvalidName(f"a ULID needs 10 bytes of entropy, not {len(entropy)}")
    number = (int(now * 1000) & (2**48 - 1)) << 80 | int.from_bytes(entropy, "big")
    return "".join(_BASE32[(number >> shift) & 31] for shift in range(125, -5, -5))


def check_ulid(text: str) -> str:
    """Return the text if it is a ULID.

    Raises:
        InvalidName: it is not.
    """
    if not _ULID.match(text):
        raise InvalidName(f"{text!r} is not a ULID (26 characters of Crockford base 32)")
    return text


def check_hex64(text: str, what: str) -> bytes:
    """Return the 32 bytes that 64 lower-case hex digits stand for.

    Raises:
        InvalidName: it is anything else; `what` names it in the message.
    """
    if not _HEX64.match(text):
        raise InvalidName(f"{what} must be 64 lower-case hex digits")
    return bytes.fromhex(text)


def check_node_id(text: str) -> str:
    """Return the text if it is a node id in its one form.

    Raises:
        InvalidName: it is not.
    """
    try:
        parsed = uuid.UUID(text)
    except ValueError as error:
        raise InvalidName(f"{text!r} is not a node id (a lower-case UUID)") from error
    if str(parsed) != text:
        raise InvalidName(f"{text!r} is not a node id in its usual form; write {parsed}")
    return text


def check_name(text: str) -> str:
    """Return a user or agent name in NFC: 1 to 64 letters, digits, `-`, `_`, a letter first.

    Raises:
        InvalidName: the rule is broken; the text says how.
    """
    name = unicodedata.normalize("NFC", text)
    if not 1 <= len(name) <= 64:
        raise InvalidName(f"name {text!r} must have 1 to 64 characters")
    if not name[0].isalpha():
        raise InvalidName(f"name {text!r} must begin with a letter")
    bad = sorted({c for c in name if not (c.isalpha() or c.isdecimal() or c in "-_")})
    if bad:
        shown = " ".join(repr(c) for c in bad)
        raise InvalidName(f"name {text!r} holds {shown}; letters, digits, '-' and '_' are allowed")
    return name


def fold_name(text: str) -> str:
    """Return the form under which two names count as the same (case and look-alike widths)."""
    return unicodedata.normalize("NFKC", text).casefold()


def check_tag(key: str, value: str) -> None:
    """Check one tag: key of 1 to 63 of `A-Za-z0-9._/-`, value of 0 to 128 of `A-Za-z0-9._:@/+-`.

    Raises:
        InvalidName: the rule is broken.
    """
    if not _TAG_KEY.match(key):
        raise InvalidName(
            f"tag key {key!r} must have 1 to 63 of A-Z a-z 0-9 . _ / -, ends alphanumeric"
        )
    if not _TAG_VALUE.match(value):
        raise InvalidName(f"tag value {value!r} must have at most 128 of A-Z a-z 0-9 . _ : @ / + -")


def fingerprint(public_key: bytes) -> str:
    """Return the short form of a key that people compare: 8 groups of 4 hex digits."""
    text = hashlib.sha256(public_key).hexdigest()[:32]
    return "-".join(text[i : i + 4] for i in range(0, 32, 4))
