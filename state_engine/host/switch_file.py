"""The dead-man switch on disk: one small private file, durable before anybody acts on it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from protocol.errors import MALFORMED
from state_engine.deadman import Switch
from state_engine.host.files import LinuxFiles
from state_engine.ports import PortError

NAME = "deadman.json"
_MAX = 4_096


def load(directory: Path) -> Switch:
    """Return the switch that a state directory holds; an idle one at first.

    Raises:
        PortError: there is one, and it cannot be read.
    """
    try:
        data = LinuxFiles().read(str(directory / NAME), _MAX)
    except PortError as error:
        if error.code in {"ENOENT", "ENOTDIR"}:
            return Switch()
        raise
    try:
        return msgspec.json.decode(data, type=Switch)
    except MALFORMED as error:
        raise PortError(f"{directory / NAME} is damaged: {error}", "EINVAL") from error


def save(directory: Path, switch: Switch) -> None:
    """Make the switch durable. Raises PortError."""
    LinuxFiles().write(str(directory / NAME), msgspec.json.encode(switch), 0o600, -1, -1)
