"""The paths that somebody manages."""

from __future__ import annotations

from state_engine.engine.claims import Claims
from state_engine.engine.prepared import Memory
from state_engine.model import AppliedResource, ResolvedResource, Snapshot
from tests.fakes.resources import a_directory, a_file, a_script


def test_what_is_desired_and_what_was_applied_is_claimed() -> None:
    """What goes by a removal of its own is not purged before; a script has no path."""
    snapshot = Snapshot(applied=(AppliedResource(a_file("/old")),))
    claims = Claims((a_file("/f"), a_directory("/d"), a_script("s")), snapshot, Memory())
    assert claims() == {"/f", "/d", "/old"}


def test_what_nobody_understands_any_more_claims_nothing() -> None:
    """Another version of the engine applied it."""
    strange = (
        ResolvedResource("m", "no-kind", "x", {}),
        ResolvedResource("m", "file-unix", "x", {}),
    )
    assert Claims(strange, Snapshot(), Memory())() == frozenset()
