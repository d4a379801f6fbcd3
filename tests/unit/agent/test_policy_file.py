"""A policy file is believed only if nobody else could have written it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.policy_file import MAX_POLICY, PolicyFileError, load


def test_no_file_means_one_operator_for_everything(tmp_path: Path) -> None:
    """The default is the strictest that works without a file."""
    rule = load(tmp_path / "none").rule("state.apply")
    assert (rule.signature, rule.quorum) == ("operator", 1)


def test_a_good_file_is_read(tmp_path: Path) -> None:
    """Rules are per capability."""
    path = tmp_path / "policy.toml"
    path.write_text('[capabilities."state.apply"]\nsignature = "deny"\n')
    assert load(path).rule("state.apply").signature == "deny"
    assert load(path).rule("command.run").signature == "operator"


@pytest.mark.parametrize(
    "text",
    ["nonsense", '[capabilities."state.apply"]\nquorum = 0', "other = 1", "#" * (MAX_POLICY + 1)],
)
def test_a_bad_file_is_an_error(tmp_path: Path, text: str) -> None:
    """What is not understood is never taken for the default."""
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(PolicyFileError, match=r"policy\.toml"):
        load(path)


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_file_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    """Group and world may not loosen what the host's owner said."""
    path = tmp_path / "policy.toml"
    path.write_text("")
    path.chmod(mode)
    with pytest.raises(PolicyFileError, match="writable by others"):
        load(path)


def test_a_link_is_refused(tmp_path: Path) -> None:
    """A link could be turned elsewhere by whoever owns its directory."""
    (tmp_path / "real").write_text("")
    (tmp_path / "policy.toml").symlink_to(tmp_path / "real")
    with pytest.raises(PolicyFileError):
        load(tmp_path / "policy.toml")


@pytest.mark.parametrize("there", [True, False])
def test_a_directory_that_others_may_write_is_refused(tmp_path: Path, there: bool) -> None:
    """Who can take the file away could loosen all that it forbids, so its absence says nothing."""
    path = tmp_path / "etc/policy.toml"
    path.parent.mkdir()
    if there:
        path.write_text("")
    path.parent.chmod(0o777)
    with pytest.raises(PolicyFileError, match="directory"):
        load(path)


def test_a_pipe_is_no_policy(tmp_path: Path) -> None:
    """An empty read from it would pass for the default."""
    os.mkfifo(tmp_path / "policy.toml", 0o600)
    with pytest.raises(PolicyFileError, match="not a file"):
        load(tmp_path / "policy.toml")


@pytest.mark.needs_root
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    """Only root, or the agent's own user, speaks for the host."""
    path = tmp_path / "policy.toml"
    path.write_text("")
    os.chown(path, 65_534, 65_534)
    with pytest.raises(PolicyFileError, match="belongs to user 65534"):
        load(path)
