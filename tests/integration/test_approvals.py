"""People who sign together, as real processes: three operators, and a posture for production.

A change of the roster takes two admins; work takes two operators besides the one who asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from client.session import Session, Settings
from devtools.local_fleet import LocalFleet, certificate_fingerprint, field, rows, wait_for
from protocol.api import RunRequest
from protocol.ids import DEFAULT_SCOPE

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]
PEOPLE = ("ada", "bob", "cy")


class Team:
    """A fleet of one host, and three people, each with a configuration directory."""

    def __init__(self, fleet: LocalFleet) -> None:
        self.fleet = fleet
        self.directory = fleet.directory

    def cli(self, who: str, *words: str, codes: tuple[int, ...] = (0,)) -> str:
        """Let somebody type a command."""
        return self.fleet.cli("--config-dir", str(self.directory / who), *words, codes=codes)

    def ask(self, who: str, *words: str, codes: tuple[int, ...] = (0,)) -> object:
        """Let somebody ask for JSON."""
        directory = str(self.directory / who)
        return self.fleet.ask("--config-dir", directory, *words, codes=codes)

    def upload(self, who: str, name: str, content: str) -> Path:
        """Sign and upload a module that writes one file; return the file's path."""
        target = self.directory / f"{name}.txt"
        path = self.directory / f"{name}.yaml"
        path.write_text(
            f"name: {name}\nsupports:\n  - platform: linux\nresources:\n  - resource:\n"
            f"      file-unix: {{path: {target}, content: '{content}', mode: '0644'}}\n",
            encoding="utf-8",
        )
        self.cli(who, "state", "upload", str(path))
        return target

    def start_host(self, *words: str) -> None:
        """Start the agent of the one host, with its own policy file."""
        state, policy = self.directory / "host", self.directory / "policy.toml"
        options = ("--state-dir", str(state), "--policy-file", str(policy))
        self.fleet.start("host", "standfast-agent", "run", *options, *words)

    def begin(self, module: str, who: str = "ada") -> str:
        """Ask for an apply, sign as the one who asks, and return the run that waits for others."""
        words = ("state", "apply", "web", "--module", module, "--yes", "--no-wait")
        made = self.ask(who, *words, "--removal-limit", "9")
        assert field(made, "phase") == "waiting_approval"
        return str(field(made, "run_id"))

    def sign(self, who: str, run: str, *words: str) -> object:
        """Sign a yes to what was asked for."""
        return self.ask(who, "approve", run, "--yes", "--removal-limit", "9", *words)

    def waiting(self) -> list[object]:
        """What waits for signatures."""
        return rows(self.ask("ada", "approvals", "list"))


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Ada founds the fleet, lets bob and cy in, sets the rules, and enrols one host."""
    with LocalFleet(tmp_path_factory.mktemp("team")) as fleet:
        fleet.environment["STANDFAST_CONFIG_DIR"] = str(fleet.directory / "ada")
        fleet.cli("operator", "init", "--username", "ada")
        data = str(fleet.directory / "coordinator")
        founding = str(fleet.directory / "ada" / "roster.json")
        fleet.run("standfast-coordinator", "init", "--data-dir", data, "--roster", founding)
        fleet.start_coordinator()
        fleet.make_profile()
        team = Team(fleet)
        for who, role in (("bob", "admin"), ("cy", "operator")):
            made = team.ask(who, "operator", "init", "--username", who)
            public = str(field(made, "public_key"))
            team.cli("ada", "operator", "add", public, "--username", who, "--role", role)
        digest = str(field(team.ask("ada", "operator", "whoami"), "roster_digest"))
        fingerprint = certificate_fingerprint(fleet.directory / "coordinator" / "tls.crt")
        for who in ("bob", "cy"):
            options = ("--url", fleet.url, "--fingerprint", fingerprint, "--roster", digest)
            team.cli(who, "profile", "create", "local", *options)
        policy = fleet.directory / "policy.toml"
        policy.write_text('[capabilities."state.apply"]\nsignature = "coordinator"\n')
        team.start_host("--enrolment-key", fleet.make_enrolment_key())
        fleet.approve_first_pending("web")
        yield team


def test_a_team(team: Team) -> None:
    """From one who may do all to rules that hold for everybody, the coordinator included."""
    _the_coordinator_signs_where_the_host_lets_it(team)
    _rules_are_made_by_two(team)
    target = team.upload("ada", "page", "one")
    run = _two_sign_besides_the_one_who_asked(team, target)
    assert field(team.ask("cy", "approvals", "show", run), "status") == "approved"
    _a_grant_asks_the_tags_that_operators_signed(team)
    _what_was_taken_back_is_never_done(team)


def _the_coordinator_signs_where_the_host_lets_it(team: Team) -> None:
    """A plain call without a key: the run waits for nobody once the roster names the key."""
    target = team.upload("ada", "plain", "zero")
    session = Session(Settings(config_dir=str(team.directory / "ada")))
    node = session.api.agents()[0].node_id
    request = RunRequest(step="state.apply", nodes=(node,), modules=("plain",))
    run = session.api.create_run(request)
    wait_for("the plan", lambda: session.api.run(run.run_id).phase == "waiting_approval" or None)
    public = session.api.status().public_key
    words = (public, "--username", "coordinator", "--role", "automation")
    team.cli("ada", "operator", "add", *words)
    wait_for("the file", lambda: target.exists() or None)
    # The person at the keyboard is told that it has signed already, and follows it.
    done = wait_for("the end", lambda: session.api.run(run.run_id).finished_at)
    assert done is not None
    session.close()


def _rules_are_made_by_two(team: Team) -> None:
    team.cli("ada", "roster", "propose", "--threshold", "2", "--yes")
    rules = ("--posture", f"{DEFAULT_SCOPE}=prod", "--approval", "prod=2,requester-excluded")
    made = team.ask("ada", "roster", "propose", *rules, "--yes")
    assert field(made, "in_force") is False
    digest = str(field(made, "proposal", "digest"))
    assert field(made, "proposal", "signed") == ["ada"]
    done = team.ask("bob", "roster", "sign", digest[:12], "--yes")
    assert (field(done, "in_force"), field(done, "digest")) == (True, digest)
    shown = team.cli("cy", "roster", "show")
    assert "in prod: 2 operators sign, besides whoever asked" in shown
    chain = team.directory / "chain.json"
    chain.write_text(team.cli("cy", "--json", "roster", "show"), encoding="utf-8")
    told = team.cli("cy", "roster", "verify", str(chain), "--digest", digest)
    assert "signed by ada, bob" in told
    assert f"+ {DEFAULT_SCOPE} is prod" in told


def _two_sign_besides_the_one_who_asked(team: Team, target: Path) -> str:
    run = team.begin("page")
    [one] = team.waiting()
    assert field(one, "run_id") == run
    assert field(one, "waiting", "signatures") == 2
    assert field(one, "waiting", "of") == ["bob", "cy"]
    team.sign("bob", run)
    assert not target.exists()
    assert field(team.waiting()[0], "waiting", "signatures") == 1
    again = team.sign("bob", run)
    assert field(again, "phase") == "waiting_approval"
    team.sign("cy", run)
    wait_for("the page", lambda: target.exists() or None)
    assert target.read_text(encoding="utf-8") == "one"
    return run


def _a_grant_asks_the_tags_that_operators_signed(team: Team) -> None:
    """Cy may decide on staging alone: the coordinator's tag does not help, a signed one does."""
    team.cli("ada", "operator", "grant", "cy", "--on", "env=staging", "--yes")
    team.cli("bob", "roster", "sign", "--yes")
    team.cli("ada", "agents", "tag", "web", "env=staging")
    target = team.upload("ada", "granted", "two")
    run = team.begin("granted")
    team.sign("bob", run)
    waits = team.sign("cy", run)
    assert field(waits, "phase") == "waiting_approval"
    shown = team.cli("cy", "approvals", "show", run)
    assert "cy (not counted)" in shown
    assert not target.exists()
    team.cli("ada", "agents", "vouch", "web", "--tag", "env=staging", "--yes")
    team.sign("cy", run)
    wait_for("the granted file", lambda: target.exists() or None)


def _what_was_taken_back_is_never_done(team: Team) -> None:
    """Approved while the host is away, and taken back before it returns."""
    target = team.upload("ada", "late", "three")
    run = team.begin("late")
    team.sign("bob", run)
    fleet = team.fleet
    fleet.stop("host")
    team.sign("cy", run, "--no-wait")
    assert field(team.ask("cy", "approvals", "show", run), "status") == "approved"
    done = team.ask("bob", "approvals", "revoke", run, "--reason", "wrong day", "--yes")
    assert field(done, "phase") == "cancelled"
    assert field(team.ask("cy", "approvals", "show", run), "status") == "revoked"
    team.start_host()
    wait_for("the host", lambda: field(fleet.agents()[0], "connected") is True or None)
    after = team.begin("late", "ada")
    assert field(team.ask("ada", "explain", after), "phase") == "waiting_approval"
    assert not target.exists()
    team.cli("bob", "approvals", "deny", after, "--yes")
    assert "denied" in team.cli("cy", "explain", after)
