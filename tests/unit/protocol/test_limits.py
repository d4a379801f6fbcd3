"""The bounds fit into each other."""

from __future__ import annotations

from protocol import limits


def test_what_travels_together_fits_a_frame() -> None:
    """Modules, chunks, batches and chains are smaller than what carries them."""
    assert limits.MAX_OFFER_MODULES < limits.MAX_FRAME
    assert limits.MAX_MODULE * 3 <= limits.MAX_OFFER_MODULES
    assert limits.MAX_JOURNAL_BATCH * 2 <= limits.MAX_FRAME
    assert limits.ARTIFACT_CHUNK * 2 < limits.MAX_JOURNAL_BATCH


def test_a_dead_link_is_noticed_after_three_missed_heartbeats() -> None:
    """And a handshake may not take longer than that."""
    assert limits.HEARTBEAT_SECONDS * 3 <= limits.DEAD_SECONDS
    assert limits.HANDSHAKE_SECONDS < limits.DEAD_SECONDS
    assert limits.RECONNECT_BASE < limits.RECONNECT_CAP
