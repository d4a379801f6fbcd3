"""Which paths to watch."""

from __future__ import annotations

from state_engine.engine.watch import watched_paths
from state_engine.model import AppliedResource, Snapshot
from tests.fakes.resources import a_directory, a_file, a_script, resource


def test_each_path_leads_to_all_whom_it_concerns() -> None:
    """Scripts, unknown kinds and what never came to be are not watched."""
    one, two = a_file("/f"), a_file("/f", module="other")
    snapshot = Snapshot(
        applied=(
            AppliedResource(one),
            AppliedResource(two),
            AppliedResource(a_directory("/d")),
            AppliedResource(a_script("s")),
            AppliedResource(resource("unknown", "x", {})),
            AppliedResource(a_file("/g"), incomplete=True),
        )
    )
    assert watched_paths(snapshot) == {
        "/f": (one.key, two.key),
        "/d": (a_directory("/d").key,),
    }
