"""`standfast operator`: from nobody to a fleet of several people."""

from __future__ import annotations

from pathlib import Path

import msgspec

from client.profiles import PROFILES_FILE
from protocol import dsse, roster, sealing
from protocol.keys import SigningKey
from tests.fakes.api_server import FakeCoordinator
from tests.fakes.operator import Person


def test_init_makes_a_key_and_a_roster_that_verifies(stranger: Person) -> None:
    """The roster file is what `standfast-coordinator init --roster` takes."""
    shown = stranger.types("operator init --username lena --json")
    assert shown.code == 0, shown
    document = shown.document()
    path = Path(str(document["roster_file"]))
    envelope = dsse.decode(path.read_bytes())
    trusted = roster.verify_first(envelope, str(document["roster_digest"]))
    assert isinstance(trusted, roster.TrustedRoster)
    [only] = trusted.roster.operators
    assert (only.username, only.role, only.public_key) == ("lena", "admin", document["public_key"])
    assert str(path) in str(document["next"])
    for file in ("operator.key", "roster.json"):
        assert (stranger.directory / file).stat().st_mode & 0o777 == 0o600


def test_init_never_replaces_a_key(stranger: Person) -> None:
    """The second time nothing is touched."""
    assert stranger.types("operator init --username lena").code == 0
    before = (stranger.directory / "operator.key").read_bytes()
    assert stranger.types("operator init --username lena").code == 1
    (stranger.directory / "roster.json").unlink()
    assert stranger.types("operator init --username lena").code == 1
    assert (stranger.directory / "operator.key").read_bytes() == before


def test_a_bad_username_is_refused_before_anything_is_written(stranger: Person) -> None:
    """No half an operator stays behind."""
    shown = stranger.types("operator init --username 1ena")
    assert shown.code == 1
    assert "begin with a letter" in shown.err
    assert not stranger.directory.exists()


def test_the_first_log_in_brings_the_roster(lena: Person, coordinator: FakeCoordinator) -> None:
    """A coordinator that knows only a key gets its roster from that operator's first command."""
    assert lena.types("agents list").code == 0
    assert len(coordinator.chain) == 1
    assert lena.types("agents list").code == 0
    assert len(coordinator.chain) == 1
    assert len(coordinator.sent("POST", "/auth/verify")) == 1


def test_whoami_asks_nobody(lena: Person, coordinator: FakeCoordinator) -> None:
    """It works with no coordinator, and afterwards says the role that the roster gives."""
    before = lena.types("operator whoami --json").document()
    assert coordinator.requests == []
    assert lena.types("operator list").code == 0
    after = lena.types("operator whoami --json").document()
    assert before["public_key"] == after["public_key"]
    assert before["roster_digest"] == after["roster_digest"]
    assert (after["username"], after["role"], after["roster_version"]) == ("lena", "admin", 1)


def test_somebody_is_added_and_removed_by_signed_rosters(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """Each change is the next version, signed by the admin; the chain verifies from the start."""
    public = SigningKey(b"\x05" * 32).public.hex()
    added = lena.types(f"operator add {public} --username omar --role operator")
    assert added.code == 0, added
    held = coordinator.trusted()
    assert held.roster.version == 2
    assert {one.username: one.role for one in held.roster.operators} == {
        "lena": "admin",
        "omar": "operator",
    }
    rows = lena.types("operator list").rows
    assert [row[:3] for row in rows] == [["lena", "admin", "signs"], ["omar", "operator", "signs"]]
    assert lena.types("operator remove omar").code == 2
    assert lena.types("operator remove OMAR --yes").code == 0
    assert [one.username for one in coordinator.trusted().roster.operators] == ["lena"]
    assert lena.types("operator remove omar --yes").code == 4


def test_the_last_admin_cannot_remove_themselves(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """A roster that nobody can change any more is not signed."""
    shown = lena.types("operator remove lena --yes")
    assert shown.code == 3, shown
    assert len(coordinator.chain) == 1


def test_somebody_who_is_no_admin_changes_nothing(
    lena: Person, coordinator: FakeCoordinator, tmp_path: Path
) -> None:
    """The client says so itself before it signs in vain; the newcomer pins the roster's digest."""
    omar = Person(tmp_path / "omar")
    omar.founds(coordinator.url)
    public = str(omar.types("operator whoami --json").document()["public_key"])
    assert lena.types(f"operator add {public} --username omar").code == 0
    refused = omar.types("operator list")
    assert refused.code == 2
    digest = coordinator.trusted().digest
    assert digest in refused.err
    assert omar.types(f"profile update lab --roster {digest}").code == 0
    assert omar.types("operator list").code == 0
    shown = omar.types("operator remove lena --yes")
    assert shown.code == 3
    assert "only an admin" in shown.err
    assert (omar.directory / PROFILES_FILE).exists()


def test_a_newcomer_at_a_terminal_is_asked_for_the_roster(
    lena: Person, coordinator: FakeCoordinator, tmp_path: Path
) -> None:
    """The question shows version, digest and admins; a no pins nothing."""
    assert lena.types("operator list").code == 0
    omar = Person(tmp_path / "omar")
    omar.founds(coordinator.url)
    assert omar.types("operator list", answer="n\n").code == 1
    asked = omar.types("operator list", answer="y\n")
    assert asked.code == 0, asked
    assert coordinator.trusted().digest in asked.err
    assert "admins: lena" in asked.err
    assert omar.types("operator list").code == 0


def test_an_operator_who_is_no_admin_changes_the_key_with_an_admins_help(
    lena: Person, coordinator: FakeCoordinator, tmp_path: Path
) -> None:
    """The old key signs until the roster names the new one; then the new one takes its place."""
    omar = Person(tmp_path / "omar")
    omar.founds(coordinator.url)
    before = omar.types("operator whoami --json").document()
    assert lena.types(f"operator add {before['public_key']} --username omar").code == 0
    digest = coordinator.trusted().digest
    assert omar.types(f"profile update lab --roster {digest}").code == 0
    begun = omar.types("operator rotate")
    assert begun.code == 0, begun
    line = next(part for part in begun.out.splitlines() if "operator replace omar" in part)
    statement = line.split()[-1]
    assert omar.types("operator whoami --json").document()["public_key"] == before["public_key"]
    again = omar.types("operator rotate")
    assert "operator replace omar" in again.out
    assert lena.types(f"operator replace lena {statement} --yes").code == 2
    assert lena.types(f"operator replace omar {statement}").code == 2
    assert lena.types(f"operator replace omar {statement} --yes").code == 0
    done = omar.types("operator rotate")
    assert (done.code, "in force" in done.out) == (0, True), done
    after = omar.types("operator whoami --json").document()
    assert after["public_key"] != before["public_key"]
    held = coordinator.trusted().roster
    assert {one.username: one.role for one in held.operators} == {
        "lena": "admin",
        "omar": "operator",
    }
    assert held.find(str(after["operator_id"])) is not None
    assert [path.name for path in omar.directory.glob("operator.key*")] == ["operator.key"]


def test_an_admin_changes_the_own_key_with_one_command(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """Nothing is signed without a yes, and the new key keeps role and name."""
    assert lena.types("agents list").code == 0
    before = lena.types("operator whoami --json").document()
    assert lena.types("operator rotate").code == 2
    assert len(coordinator.chain) == 1
    assert lena.types("operator rotate --yes").code == 0
    after = lena.types("operator whoami --json").document()
    assert before["operator_id"] != after["operator_id"]
    [only] = coordinator.trusted().roster.operators
    assert (only.operator_id, only.username, only.role) == (after["operator_id"], "lena", "admin")
    assert lena.types("agents list").code == 0


def test_an_admin_without_a_sealing_key_gets_one(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """The own by one command, another admin's as they show it; nothing else changes."""
    mia = SigningKey.generate()
    assert lena.types(f"operator add {mia.public.hex()} --username mia --role admin").code == 0
    assert lena.types("operator add " + "ab" * 32 + " --username olaf").code == 0
    shown = sealing.operator_key(mia.seed()).public.hex()
    for wrong in ("mia", "mia zz", f"olaf {shown}", f"nobody {shown}"):
        assert lena.types(f"operator sealing-key {wrong} --yes").code != 0
    before = coordinator.trusted().roster
    assert lena.types(f"operator sealing-key mia {shown}").code == 2
    assert coordinator.trusted().roster == before
    said = lena.types(f"operator sealing-key mia {shown} --yes")
    assert said.code == 0
    assert "secrets to" in said.out
    after = coordinator.trusted().roster
    keys = {one.username: one.sealing_key for one in after.operators}
    assert keys["mia"] == shown
    assert [msgspec.structs.replace(one, sealing_key="") for one in after.operators] == [
        msgspec.structs.replace(one, sealing_key="") for one in before.operators
    ]
    own = str(lena.types("operator whoami --json").document()["sealing_key"])
    assert keys["lena"] == own
    # It is in the roster already: no version is made for nothing.
    assert lena.types("operator sealing-key").code == 0
    assert coordinator.trusted().roster.version == after.version
    other = "cd" * 32
    assert lena.types(f"operator sealing-key lena {other} --yes").code == 0
    assert lena.types("operator sealing-key --yes").code == 0
    assert coordinator.trusted().roster.operators[0].sealing_key == own
