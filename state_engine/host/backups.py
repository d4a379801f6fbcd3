"""Kept copies of overwritten files: a private directory, one file per content, named by SHA-256.

What was overwritten may have held a secret, so a copy is encrypted under a key that is derived from
the host's own: a stolen backup of the directory says nothing without it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

from state_engine.host import walk
from state_engine.host.files import LinuxFiles
from state_engine.ports import MAX_CONTENT, PortError

# What an encrypted copy begins with; what does not was kept by an earlier version, as it was.
_MAGIC = b"standfast-copy-1\n"
_NONCE = 12
_TAG = 16
_PURPOSE = b"standfast/kept-copies/v1\x00"


class LinuxBackups:
    """Copies below a directory that only we can read; `key` never leaves the host."""

    def __init__(
        self, directory: Path, files: LinuxFiles, key: bytes, limit: int = MAX_CONTENT
    ) -> None:
        self._limit = limit
        self._directory = directory
        self._files = files
        self._key = hmac.new(key, _PURPOSE, hashlib.sha256).digest()

    def keep(self, path: str) -> str:
        """Keep a copy of the regular file at the path and return its SHA-256.

        Raises:
            PortError: it cannot be read or stored, or is larger than `MAX_CONTENT` (code EFBIG).
        """
        data = self._files.read(path, self._limit + 1)
        if len(data) > self._limit:
            raise PortError(
                f"{path} is larger than {self._limit} bytes; move it away first", "EFBIG"
            )
        digest = hashlib.sha256(data).hexdigest()
        target = self._directory / digest
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if target.exists():
                return digest
        except OSError as error:
            raise walk.refusal(error, "keep a copy of", path) from error
        self._files.write(str(target), self._locked(data), 0o600, os.geteuid(), os.getegid())
        return digest

    def content(self, digest: str) -> bytes:
        """Return a kept copy, checked against its name; raises PortError if it is not there."""
        target = self._directory / digest
        data = self._files.read(str(target), self._limit + len(_MAGIC) + _NONCE + _TAG)
        if data.startswith(_MAGIC):
            data = self._unlocked(data[len(_MAGIC) :], digest)
        if hashlib.sha256(data).hexdigest() != digest:
            raise PortError(f"the kept copy {digest} is damaged", "EIO")
        return data

    def _locked(self, data: bytes) -> bytes:
        # Imported when a copy is made: a plan needs none of it.
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        nonce = os.urandom(_NONCE)
        return _MAGIC + nonce + ChaCha20Poly1305(self._key).encrypt(nonce, data, _MAGIC)

    def _unlocked(self, locked: bytes, digest: str) -> bytes:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        try:
            nonce, sealed = locked[:_NONCE], locked[_NONCE:]
            return ChaCha20Poly1305(self._key).decrypt(nonce, sealed, _MAGIC)
        except (InvalidTag, ValueError) as error:
            text = f"the kept copy {digest} is damaged, or was kept under another key"
            raise PortError(text, "EIO") from error
