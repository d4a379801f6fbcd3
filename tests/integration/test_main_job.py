"""The main job with real processes: enrolled, approved, applied, watched, killed and restarted.

It drives the same `LocalFleet` as `./dev up`, through the operator's command line.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from client.session import Session, Settings
from devtools.local_fleet import ROOT, FleetError, LocalFleet, field, wait_for, wall_clock
from devtools.up import Walk
from protocol.api import UploadModuleRequest

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]
NODE = "first"
# Modules that a test leaves behind are no longer desired in the next one's apply.
REMOVALS = ("--removal-limit", "9")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFleet]:
    """One coordinator and one enrolled, approved agent with nothing applied yet."""
    with LocalFleet(tmp_path_factory.mktemp("fleet")) as made:
        walk = Walk(made)
        walk.start()
        walk.enrol()
        yield made


def upload(fleet: LocalFleet, name: str, body: str) -> None:
    """Sign and upload a module for Linux hosts."""
    path = fleet.directory / f"{name}.ordo.yaml"
    head = f"name: {name}\nsupports:\n  - platform: linux\nresources:\n"
    path.write_text(head + body, encoding="utf-8")
    fleet.cli("state", "upload", str(path))


def file_resource(path: Path, content: str) -> str:
    """Return a file-unix resource."""
    return f"  - resource:\n      file-unix: {{path: {path}, content: '{content}', mode: '0644'}}\n"


def drifted_since(fleet: LocalFleet, moment: float) -> object | None:
    """Return the newest drift record if it says drifted and was made after a moment."""
    records = fleet.ask("state", "drift-list", "--agent", NODE, "--limit", "1")
    assert isinstance(records, list)
    for record in records:
        if (
            field(record, "status") == "drifted"
            and float(str(field(record, "checked_at"))) > moment
        ):
            return record
    return None


def test_apply_twice_leaves_nothing_to_do(fleet: LocalFleet, tmp_path: Path) -> None:
    """After an apply the second plan is empty, and its exit code says so."""
    target = tmp_path / "twice"
    upload(fleet, "twice", file_resource(target, "one"))
    fleet.cli("state", "plan", NODE, "--module", "twice", "--detailed-exitcode", codes=[6])
    fleet.cli("state", "apply", NODE, "--module", "twice", "--yes", *REMOVALS)
    assert target.read_text(encoding="utf-8") == "one"
    fleet.cli("state", "plan", NODE, "--module", "twice", "--detailed-exitcode")


def test_drift_is_seen_while_the_coordinator_is_away(fleet: LocalFleet, tmp_path: Path) -> None:
    """A change made while the coordinator is down is reported with the time it was seen."""
    target = tmp_path / "away"
    upload(fleet, "away", file_resource(target, "kept"))
    fleet.cli("state", "apply", NODE, "--module", "away", "--yes", *REMOVALS)
    fleet.stop("coordinator", signal.SIGKILL)
    before = wall_clock()
    target.write_text("changed", encoding="utf-8")
    fleet.start_coordinator()
    record = wait_for("the record of the drift", lambda: drifted_since(fleet, before))
    shown = str(field(record, "resources"))
    assert str(target) in shown


def test_a_host_gets_the_bytes_of_an_artifact_that_a_signed_module_names(
    fleet: LocalFleet, tmp_path: Path
) -> None:
    """Uploaded once, asked for over the link in three parts, verified, written."""
    data = os.urandom(1_200_000)
    source, target = tmp_path / "tool", tmp_path / "installed"
    source.write_bytes(data)
    made = fleet.ask("artifacts", "upload", str(source))
    digest = str(field(made, "sha256"))
    body = f"{{path: {target}, source: 'artifact:{digest}', sha256: {digest}, mode: '0755'}}"
    upload(fleet, "tool", f"  - resource:\n      file-unix: {body}\n")
    fleet.cli("state", "apply", NODE, "--module", "tool", "--yes", *REMOVALS)
    assert target.read_bytes() == data
    fleet.cli("state", "plan", NODE, "--module", "tool", "--detailed-exitcode")


def test_an_apply_is_taken_back_on_its_host_once_that_was_signed(
    fleet: LocalFleet, tmp_path: Path
) -> None:
    """Planned there, approved by its digest, done exactly; what changed since stays, with why."""
    old, new, touched = tmp_path / "old", tmp_path / "new", tmp_path / "touched"
    old.write_text("before", encoding="utf-8")
    old.chmod(0o640)
    files = "".join(file_resource(path, "after") for path in (old, new, touched))
    upload(fleet, "back", files)
    fleet.cli("state", "apply", NODE, "--module", "back", "--yes", *REMOVALS)
    assert old.read_text(encoding="utf-8") == "after"
    listed = fleet.ask("state", "list", "--agent", NODE, "--limit", "1")
    operations = field(listed, "operations")
    assert isinstance(operations, list)
    operation = str(field(operations[0], "operation_id"))
    touched.write_text("by hand", encoding="utf-8")
    shown = fleet.cli("state", "rollback", operation, "--plan")
    assert f"refused: {touched} was changed since" in shown
    assert old.read_text(encoding="utf-8") == "after"
    fleet.cli("state", "rollback", operation, "--yes", codes=[5])
    assert old.read_text(encoding="utf-8") == "before"
    assert old.stat().st_mode & 0o777 == 0o640
    assert not new.exists()
    assert touched.read_text(encoding="utf-8") == "by hand"


def test_an_agent_that_is_killed_comes_back_as_the_same_host(fleet: LocalFleet) -> None:
    """SIGKILL and a new start: the same node id, still approved, no new enrolment."""
    before = [field(agent, "node_id") for agent in fleet.agents()]
    fleet.stop("agent", signal.SIGKILL)
    fleet.start_agent("agent")

    def back() -> bool | None:
        return all(field(agent, "connected") for agent in fleet.agents()) or None

    wait_for("the agent to come back", back)
    assert [field(agent, "node_id") for agent in fleet.agents()] == before


def test_a_host_that_changed_after_the_plan_refuses_the_item(
    fleet: LocalFleet, tmp_path: Path
) -> None:
    """What was approved is what runs: a file that changed in between is left alone."""
    target = tmp_path / "stale"
    target.write_text("at plan time", encoding="utf-8")
    upload(fleet, "stale", file_resource(target, "desired"))
    plan = fleet.ask("state", "plan", NODE, "--module", "stale")
    run = str(field(plan, "run_id"))
    target.write_text("changed by somebody", encoding="utf-8")
    with pytest.raises(FleetError, match=r"stale|plan_changed"):
        fleet.cli("approve", run, "--yes", *REMOVALS)
    assert target.read_text(encoding="utf-8") == "changed by somebody"


def gated_script(fleet: LocalFleet, name: str, folder: Path) -> tuple[Path, Path]:
    """Upload a script that notes each start and then waits at a gate; return notes and gate."""
    notes, gate = folder / "starts", folder / "gate"
    os.mkfifo(gate)
    upload(
        fleet,
        name,
        "  - id: gated\n    resource:\n      script:\n        program: sh\n"
        f"        check: test -e {folder}/done\n"
        f"        apply: echo started >> {notes}; read line < {gate}; touch {folder}/done\n",
    )
    return notes, gate


def start_apply(fleet: LocalFleet, name: str) -> str:
    """Plan, approve in the background of this test, and return the run that applies."""
    plan = fleet.ask("state", "plan", NODE, "--module", name)
    made = fleet.ask("approve", str(field(plan, "run_id")), "--yes", "--no-wait", *REMOVALS)
    return str(field(made, "run_id"))


def phase_of(fleet: LocalFleet, run: str) -> str:
    """Return the phase of a run."""
    return str(field(fleet.ask("runs", "show", run, codes=[0, 5]), "phase"))


def test_the_coordinator_is_killed_in_the_middle_of_an_apply(
    fleet: LocalFleet, tmp_path: Path
) -> None:
    """The apply goes on without it, its result arrives after, and nothing is done twice."""
    notes, gate = gated_script(fleet, "gated", tmp_path)
    run = start_apply(fleet, "gated")
    wait_for("the script to start", lambda: notes.exists() or None)
    fleet.stop("coordinator", signal.SIGKILL)
    gate.write_text("go\n", encoding="utf-8")
    wait_for("the script to end", lambda: (tmp_path / "done").exists() or None)
    fleet.start_coordinator()
    wait_for("the result", lambda: True if phase_of(fleet, run) == "completed" else None)
    assert notes.read_text(encoding="utf-8") == "started\n"


def test_the_agent_is_killed_in_the_middle_of_a_script(fleet: LocalFleet, tmp_path: Path) -> None:
    """The script is reported as interrupted and never run again by itself."""
    notes, _ = gated_script(fleet, "killed", tmp_path)
    run = start_apply(fleet, "killed")
    wait_for("the script to start", lambda: notes.exists() or None)
    fleet.stop("agent", signal.SIGKILL)
    fleet.start_agent("agent")
    wait_for("the report", lambda: True if phase_of(fleet, run) == "failed" else None)
    assert "interrupted" in str(fleet.ask("runs", "show", run, codes=[0, 5]))
    assert notes.read_text(encoding="utf-8") == "started\n"


@pytest.mark.hostile
def test_a_plan_of_an_unsigned_module_runs_no_code_and_why_says_so(
    fleet: LocalFleet, tmp_path: Path
) -> None:
    """Whoever can only write to the coordinator cannot make a host run a check by planning it."""
    canary = tmp_path / "ran"
    body = (
        "name: unsigned\nsupports:\n  - platform: linux\nresources:\n  - resource:\n"
        f"      script: {{program: sh, manages: x, check: 'touch {canary}', apply: 'true'}}\n"
    )
    session = Session(Settings(config_dir=str(fleet.directory / "operator")))
    try:
        session.api.upload_module(UploadModuleRequest("unsigned", body))
    finally:
        session.close()
    shown = fleet.cli("state", "plan", NODE, "--module", "unsigned", codes=[0, 1, 5])
    assert "unsigned" in shown
    assert not canary.exists()
    assert "module_unsigned" in fleet.cli("why", NODE)


def test_a_malformed_module_is_refused_with_its_line(fleet: LocalFleet, tmp_path: Path) -> None:
    """The upload names file, line and the nearest right word, and stores nothing."""
    path = tmp_path / "wrong.ordo.yaml"
    text = "name: wrong\nsupports:\n  - platform: linux\nresources:\n  - resorce: {}\n"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FleetError, match=r"5.*resource") as caught:
        fleet.cli("state", "upload", str(path))
    assert "wrong.ordo.yaml" in str(caught.value)
    with pytest.raises(FleetError, match=r"exit code 4"):
        fleet.cli("modules", "show", "wrong")


def test_every_example_is_valid() -> None:
    """The examples that the README points at pass the validator."""
    from state_engine.cli.main import run

    assert run(["validate", str(ROOT / "examples")]) == 0
