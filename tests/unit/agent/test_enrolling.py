"""An enrolment key is found where it was put, and a wrong one is refused before it is left."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from agent import enrolling
from agent.config import AgentConfig, ConfigError
from protocol import enrolment
from protocol.errors import DecodeError

KEY = enrolment.encode(
    enrolment.EnrolmentKey(
        ("https://c:4748",), "ab" * 32, "", "cd" * 32, "default", enrolment.secret_text(b"s" * 32)
    )
)


def test_a_key_pins_what_it_names() -> None:
    """Addresses, key, certificate, roster and secret come from the one string."""
    pins = enrolling.pins_of(f" {KEY}\n")
    assert pins.urls == ("https://c:4748",)
    assert (pins.coordinator_key.hex(), pins.roster) == ("ab" * 32, "cd" * 32)
    assert pins.secret == b"s" * 32


def test_a_key_is_found_in_config_file_or_state_directory(tmp_path: Path) -> None:
    """All three ways lead to the same pins; none is None."""
    assert enrolling.find(AgentConfig(), tmp_path) is None
    path = tmp_path / "key"
    path.write_text(KEY)
    enrolling.leave(tmp_path, KEY)
    assert stat.S_IMODE((tmp_path / enrolling.FILE).stat().st_mode) == 0o600
    ways = (
        AgentConfig(),
        AgentConfig(enrolment_key=KEY),
        AgentConfig(enrolment_key_file=str(path)),
    )
    assert {enrolling.find(way, tmp_path) for way in ways} == {enrolling.pins_of(KEY)}
    enrolling.clear(tmp_path)
    assert enrolling.find(AgentConfig(), tmp_path) is None


def test_nonsense_is_refused_and_not_left(tmp_path: Path) -> None:
    """A mistyped key is told to the person who typed it."""
    with pytest.raises(DecodeError):
        enrolling.leave(tmp_path, "nonsense")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ConfigError, match="no such file"):
        enrolling.find(AgentConfig(enrolment_key_file=str(tmp_path / "none")), tmp_path)
