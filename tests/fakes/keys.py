"""Public keys that no private key belongs to."""

from __future__ import annotations

import base64
import struct


def public_key(number: int, comment: str = "") -> str:
    """Return the line of an ed25519 public key; the same number is the same key."""
    kind = b"ssh-ed25519"
    blob = struct.pack(">I", len(kind)) + kind + struct.pack(">I", 32) + number.to_bytes(32, "big")
    line = f"ssh-ed25519 {base64.b64encode(blob).decode()}"
    return f"{line} {comment}" if comment else line
