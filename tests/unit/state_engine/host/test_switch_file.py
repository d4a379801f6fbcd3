"""The dead-man switch on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from state_engine.deadman import Switch
from state_engine.host import switch_file
from state_engine.ports import PortError


def test_it_is_as_it_was_left_and_idle_at_first(tmp_path: Path) -> None:
    """Where only we can change it."""
    assert switch_file.load(tmp_path) == Switch()
    assert switch_file.load(tmp_path / "none") == Switch()
    armed = Switch("armed", "op", 7.5)
    switch_file.save(tmp_path, armed)
    assert switch_file.load(tmp_path) == armed
    assert (tmp_path / switch_file.NAME).stat().st_mode & 0o777 == 0o600


def test_a_damaged_one_is_not_taken_for_idle(tmp_path: Path) -> None:
    """It may have been armed."""
    (tmp_path / switch_file.NAME).write_bytes(b"{")
    with pytest.raises(PortError, match="damaged"):
        switch_file.load(tmp_path)
