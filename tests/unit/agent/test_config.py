"""A configuration is understood wholly or refused with the key that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import config
from agent.config import AgentConfig, ConfigError


def test_without_a_file_all_is_default() -> None:
    """An agent needs no configuration file."""
    assert config.load(None, {"state_dir": None}) == AgentConfig()


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    """What is typed now counts more than what was written once."""
    path = tmp_path / "agent.toml"
    path.write_text('state_dir = "/a"\nhostname = "h"\ndrift_interval = 60\n')
    found = config.load(path, {"state_dir": "/b", "hostname": None})
    assert (found.state_dir, found.hostname, found.drift_interval) == ("/b", "h", 60.0)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("unknown_key = 1", "unknown_key"),
        ("drift_interval = 1", "drift_interval"),
        ("journal_limit = 5", "journal_limit"),
        ('hostname = ""', "hostname"),
        ('discovery_address = "4747"', "discovery_address"),
        ('discovery_address = "0.0.0.0:99999"', "discovery_address"),
        ('coordinator_key = "zz"', "coordinator_key"),
        ('log_level = "loud"', "log_level"),
        ('enrolment_key = "a"\nenrolment_key_file = "b"', "not both"),
        ("= broken", "agent.toml"),
        ("#" * (config.MAX_CONFIG + 1), "longer"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, word: str) -> None:
    """The message says which key, and nothing starts with half a configuration."""
    path = tmp_path / "agent.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=word):
        config.load(path, {})


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A path that was given is meant."""
    with pytest.raises(ConfigError, match=r"none\.toml"):
        config.load(tmp_path / "none.toml", {})


def test_the_discovery_address_is_host_and_port() -> None:
    """IPv6 addresses stand in brackets."""
    assert config.discovery_address(AgentConfig(discovery_address="[::1]:47")) == ("::1", 47)
