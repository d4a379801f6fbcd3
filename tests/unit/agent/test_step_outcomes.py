"""What became of a step, as a value."""

from __future__ import annotations

import msgspec

from agent import step_outcomes
from agent.step_outcomes import Done
from protocol.limits import ARTIFACT_CHUNK, MAX_JOURNAL_BATCH
from protocol.reports import ResourceResult


def test_errors_are_cut_to_fit_the_journal() -> None:
    """The artifact keeps the whole text, a journal entry what fits."""
    long = ResourceResult("m", "script", "s", "run", "failed", error="x" * (ARTIFACT_CHUNK * 4))
    short = step_outcomes.bounded_result(long)
    assert short.error is not None
    assert len(short.error) == step_outcomes.MAX_ERROR + 1
    many = msgspec.structs.replace(long, triggered=tuple(f"/etc/{n}" for n in range(99_999)))
    assert len(msgspec.msgpack.encode(step_outcomes.bounded_result(many))) < MAX_JOURNAL_BATCH


def test_a_step_that_says_nothing_changed_nothing() -> None:
    """No document, no snapshot to keep, nothing known of what is pending."""
    done = Done("cancelled")
    assert (done.document, done.snapshot, done.pending, done.reason) == (None, None, None, None)
