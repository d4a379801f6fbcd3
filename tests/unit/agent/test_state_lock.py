"""Two agents on one state directory would each undo what the other remembers."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.files import StateDirectoryError
from agent.state_lock import state_lock


def test_the_directory_is_held_by_one_and_let_go(tmp_path: Path) -> None:
    """The second is refused while the first holds it, also within one process."""
    with state_lock(tmp_path):  # noqa: SIM117 - the second is meant to fail inside the first
        with pytest.raises(StateDirectoryError, match="another agent"), state_lock(tmp_path):
            pass
    with state_lock(tmp_path):
        pass
