"""Break-glass changes this host by root's word alone, and tells everybody before and after."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from agent import break_glass, step_store
from agent.break_glass import BreakGlassError
from agent.config import AgentConfig
from agent.core import Core
from agent.database import Database
from agent.main import cli
from agent.state_lock import state_lock
from protocol.messages import Audit, decode_body
from state_engine.model import Snapshot
from tests.fakes.agent import make_core
from tests.fakes.operators import module
from tests.fakes.sites import looking, site


def said(core: Core) -> list[Audit]:
    bodies = [decode_body(entry) for entry in core.journal.after(0)]
    return [body for body in bodies if isinstance(body, Audit)]


def test_it_is_told_before_and_after_and_done_in_between(tmp_path: Path) -> None:
    """Critical, with the reason, the module's digest and the operation; nothing is left over."""
    core = make_core(tmp_path / "state")
    version = module("site", site(tmp_path), None)
    outcome = break_glass.apply(core, (version,), "the coordinator burns")
    assert outcome.succeeded, outcome.lines
    assert (tmp_path / "srv/index.html").read_text() == "hello"
    begun, ended = said(core)
    assert (begun.event, begun.severity) == ("break_glass.begun", "critical")
    assert "the coordinator burns" in begun.message
    assert version.sha256[:16] in begun.message
    assert (ended.event, ended.severity) == ("break_glass.finished", "critical")
    assert "index.html" in ended.message
    assert core.database.read(step_store.unfinished) == ()
    # Drift is judged against it: the same again changes nothing.
    assert {a.resource.module for a in core.steps.snapshot().applied} == {"site"}
    again = break_glass.apply(core, (version,), "still burning")
    assert again.lines == ("succeeded",)


def test_other_modules_stay_as_they_are(tmp_path: Path) -> None:
    """What is not given is not meant to go; removals inside a module need their number."""
    core = make_core(tmp_path / "state")
    (tmp_path / "two").mkdir()
    one = module("site", site(tmp_path), None)
    two = module("other", site(tmp_path / "two", name="other"), None)
    for version in (one, two):
        assert break_glass.apply(core, (version,), "x").succeeded
    assert {a.resource.module for a in core.steps.snapshot().applied} == {"site", "other"}
    text = b"\n".join(one.content.split(b"\n")[:9]) + b"\n"
    less = module("site", text, None)
    refused = break_glass.apply(core, (less,), "x")
    assert not refused.succeeded
    assert (tmp_path / "srv/index.html").exists()
    done = break_glass.apply(core, (less,), "x", removal_limit=1)
    assert done.succeeded, done.lines
    assert not (tmp_path / "srv/index.html").exists()
    assert (tmp_path / "two/srv/index.html").exists()
    assert len(core.steps.snapshot().applied) == 3


def test_root_trusts_what_root_gives(tmp_path: Path) -> None:
    """Checks inside an unsigned module run, as nobody else's would."""
    core = make_core(tmp_path / "state")
    break_glass.apply(core, (module("looking", looking(tmp_path), None),), "x")
    assert (tmp_path / "canary").exists()


def test_the_policy_still_says_what_may_be_touched(tmp_path: Path) -> None:
    """Signatures are what is missing on such a day, not the owner's own limits."""
    core = make_core(tmp_path / "state")
    file = tmp_path / "state/policy.toml"
    file.write_text('[capabilities."state.apply"]\nsignature = "deny"\nkinds = ["script"]\n')
    outcome = break_glass.apply(core, (module("site", site(tmp_path), None),), "x")
    assert not outcome.succeeded
    assert outcome.lines[0].startswith("policy_kind")
    assert not (tmp_path / "srv").exists()
    file.write_text('[capabilities."state.apply"]\nsignature = "deny"\n')
    assert break_glass.apply(core, (module("site", site(tmp_path), None),), "x").succeeded


def test_a_crash_in_between_leaves_the_step_for_the_next_start(tmp_path: Path) -> None:
    """It is told before anything is done, and what was begun is not forgotten."""
    core = make_core(tmp_path / "state")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    core.steps.engine.apply = crash  # type: ignore[method-assign, assignment]  # the power fails here
    with pytest.raises(KeyboardInterrupt):
        break_glass.apply(core, (module("site", site(tmp_path), None),), "x")
    assert [audit.event for audit in said(core)] == ["break_glass.begun"]
    assert len(core.database.read(step_store.unfinished)) == 1
    assert core.steps.snapshot() == Snapshot()


def test_it_needs_a_reason_a_module_and_the_agent_stopped(tmp_path: Path) -> None:
    """Each missing thing is said, and nothing happens."""
    settings = AgentConfig(state_dir=str(tmp_path / "state"))
    file = tmp_path / "site.yaml"
    file.write_bytes(site(tmp_path))
    for reason, paths, text in (
        ("", (file,), "--reason"),
        ("x" * 1_025, (file,), "--reason"),
        ("x", (tmp_path / "none",), "No such file"),
    ):
        with pytest.raises(BreakGlassError, match=text):
            break_glass.run(settings, paths, reason, 0)
    file.write_bytes(b"#" * 262_145)
    with pytest.raises(BreakGlassError, match="longer"):
        break_glass.run(settings, (file,), "x", 0)
    assert not (tmp_path / "srv").exists()


def test_the_command_does_it_and_says_what_came_of_it(tmp_path: Path) -> None:
    """Exit code 0 and a line for each change; 1 while the agent runs."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    config = tmp_path / "agent.toml"
    config.write_text(f'state_dir = "{state}"\npolicy_file = "{state}/policy.toml"\n')
    file = tmp_path / "site.yaml"
    file.write_bytes(site(tmp_path))
    command = ["break-glass", "apply", "--config", str(config), "--reason", "x", str(file)]
    with state_lock(state):
        refused = CliRunner().invoke(cli, command)
    assert refused.exit_code == 1
    assert "another agent" in refused.output
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    assert "index.html" in done.output
    database = Database(state)
    assert database.read(step_store.unfinished) == ()
    database.close()
    file.write_bytes(b"nonsense")
    assert CliRunner().invoke(cli, command).exit_code == 5


def test_the_policy_commands_show_and_check(tmp_path: Path) -> None:
    """A policy is read as the agent reads it; one with a mistake is named with it."""
    file = tmp_path / "policy.toml"
    config = tmp_path / "agent.toml"
    config.write_text(f'policy_file = "{file}"\n')
    at = ["--config", str(config)]
    absent = CliRunner().invoke(cli, ["policy", "check", *at])
    assert "not there" in absent.output
    file.write_text(
        '[capabilities."state.apply"]\nquorum = 2\nrequester_excluded = true\npaths = ["/srv"]\n'
        '[capabilities."command.run"]\nsignature = "deny"\n'
        '[capabilities."file.read"]\nsignature = "coordinator"\nrepair = false\n'
    )
    assert "2 of the" not in absent.output
    assert "3 of the capabilities" in CliRunner().invoke(cli, ["policy", "check", *at]).output
    shown = CliRunner().invoke(cli, ["policy", "show", *at]).output
    assert "2 operators; besides whoever asked; paths /srv" in shown
    assert "nobody may" in shown
    assert "one operator or the coordinator; no repairs by itself" in shown
    file.write_text("[capabilities.x]\n")
    for command in (
        ["policy", "check", str(file)],
        ["policy", "check", *at],
        ["policy", "show", *at],
    ):
        assert CliRunner().invoke(cli, command).exit_code == 1
