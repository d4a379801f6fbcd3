"""Settings from TOML and the command line."""

from __future__ import annotations

import pytest

from coordinator.config import ConfigError, CoordinatorConfig, parse


def test_an_empty_file_means_the_defaults() -> None:
    config = parse("", "c.toml", {})
    assert config == CoordinatorConfig()
    assert (config.api_host, config.api_port) == ("127.0.0.1", 4748)
    assert config.urls() == ("https://127.0.0.1:4748",)


def test_the_command_line_wins_over_the_file() -> None:
    config = parse("api_port = 1\napi_host = '::1'", "c.toml", {"api_port": 9})
    assert config.urls() == ("https://[::1]:9",)


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("api_prot = 1\napi_port = 70000\nlog_level = 'loud'\nzzz = 1", "c.toml", {})
    lines = str(caught.value).splitlines()
    assert lines[0] == "c.toml: unknown key 'api_prot'; did you mean 'api_port'?"
    assert any(line.startswith("c.toml: unknown key 'zzz'; known are data_dir") for line in lines)
    assert "c.toml: api_port: Expected `int` <= 65535" in lines
    assert any(line.startswith("c.toml: log_level: ") for line in lines)
    assert len(lines) == 4


def test_a_wrong_option_is_named_as_the_option() -> None:
    with pytest.raises(ConfigError, match=r"^--api-port: Expected"):
        parse("", "c.toml", {"api_port": -1})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tls_cert = 'a'", "both or neither"),
        ("tls_enabled = false\ntls_cert = 'a'\ntls_key = 'b'", "tls_enabled is false"),
        ("advertised_urls = ['ftp://x']", "must begin with https://"),
        ("api_port = ", "not TOML"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(text: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        parse(text, "c.toml", {})


def test_without_tls_the_url_says_so() -> None:
    assert parse("tls_enabled = false", "c", {}).urls() == ("http://127.0.0.1:4748",)
