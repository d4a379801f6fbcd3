"""Keeping output within a limit."""

from __future__ import annotations

import pytest

from state_engine.host.capture import Kept


@pytest.mark.parametrize("piece", [1, 3, 7, 100])
def test_head_and_tail_are_exact_whatever_the_pieces(piece: int) -> None:
    """Five bytes from the start and five from the end of a hundred."""
    data = bytes(range(65, 90)) * 4
    kept = Kept(10)
    for start in range(0, len(data), piece):
        kept.add(data[start : start + piece])
    assert kept.text() == f"{data[:5].decode()}\n[90 bytes left out]\n{data[-5:].decode()}"


def test_what_fits_is_kept_whole() -> None:
    """No mark, nothing dropped."""
    kept = Kept(10)
    kept.add(b"some bytes")
    assert (kept.text(), kept.dropped) == ("some bytes", 0)
