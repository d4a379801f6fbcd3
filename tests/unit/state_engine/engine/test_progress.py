"""Progress, and going on from it."""

from __future__ import annotations

import msgspec

from protocol.reports import ResourceResult
from state_engine.engine.progress import Finished, Progress, Started, fold, ignore, recovered
from state_engine.model import AppliedResource, Snapshot
from tests.fakes.resources import a_file, a_script

FILE = a_file("/f", id="f")
SCRIPT = a_script("s", rerun_on=(FILE,))
DONE = ResourceResult("base", "file-unix", "/f", "create", "changed")


def test_messages_survive_being_written_down() -> None:
    """A journal may keep them as JSON or msgpack."""
    messages: list[Progress] = [
        Started(FILE.key, "d" * 64, AppliedResource(FILE, created=True)),
        Finished(FILE.key, DONE, AppliedResource(FILE, created=True)),
    ]
    for codec in (msgspec.json, msgspec.msgpack):
        decoded = codec.decode(codec.encode(messages), type=list[Progress])
        assert decoded == messages
    assert ignore(messages[0]) is None


def test_the_first_start_knows_what_was_there_before() -> None:
    """A resumed item starts again on a half-done host; its record is not the truth."""
    first = AppliedResource(FILE, created=True)
    second = AppliedResource(FILE, pre_image="d" * 64)
    resume = fold([Started(FILE.key, "", first), Started(FILE.key, "", second)])
    assert resume.applied == {FILE.key: first}
    assert resume.started == {FILE.key}


def test_a_dead_apply_leaves_its_half_done_item_to_be_removed() -> None:
    """Incomplete, and with a pending trigger for whoever reacts to it."""
    resume = fold([Started(FILE.key, "", AppliedResource(FILE, created=True))])
    snapshot = recovered(Snapshot("old"), [FILE, SCRIPT], resume)
    assert snapshot.applied == (AppliedResource(FILE, created=True, incomplete=True),)
    assert snapshot.pending == (SCRIPT.key,)
    assert snapshot.operation_id == "old"


def test_what_was_removed_before_the_end_is_not_in_the_snapshot() -> None:
    """And what was as desired before stays the measure of drift."""
    held = AppliedResource(FILE, created=True)
    removed = ResourceResult("base", "file-unix", "/f", "remove", "removed")
    resume = fold([Started(FILE.key, "", held, removal=True), Finished(FILE.key, removed)])
    assert recovered(Snapshot(applied=(held,)), [], resume).applied == ()
    begun = fold([Started(FILE.key, "", held, removal=True)])
    assert recovered(Snapshot(applied=(held,)), [], begun).applied == (held,)


def test_a_script_that_had_finished_is_not_pending() -> None:
    """Its trigger was answered."""
    done = ResourceResult("base", "script", "s", "run", "changed")
    resume = fold(
        [
            Started(FILE.key, "", AppliedResource(FILE)),
            Finished(FILE.key, DONE, AppliedResource(FILE)),
            Started(SCRIPT.key, "", AppliedResource(SCRIPT)),
            Finished(SCRIPT.key, done, AppliedResource(SCRIPT)),
        ]
    )
    snapshot = recovered(Snapshot(pending=(SCRIPT.key,)), [FILE, SCRIPT], resume)
    assert snapshot.pending == ()
    assert len(snapshot.applied) == 2
