"""The ports of this host, put together. One object belongs to one engine thread."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path

from state_engine.host import clock as host_clock
from state_engine.host.accounts import LinuxAccounts
from state_engine.host.backups import LinuxBackups
from state_engine.host.files import LinuxFiles
from state_engine.host.network import LinuxNetwork
from state_engine.host.programs import LinuxPrograms
from state_engine.host.reverts import LinuxReverts
from state_engine.host.sources import LinuxSources
from state_engine.host.stat_cache import StatCache
from state_engine.ports import PortError, SecretPort


class NoSecrets:
    """The secrets of a program that nobody delivers any to."""

    def reveal(self, name: str, version: int) -> str:
        """Refuse: there are none."""
        raise PortError(f"secret {name} v{version} is not known here", "ENOKEY")


class LinuxPorts:
    """Everything that the engine may touch on this host.

    `state_directory` holds the kept copies (`backups/`) and fetched content (`sources/`).
    `fingerprint_key` is 32 secret bytes that never leave the host. `cancelled` is asked while a
    program runs. `show_private` lets differences quote files that not every user may read: for a
    program whose output stays with its own user. `secrets` are what was delivered to this host.
    `artifacts` brings the bytes that a digest names, from whoever keeps them.
    """

    def __init__(
        self,
        state_directory: Path,
        fingerprint_key: bytes,
        *,
        clock: Callable[[], float] = host_clock.now,
        cancelled: Callable[[], bool] = lambda: False,
        cache: StatCache | None = None,
        show_private: bool = False,
        secrets: SecretPort | None = None,
        artifacts: Callable[[str], bytes] | None = None,
    ) -> None:
        self.files = LinuxFiles(cache, show_private=show_private)
        self.accounts = LinuxAccounts()
        self.programs = LinuxPrograms(cancelled)
        self.network = LinuxNetwork()
        self.backups = LinuxBackups(state_directory / "backups", self.files, fingerprint_key)
        self.reverts = LinuxReverts(state_directory / "reverts", self.files)
        self.sources = LinuxSources(
            state_directory / "sources", self.files, artifacts=artifacts, cancelled=cancelled
        )
        self.secrets = NoSecrets() if secrets is None else secrets
        self.clock = clock
        self._key = fingerprint_key

    def fingerprint(self, value: bytes) -> str:
        """Return an HMAC under a key that never leaves this host, for values not to be shown."""
        return hmac.new(self._key, value, hashlib.sha256).hexdigest()
