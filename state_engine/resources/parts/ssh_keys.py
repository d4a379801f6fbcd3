"""Public keys and the lines of an authorized_keys file, as sshd(8) reads them. No look outside."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

import msgspec

TYPES = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
)
# An RSA key of 16384 bits is 2.8 KB as text; sshd takes lines of 8 KB.
MAX_LINE = 8_192
FLAGS = frozenset(
    (
        "agent-forwarding",
        "cert-authority",
        "no-agent-forwarding",
        "no-port-forwarding",
        "no-pty",
        "no-touch-required",
        "no-user-rc",
        "no-x11-forwarding",
        "port-forwarding",
        "pty",
        "restrict",
        "user-rc",
        "verify-required",
        "x11-forwarding",
    )
)
VALUED = frozenset(
    (
        "command",
        "environment",
        "expiry-time",
        "from",
        "permitlisten",
        "permitopen",
        "principals",
        "tunnel",
    )
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# A quote inside a value stands behind a backslash; any other backslash is one.
_OPTION = re.compile(r'([A-Za-z0-9-]+)(?:="((?:\\"|\\(?!")|[^"\\])*)")?')


class PublicKey(msgspec.Struct, frozen=True):
    """A public key: its type, the same bytes that sshd compares, and its base64 text."""

    type: str
    blob: bytes
    text: str

    @property
    def fingerprint(self) -> str:
        """The name that ssh-keygen -l prints: SHA256 and base64 without padding."""
        digest = hashlib.sha256(self.blob).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


class Entry(msgspec.Struct, frozen=True):
    """One line that admits a key."""

    options: tuple[str, ...]
    key: PublicKey
    comment: str

    def line(self) -> str:
        """Return the line, without its end."""
        words = (",".join(self.options), self.key.type, self.key.text, self.comment)
        return " ".join(word for word in words if word)


def parse_key(text: str) -> tuple[PublicKey, str] | str:
    """Return the key of a public key line and its comment, or what is wrong with it."""
    if _CONTROL.search(text):
        return "the key holds a line break or a control character"
    words = text.strip(" ").split(" ", 2)
    if words[0] not in TYPES:
        if "PRIVATE" in text:
            return "this is a private key; give the line of the `.pub` file, and replace the key"
        return f"the key must begin with its type: one of {', '.join(TYPES)}"
    key = _key(words[0], words[1] if len(words) > 1 else "")
    if key is None:
        return f"what follows `{words[0]}` is not such a key in base64"
    if len(text) > MAX_LINE // 2:
        return f"the key is longer than {MAX_LINE // 2} characters"
    return key, words[2].strip(" ") if len(words) > 2 else ""


def option_problem(option: str) -> str | None:
    """Return what keeps an option from being one that sshd knows, or None.

    A line with one unknown option admits nobody.
    """
    if _CONTROL.search(option) or not option.isascii():
        return "an option holds a line break or a character that is not ASCII"
    found = _OPTION.fullmatch(option)
    if found is None:
        return f'`{option}` is neither `name` nor `name="value"` with inner quotes as `\\"`'
    name = found[1].lower()
    if name in FLAGS:
        return None if found[2] is None else f"`{name}` takes no value"
    if name in VALUED:
        return f'`{name}` needs a value: `{name}="…"`' if found[2] is None else None
    return f"sshd knows no option `{found[1]}`"


def comment_problem(comment: str) -> str | None:
    """Return what keeps a text from being a comment, or None."""
    if _CONTROL.search(comment) or comment != comment.strip():
        return "a comment is one line that neither begins nor ends with a space"
    return None if len(comment) <= MAX_LINE // 8 else "the comment is too long"


def parse_line(line: str) -> Entry | None:
    """Return what a line of an authorized_keys file admits; None for a comment or what is none."""
    text = line.strip(" \t\r\n")
    if not text or text.startswith("#"):
        return None
    options = ""
    if text.split(None, 1)[0] not in TYPES:
        options, text = _split_options(text)
    words = text.split(None, 2)
    if len(words) < 2 or words[0] not in TYPES:
        return None
    key = _key(words[0], words[1])
    if key is None:
        return None
    return Entry(_listed(options), key, words[2] if len(words) > 2 else "")


def _key(kind: str, text: str) -> PublicKey | None:
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    parts = _strings(blob)
    # The first string inside says the type again; sshd goes by both.
    if parts is None or len(parts) < 2 or parts[0] != kind.encode():
        return None
    if kind == "ssh-ed25519" and (len(parts), len(parts[1])) != (2, 32):
        return None
    return PublicKey(kind, blob, text)


def _strings(blob: bytes) -> list[bytes] | None:
    """Return the strings with their lengths that a key is made of; None if one is cut off."""
    found: list[bytes] = []
    while blob:
        if len(blob) < 4:
            return None
        end = 4 + int.from_bytes(blob[:4], "big")
        if len(blob) < end:
            return None
        found.append(blob[4:end])
        blob = blob[end:]
    return found


def _split_options(text: str) -> tuple[str, str]:
    end = _unquoted(text, " \t")
    return text[:end], text[end:].lstrip(" \t")


def _listed(options: str) -> tuple[str, ...]:
    found: list[str] = []
    while options:
        end = _unquoted(options, ",")
        found.append(options[:end])
        options = options[end + 1 :]
    return tuple(found)


def _unquoted(text: str, ends: str) -> int:
    """Return where the first of some characters stands outside quotes, or the length."""
    quoted = False
    index = 0
    while index < len(text):
        char = text[index]
        if char == "\\" and text[index + 1 : index + 2] == '"':
            index += 1
        elif char == '"':
            quoted = not quoted
        elif char in ends and not quoted:
            return index
        index += 1
    return len(text)
