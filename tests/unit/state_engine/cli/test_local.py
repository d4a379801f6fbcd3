"""What plan, apply and drift share."""

from __future__ import annotations

from pathlib import Path

import pytest

from state_engine.cli import local

OPTIONS = local.Options(None, False, False, False, {"role": "web"}, {"arch": "armv7"})


def test_the_command_line_goes_before_the_host() -> None:
    """Attributes are overridden, tags are as given."""
    facts = local.node_facts(OPTIONS)
    assert (facts.attributes["arch"], facts.attributes["platform"]) == ("armv7", "linux")
    assert facts.tags == {"role": "web"}
    assert facts.node_id == local.NODE_ID


@pytest.mark.parametrize(
    ("euid", "state_home", "expected"),
    [
        (0, "/x", "/var/lib/standfast-state"),
        (1000, "/x", "/x/standfast-state"),
        (1000, "relative", "/home/me/.local/state/standfast-state"),
        (1000, "", "/home/me/.local/state/standfast-state"),
    ],
)
def test_where_state_lives(
    monkeypatch: pytest.MonkeyPatch, euid: int, state_home: str, expected: str
) -> None:
    """Root's in the system's place; others' where the XDG base directories say."""
    monkeypatch.setenv("XDG_STATE_HOME", state_home)
    monkeypatch.setenv("HOME", "/home/me")
    assert local.default_state_dir(euid) == Path(expected)
