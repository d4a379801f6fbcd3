"""What became of a step, as a value."""

from __future__ import annotations

from agent.step_outcomes import Done


def test_a_step_that_says_nothing_changed_nothing() -> None:
    """No document, no snapshot to keep, nothing known of what is pending."""
    done = Done("cancelled")
    assert (done.document, done.snapshot, done.pending, done.reason) == (None, None, None, None)
