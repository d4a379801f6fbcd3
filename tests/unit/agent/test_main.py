"""The command line: what it offers and how it refuses. Running it is an integration test."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from agent import identity
from agent.files import StateDirectoryError
from agent.main import KEY_VARIABLE, cli, state_lock
from tests.unit.agent.test_enrolling import KEY


def test_identity_is_shown_once_there_is_one(tmp_path: Path) -> None:
    """Without one the command says what to do and makes none."""
    runner = CliRunner()
    arguments = ["show-identity", "--state-dir", str(tmp_path)]
    assert runner.invoke(cli, arguments).exit_code == 1
    own = identity.load_or_create(tmp_path)
    shown = runner.invoke(cli, arguments)
    assert shown.exit_code == 0
    assert own.node_id in shown.output
    assert own.fingerprint in shown.output


def test_a_policy_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    """A slip in its path must not look like a good policy."""
    runner = CliRunner()
    file = tmp_path / "policy.toml"
    wrong = runner.invoke(cli, ["policy", "check", str(file)])
    assert wrong.exit_code == 1
    assert "is not there" in wrong.output
    file.write_text("")
    file.chmod(0o600)
    assert runner.invoke(cli, ["policy", "check", str(file)]).exit_code == 0


def test_enrol_leaves_a_key_and_shows_who_we_are(tmp_path: Path) -> None:
    """The operator can compare the fingerprint before the agent ever runs."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    done = CliRunner().invoke(cli, ["enrol", "--state-dir", str(state), "--replace", KEY])
    assert done.exit_code == 0, done.output
    assert (state / "enrolment-key").read_text().strip() == KEY
    own = identity.load(state)
    assert own is not None
    assert own.fingerprint in done.output


def test_a_key_need_not_stand_in_the_list_of_processes(tmp_path: Path) -> None:
    """Every user reads the arguments of a program; standard input and the environment few."""
    state = tmp_path / "state"
    start = ["enrol", "--state-dir", str(state)]
    for arguments, options in (
        ([*start, "-"], {"input": f"{KEY}\n"}),
        (start, {"env": {KEY_VARIABLE: KEY}}),
    ):
        done = CliRunner().invoke(cli, arguments, **options)  # type: ignore[arg-type]  # two kinds
        assert done.exit_code == 0, done.output
        assert (state / "enrolment-key").read_text().strip() == KEY
        assert KEY not in done.output
        (state / "enrolment-key").unlink()
    shown = CliRunner().invoke(cli, ["run", "--help"]).output
    assert "list of processes" in " ".join(shown.split())


def test_enrol_refuses_nonsense_and_leaves_nothing(tmp_path: Path) -> None:
    """A mistyped key is told at once."""
    done = CliRunner().invoke(cli, ["enrol", "--state-dir", str(tmp_path / "s"), "nonsense"])
    assert done.exit_code == 1
    assert not (tmp_path / "s").exists()


def test_a_bad_configuration_is_refused(tmp_path: Path) -> None:
    """The message names the file and the key."""
    path = tmp_path / "agent.toml"
    path.write_text("unknown = 1")
    done = CliRunner().invoke(cli, ["run", "--config", str(path)])
    assert done.exit_code == 1
    assert "unknown" in done.output


def test_two_agents_do_not_share_a_state_directory(tmp_path: Path) -> None:
    """The second one is told, and the lock is free again afterwards."""
    with state_lock(tmp_path), pytest.raises(StateDirectoryError), state_lock(tmp_path):
        pytest.fail("two at once")
    with state_lock(tmp_path):
        pass
