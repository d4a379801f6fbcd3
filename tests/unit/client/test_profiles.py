"""Profiles: one form of an address, one default, and where things lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from client import profiles
from client.failures import BadUsageError, ClientError, NotFoundError
from client.profiles import Profile, Profiles


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://Host.example", "https://host.example:4748"),
        ("http://127.0.0.1:80/", "http://127.0.0.1:80"),
        ("https://[::1]:9", "https://[::1]:9"),
    ],
)
def test_an_address_has_one_form(url: str, normal: str) -> None:
    assert profiles.normal_url(url) == normal
    assert profiles.normal_url(normal) == normal


@pytest.mark.parametrize(
    "url",
    ["", "host", "ftp://h", "https://", "https://h/x", "https://u@h", "https://h:x", "https://h?q"],
)
def test_what_is_no_address_is_a_usage_error(url: str) -> None:
    with pytest.raises(BadUsageError):
        profiles.normal_url(url)


def test_host_and_port_make_an_address_too() -> None:
    assert profiles.make_url(None, "h", None, tls=True) == "https://h:4748"
    assert profiles.make_url(None, "::1", 5, tls=False) == "http://[::1]:5"
    for url, host in ((None, None), ("https://h", "h")):
        with pytest.raises(BadUsageError):
            profiles.make_url(url, host, None, tls=True)


def test_the_first_profile_is_the_default_until_it_goes() -> None:
    stored = Profiles().put(Profile("a", "https://a:1")).put(Profile("b", "https://b:1"))
    assert stored.default == "a"
    moved = stored.put(Profile("a", "https://c:1"))
    assert [one.url for one in moved.profiles] == ["https://c:1", "https://b:1"]
    assert stored.without("a").default == "b"
    assert stored.without("a").without("b") == Profiles()
    with pytest.raises(NotFoundError):
        stored.find("c")


def test_profiles_come_back_as_they_were_saved(tmp_path: Path) -> None:
    assert profiles.load(tmp_path) == Profiles()
    stored = Profiles().put(Profile("a", "https://a:1", "f" * 64))
    profiles.save(tmp_path, stored)
    assert profiles.load(tmp_path) == stored
    (tmp_path / profiles.PROFILES_FILE).write_text('{"defualt": 1}')
    with pytest.raises(ClientError, match="defualt"):
        profiles.load(tmp_path)


@pytest.mark.parametrize(
    ("environment", "given", "expected"),
    [
        ({}, "/x", "/x"),
        ({"STANDFAST_CONFIG_DIR": "/y"}, None, "/y"),
        ({"STANDFAST_CONFIG_DIR": "/y"}, "/x", "/x"),
        ({"XDG_CONFIG_HOME": "/z"}, None, "/z/standfast"),
    ],
)
def test_the_directory_follows_option_then_environment(
    environment: dict[str, str], given: str | None, expected: str
) -> None:
    assert profiles.config_dir(environment, given) == Path(expected)
    assert profiles.config_dir({}, None) == Path.home() / ".config" / "standfast"


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".a", "a b", "a" * 65])
def test_a_profile_name_cannot_leave_its_directory(name: str) -> None:
    with pytest.raises(BadUsageError):
        profiles.check_profile_name(name)


@pytest.mark.parametrize("url", ["https://[::1]:9", "https://h.example:4748", "http://-:1"])
def test_a_name_made_from_an_address_is_a_lawful_one(url: str) -> None:
    assert profiles.check_profile_name(profiles.name_for(url))
