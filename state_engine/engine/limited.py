"""A resource's own `timeout`: ports whose programs end when it is over.

A file call is never cut short: it takes milliseconds, and half of one would be worse.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from protocol.reports import CapturedStream
from state_engine.model import ResolvedResource
from state_engine.ports import (
    AccountPort,
    BackupPort,
    FilePort,
    NetworkPort,
    PortError,
    Ports,
    ProgramCall,
    ProgramPort,
    RevertPort,
    SecretPort,
    SourcePort,
)

TIMED_OUT = 124


def limited(resource: ResolvedResource, ports: Ports) -> Ports:
    """Return ports on which one look, or one act, lasts as long as the resource may take.

    The time runs from this call. Without a `timeout` they are the ports themselves.
    """
    return ports if resource.timeout is None else _Limited(ports, resource.timeout)


class _Limited:
    """All ports as they are, but programs and sources, which take long."""

    def __init__(self, ports: Ports, seconds: float) -> None:
        self._ports = ports
        self._end = ports.clock() + seconds
        self._seconds = seconds
        self.programs: ProgramPort = _Programs(ports.programs, self._left)
        self.sources: SourcePort = _Sources(ports.sources, self._left)

    @property
    def files(self) -> FilePort:
        return self._ports.files

    @property
    def accounts(self) -> AccountPort:
        return self._ports.accounts

    @property
    def backups(self) -> BackupPort:
        return self._ports.backups

    @property
    def reverts(self) -> RevertPort:
        return self._ports.reverts

    @property
    def secrets(self) -> SecretPort:
        return self._ports.secrets

    @property
    def network(self) -> NetworkPort:
        return self._ports.network

    @property
    def clock(self) -> Callable[[], float]:
        return self._ports.clock

    def fingerprint(self, value: bytes) -> str:
        return self._ports.fingerprint(value)

    def _left(self) -> float:
        """Return the seconds that are left; a clock that is set back gives no more than all."""
        left = min(self._end - self._ports.clock(), self._seconds)
        if left <= 0:
            raise PortError(f"it took longer than its timeout of {self._seconds:g} s", "ETIMEDOUT")
        return left


class _Programs:
    def __init__(self, programs: ProgramPort, left: Callable[[], float]) -> None:
        self._programs = programs
        self._left = left

    def run(self, call: ProgramCall) -> CapturedStream:
        left = self._left()
        if left >= call.timeout:
            return self._programs.run(call)
        captured = self._programs.run(msgspec.structs.replace(call, timeout=left))
        if captured.exit == TIMED_OUT:
            self._left()  # says so, where the time is over
        return captured


class _Sources:
    def __init__(self, sources: SourcePort, left: Callable[[], float]) -> None:
        self._sources = sources
        self._left = left

    def fetch(self, url: str, sha256: str) -> bytes:
        self._left()
        content = self._sources.fetch(url, sha256)
        self._left()  # what came too late is not put into place
        return content
