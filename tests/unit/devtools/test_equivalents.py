"""Each fault that nobody can notice has a reason, and belongs to a file that is tried."""

from __future__ import annotations

from devtools import mutating
from devtools.equivalents import EQUIVALENT


def test_every_entry_names_a_file_and_a_reason() -> None:
    """A list that grows without reasons would be a way round the proof."""
    for key, reason in EQUIVALENT.items():
        assert key.split(" ", 1)[0] in mutating.FILES
        assert len(reason) > 20
