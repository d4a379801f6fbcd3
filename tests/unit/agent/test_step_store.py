"""Steps survive a restart with their order, their fence and how far they came."""

from __future__ import annotations

from pathlib import Path

from agent import step_store
from agent.database import Database
from protocol.messages import Offer
from protocol.reports import ResourceResult
from state_engine.engine.progress import Finished, Started
from state_engine.model import AppliedResource, ResolvedResource, ResourceKey

KEY = ResourceKey("m", "script", "s")
APPLIED = AppliedResource(ResolvedResource("m", "script", "s", {"apply": "true"}))
RESULT = ResourceResult("m", "script", "s", "run", "changed")


def offer(run_id: str, fence: int = 1) -> Offer:
    return Offer(run_id, "state.apply", f"lease-{run_id}", fence, "op")


def test_steps_come_back_in_the_order_of_their_acceptance(tmp_path: Path) -> None:
    """A restart does what was accepted first, first."""
    database = Database(tmp_path, reserve=0)
    for name in ("b", "a"):
        database.write(lambda tx, n=name: step_store.add(tx, offer(n)))
    database.close()
    database = Database(tmp_path, reserve=0)
    steps = database.read(step_store.unfinished)
    assert [step.run_id for step in steps] == ["b", "a"]
    assert steps[0].offer == offer("b")
    assert database.read(step_store.count_unfinished) == 2
    database.close()


def test_a_fence_only_rises_and_brings_its_lease(tmp_path: Path) -> None:
    """A late re-offer does not bring an older fence back, and no re-offer brings other work."""
    database = Database(tmp_path, reserve=0)
    database.write(lambda tx: step_store.add(tx, offer("a", 2)))
    for fence, held in ((5, 5), (3, 5)):
        before = database.read(lambda tx: step_store.find(tx, "a"))
        assert before is not None
        again = Offer("a", "state.plan", f"lease-{fence}", fence, "other", approved=("ab" * 32,))
        database.write(lambda tx, b=before, o=again: step_store.adopt(tx, b, o))
        step = database.read(lambda tx: step_store.find(tx, "a"))
        assert step is not None
        assert step.fence == held
        assert step.offer == Offer("a", "state.apply", f"lease-{held}", 2, "op")
    database.close()


def test_progress_is_kept_until_the_end(tmp_path: Path) -> None:
    """Messages come back as they were told; a finished step is remembered without them."""
    database = Database(tmp_path, reserve=0)
    told = [Started(KEY, "ab", APPLIED), Finished(KEY, RESULT, APPLIED)]
    database.write(lambda tx: step_store.add(tx, offer("a")))
    database.write(lambda tx: step_store.start(tx, "a"))
    for message in told:
        database.write(lambda tx, m=message: step_store.add_progress(tx, "a", m))
    assert database.read(lambda tx: step_store.progress(tx, "a")) == told
    database.write(lambda tx: step_store.finish(tx, "a"))
    assert database.read(lambda tx: step_store.progress(tx, "a")) == []
    step = database.read(lambda tx: step_store.find(tx, "a"))
    assert step is not None
    assert (step.phase, step.offer) == ("finished", None)
    database.close()


def test_the_memory_of_finished_steps_is_bounded(tmp_path: Path) -> None:
    """The oldest finished steps are forgotten, never an unfinished one."""
    database = Database(tmp_path, reserve=0)

    def many(tx: step_store.Tx) -> None:
        step_store.add(tx, offer("waiting"))
        for number in range(step_store.KEEP_FINISHED + 50):
            step_store.add(tx, offer(f"r{number}"))
            step_store.finish(tx, f"r{number}")

    database.write(many)
    assert database.read(lambda tx: step_store.find(tx, "r0")) is None
    assert database.read(lambda tx: step_store.find(tx, "r100")) is not None
    assert [step.run_id for step in database.read(step_store.unfinished)] == ["waiting"]
    database.close()
