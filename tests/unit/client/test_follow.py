"""A run is watched until it stands still, and no longer than the operator's patience."""

from __future__ import annotations

import pytest

from client.failures import ClientError, NotFoundError
from client.follow import LONGEST_PAUSE, follow, until
from protocol.api import Run, RunPhase, RunStep


def run(phase: RunPhase) -> Run:
    step = RunStep("n", "web", "running", "op")
    return Run("r1", "state.plan", phase, "s", "t", "lena", (), (step,))


class Watch:
    """A clock that moves only while the follower waits."""

    def __init__(self, phases: list[RunPhase]) -> None:
        self.phases = phases
        self.time = 100.0
        self.pauses: list[float] = []
        self.changes: list[str] = []

    def fetch(self) -> Run:
        return run(self.phases.pop(0) if len(self.phases) > 1 else self.phases[0])

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds

    def follow(self, patience: float) -> Run:
        return follow(
            self.fetch,
            now=lambda: self.time,
            pause=self.pause,
            patience=patience,
            changed=lambda seen: self.changes.append(seen.phase),
        )


def test_it_ends_when_the_run_stands_still_and_tells_each_change_once() -> None:
    watch = Watch(["queued", "running", "running", "completed"])
    assert watch.follow(60).phase == "completed"
    assert watch.changes == ["queued", "running", "completed"]
    assert watch.pauses == sorted(watch.pauses)


def test_patience_ends_and_says_who_has_not_answered() -> None:
    watch = Watch(["running"])
    with pytest.raises(ClientError, match="it goes on") as caught:
        watch.follow(30)
    assert "web" in caught.value.where
    assert max(watch.pauses) <= LONGEST_PAUSE
    assert watch.time >= 130


def test_a_run_that_stands_still_is_looked_at_once() -> None:
    watch = Watch(["waiting_approval"])
    watch.follow(0)
    assert watch.pauses == []


def test_what_is_not_there_yet_is_tried_until_patience_ends() -> None:
    """One way of failing is waited out; any other ends it at once."""
    watch = Watch(["queued"])
    answers: list[ClientError | str] = [NotFoundError("none"), NotFoundError("none"), "here"]

    def attempt() -> str:
        answer = answers.pop(0)
        if isinstance(answer, ClientError):
            raise answer
        return answer

    def wait(patience: float) -> str:
        return until(
            attempt, NotFoundError, now=lambda: watch.time, pause=watch.pause, patience=patience
        )

    assert wait(60) == "here"
    assert watch.pauses == sorted(watch.pauses)
    answers[:] = [NotFoundError("none")]
    with pytest.raises(NotFoundError):
        wait(0)
    answers[:] = [ClientError("other"), "here"]
    with pytest.raises(ClientError, match="other"):
        wait(60)
