"""Keys that change, and hosts that are copied, with real processes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.local_fleet import LocalFleet, field, rows, wait_for
from devtools.up import Walk

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]
NODE = "first"


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[LocalFleet]:
    """One coordinator and one enrolled, approved agent."""
    with LocalFleet(tmp_path / "fleet") as made:
        walk = Walk(made)
        walk.start()
        walk.enrol()
        yield made


def agent(fleet: LocalFleet) -> object:
    (found,) = fleet.agents()
    return found


def connected(fleet: LocalFleet) -> bool | None:
    return True if field(agent(fleet), "connected") else None


def test_a_new_coordinator_key_is_followed_by_host_and_client(fleet: LocalFleet) -> None:
    """Nobody is told by hand; work goes on, and a coordinator with a foreign key is refused."""
    data = str(fleet.directory / "coordinator")
    before = field(fleet.ask("status"), "status", "public_key")
    fleet.stop("coordinator")
    fleet.run("standfast-coordinator", "rotate-key", "--data-dir", data)
    fleet.run("standfast-coordinator", "rotate-key", "--data-dir", data)
    fleet.start_coordinator()
    wait_for("the host to come back", lambda: connected(fleet))
    after = field(fleet.ask("status"), "status", "public_key")
    assert before != after
    fleet.cli("state", "drift", NODE)
    fleet.stop("coordinator")
    (fleet.directory / "coordinator" / "rotations.json").unlink()
    key = fleet.directory / "coordinator" / "coordinator.key"
    key.write_text("ab" * 32 + "\n", encoding="ascii")
    fleet.start_coordinator()
    wait_for("the host to refuse it", lambda: "is not the pinned" in fleet.log("agent") or None)
    assert field(agent(fleet), "connected") is False
    shutil.rmtree(fleet.directory / "operator" / "tokens")
    assert "first" not in fleet.cli("agents", "list", codes=[1, 3])


def test_a_copied_host_gets_no_work_until_one_is_chosen(fleet: LocalFleet) -> None:
    """Both run with the same key: it shows within seconds, and the chosen one works again."""
    first, copy = fleet.directory / "agent", fleet.directory / "copy"
    fleet.stop("agent")
    shutil.copytree(first, copy, symlinks=True, ignore=shutil.ignore_patterns("*.sock"))
    fleet.start_agent("agent")
    wait_for("the host to come back", lambda: connected(fleet))
    fleet.start_agent("copy")
    found = wait_for(
        "the copy to show", lambda: next(iter(rows(fleet.ask("clones", "list"))), None)
    )
    assert field(found, "diverged") is True
    assert (field(agent(fleet), "status"), field(agent(fleet), "cloned")) == ("pending", True)
    assert "standfast clones list" in fleet.cli("why", NODE)
    fleet.stop("copy")
    holders = rows(field(found, "holders"))
    fleet.cli("clones", "keep", NODE, str(field(holders[0], "holder_id")), "--yes")
    fleet.stop("agent")
    fleet.start_agent("agent")
    fleet.start_agent("copy")

    def works() -> bool | None:
        shown = agent(fleet)
        ready = field(shown, "connected") and field(shown, "status") == "approved"
        return True if ready and not field(shown, "cloned") else None

    wait_for("the chosen one to be approved", works)
    fleet.cli("state", "drift", NODE)
    told = fleet.log("agent") + fleet.log("copy")
    assert "another holds this host's key" in told


def test_a_coordinator_put_back_from_a_copy_takes_no_host_for_a_clone(fleet: LocalFleet) -> None:
    """With the word `restored` every host comes back as what it was."""
    data = fleet.directory / "coordinator"
    fleet.stop("coordinator")
    shutil.copytree(data, fleet.directory / "backup")
    for _ in range(2):
        fleet.start_coordinator()
        wait_for("the host to come back", lambda: connected(fleet))
        fleet.stop("coordinator")
    shutil.rmtree(data)
    shutil.copytree(fleet.directory / "backup", data)
    fleet.run("standfast-coordinator", "restored", "--data-dir", str(data))
    fleet.start_coordinator()
    wait_for("the host to come back", lambda: connected(fleet))
    assert rows(fleet.ask("clones", "list")) == []
    assert field(agent(fleet), "status") == "approved"


def test_a_host_installed_anew_keeps_its_id_by_a_recovery_key(fleet: LocalFleet) -> None:
    """Name and approval stay; nobody signs a plan of the new key before an operator vouched."""
    node_id = str(field(agent(fleet), "node_id"))
    made = fleet.ask("enrol-key", "create", "--recovers", NODE)
    key = str(field(made, "key", "key"))
    fleet.stop("agent")
    shutil.rmtree(fleet.directory / "agent")
    fleet.start_agent("agent", key)
    wait_for("the host to come back", lambda: connected(fleet))
    shown = agent(fleet)
    assert (field(shown, "node_id"), field(shown, "name")) == (node_id, NODE)
    assert field(shown, "status") == "approved"
    module = fleet.directory / "again.ordo.yaml"
    target = fleet.directory / "again"
    module.write_text(
        "name: again\nsupports:\n  - platform: linux\nresources:\n"
        f"  - resource:\n      file-unix: {{path: {target}, content: 'again'}}\n",
        encoding="utf-8",
    )
    fleet.cli("state", "upload", str(module))
    fleet.cli("state", "apply", NODE, "--module", "again", "--yes", codes=[1, 3, 5])
    assert not target.exists()
    own = str(field(shown, "fingerprint"))
    fleet.cli("agents", "vouch", NODE, "--fingerprint", own, "--yes")
    fleet.cli("state", "apply", NODE, "--module", "again", "--yes")
    assert target.read_text(encoding="utf-8") == "again"
    # The key is spent: whoever has read it since gets nothing for it.
    fleet.start_agent("thief", key)
    wait_for("the thief to be refused", lambda: "key_spent" in fleet.log("thief") or None)
    assert field(agent(fleet), "fingerprint") == own


def test_an_operator_changes_the_key_and_goes_on_signing(fleet: LocalFleet) -> None:
    """The old key is gone from the disk, decides nothing any more, and hosts have followed."""
    key_file = fleet.directory / "operator" / "operator.key"
    old = key_file.read_bytes()
    before = field(fleet.ask("operator", "whoami"), "operator_id")
    fleet.cli("operator", "rotate", "--yes")
    after = field(fleet.ask("operator", "whoami"), "operator_id")
    assert before != after
    for path in (fleet.directory / "operator").rglob("*"):
        assert not path.is_file() or path.read_bytes() != old
    module = fleet.directory / "again.ordo.yaml"
    target = fleet.directory / "again"
    module.write_text(
        "name: again\nsupports:\n  - platform: linux\nresources:\n"
        f"  - resource:\n      file-unix: {{path: {target}, content: 'again'}}\n",
        encoding="utf-8",
    )
    fleet.cli("state", "upload", str(module))
    fleet.cli("state", "apply", NODE, "--module", "again", "--yes")
    assert target.read_text(encoding="utf-8") == "again"
    key_file.write_bytes(old)
    shutil.rmtree(fleet.directory / "operator" / "tokens")
    assert NODE not in fleet.cli("agents", "list", codes=[3])


def test_a_lost_admin_is_replaced_by_recovery_keys_offline(fleet: LocalFleet) -> None:
    """Two holders sign a file, the coordinator takes it by hand, and everybody follows."""
    for name in ("safe", "bank"):
        made = fleet.ask("roster", "recovery", f"{name}.key", "--name", name)
        fleet.cli(
            *("roster", "propose", "--recovery-key", f"{name}={field(made, 'public_key')}"),
            *("--recovery-threshold", "2" if name == "bank" else "1", "--yes"),
        )
    shutil.rmtree(fleet.directory / "operator")
    fleet.make_operator("newcomer")
    public = str(field(fleet.ask("operator", "whoami"), "public_key"))
    data = str(fleet.directory / "coordinator")
    chain = fleet.run("standfast-coordinator", "roster", "--data-dir", data)
    (fleet.directory / "chain.json").write_text(chain, encoding="utf-8")
    sign = ("roster", "recover", "chain.json", "next.json", "--yes")
    fleet.cli(*sign, "--key", "safe.key", "--admin", f"newcomer={public}")
    take = ("roster", "--data-dir", data, "--take", "next.json")
    fleet.stop("coordinator")
    fleet.run("standfast-coordinator", *take, codes=[1])
    fleet.cli(*sign, "--key", "bank.key")
    taken = fleet.run("standfast-coordinator", *take)
    assert "version 4" in taken
    fleet.start_coordinator()
    fleet.make_profile()
    fleet.cli("profile", "update", "local", "--roster", taken.split("sha256:")[1].strip())
    wait_for("the host to come back", lambda: connected(fleet))
    fleet.cli("state", "drift", NODE)
    assert "newcomer" in fleet.cli("operator", "list")
    audit = fleet.cli("audit", "list")
    assert "roster.recovered" in audit
