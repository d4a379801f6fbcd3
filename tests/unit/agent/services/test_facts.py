"""Facts that changed are told, the same ones are not."""

from __future__ import annotations

from pathlib import Path

import msgspec

from agent.services import facts
from tests.fakes.agent import make_core


def test_only_other_facts_ring(tmp_path: Path) -> None:
    """A host that was upgraded says so; one that was not keeps quiet."""
    core = make_core(tmp_path / "state")
    known = core.facts_bell.count
    assert not facts.refresh(core)
    assert core.facts_bell.count == known
    core.facts = msgspec.structs.replace(core.facts, attributes={"platform": "other"})
    assert facts.refresh(core)
    assert core.facts_bell.count == known + 1
    assert core.facts.attributes["platform"] == "linux"
