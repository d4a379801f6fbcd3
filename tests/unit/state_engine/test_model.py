"""The values that pass between the parts of the engine."""

from __future__ import annotations

import msgspec

from state_engine.model import AppliedResource, Problem, ResourceKey, Snapshot
from tests.fakes.resources import a_file, a_script


def test_a_problem_prints_as_editors_follow_it() -> None:
    """File, line and column first, the hint last."""
    problem = Problem("a.yaml", 3, "wrong", hint="do this", column=7)
    assert str(problem) == "a.yaml:3:7: error: wrong (do this)"


def test_a_key_names_its_address() -> None:
    """Under which script output is stored."""
    assert ResourceKey("m", "script", "s").address == "m/s"
    assert a_file("/f").key == ("base", "file-unix", "/f")


def test_a_snapshot_survives_being_written_down() -> None:
    """All of it, also nested values of a specification."""
    script = a_script("s", rerun_on=(a_file("/f"),), check="c")
    snapshot = Snapshot("op", ("base",), (AppliedResource(script, created=True),), (script.key,))
    for codec in (msgspec.json, msgspec.msgpack):
        assert codec.decode(codec.encode(snapshot), type=Snapshot) == snapshot
