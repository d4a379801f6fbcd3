"""`standfast roster`: rules changed alone, or by several, and proven from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.roster_cache import load
from tests.fakes.api_server import FakeCoordinator
from tests.fakes.api_team import Team
from tests.fakes.operator import Person

RULES = "--posture default/default/default=prod --approval prod=2,requester-excluded"


@pytest.fixture
def team(coordinator: FakeCoordinator) -> Team:
    return Team(coordinator)


@pytest.fixture
def max_(tmp_path: Path, lena: Person, team: Team) -> Person:
    """A second admin, let in by lena."""
    made = Person(tmp_path / "max")
    public = made.types("operator init --username max --json").document()["public_key"]
    added = lena.types(f"operator add {public} --username max --role admin")
    assert added.code == 0, added
    digest = lena.types("operator whoami --json").document()["roster_digest"]
    url = team.coordinator.url
    assert made.types(f"profile create lab --url {url} --roster {digest}").code == 0
    return made


def test_one_admin_changes_the_rules_alone_until_two_are_asked_for(
    lena: Person, max_: Person, team: Team
) -> None:
    """From then on a change waits for the other, who sees it in words before signing."""
    alone = lena.types("roster propose --threshold 2 --yes")
    assert alone.code == 0, alone
    assert "~ a change takes 2 admins instead of 1" in alone.out
    assert "version 3 is in force" in alone.out
    waits = lena.types(f"roster propose {RULES} --yes")
    assert waits.code == 0, waits
    assert "1 of 2" in waits.out
    [digest] = team.proposals
    assert f"standfast roster sign {digest[:16]}" in waits.out
    shown = lena.types("roster show")
    assert f"proposed: version 4, sha256:{digest}" in shown.out
    refused = max_.types(f"roster sign {digest[:8]}", answer="n\n")
    assert refused.code == 1
    assert "+ default/default/default is prod" in refused.out
    assert team.coordinator.trusted().roster.version == 3
    done = max_.types("roster sign --yes")
    assert done.code == 0, done
    assert "version 4 is in force" in done.out
    held = load(max_.directory, "lab")
    assert held is not None
    assert held.digest == digest
    again = max_.types("roster sign --yes")
    assert again.code == 4


def test_a_proposal_that_is_another_than_it_says_is_not_signed(
    lena: Person, max_: Person, team: Team
) -> None:
    """A coordinator that shows one change under the digest of another gets no signature."""
    lena.types("roster propose --threshold 2 --yes")
    lena.types(f"roster propose {RULES} --yes")
    [(digest, envelope)] = team.proposals.items()
    team.proposals = {"ab" * 32: envelope}
    refused = max_.types("roster sign abab --yes")
    assert refused.code == 3
    assert "not the one that it says" in refused.err
    team.proposals = {digest: team.coordinator.chain[1]}
    old = max_.types("roster sign --yes")
    assert old.code == 3
    assert "does not follow" in old.err


def test_grants_and_removals_wait_too(lena: Person, max_: Person, team: Team) -> None:
    """`operator` goes the same way: nothing is in force before two have signed."""
    lena.types("roster propose --threshold 2 --yes")
    granted = lena.types("operator grant max --capability state.apply --on role=web --yes")
    assert granted.code == 0, granted
    assert "only state.apply on hosts role=web" in granted.out
    assert team.coordinator.trusted().roster.version == 3
    assert max_.types("roster sign --yes").code == 0
    assert team.coordinator.trusted().roster.operators[1].grants != ()
    removed = lena.types("operator remove max --yes")
    assert removed.code == 3, removed
    assert "cannot be met" in removed.err
    assert lena.types("operator grant max --all --scope a/* --yes").code == 2
    assert lena.types("operator grant nobody --all --yes").code == 4


def test_a_recovery_key_signs_when_admins_are_lost(
    lena: Person, max_: Person, team: Team, tmp_path: Path
) -> None:
    """Made offline, named in the roster, and used alone: everybody who sees it is warned."""
    file = tmp_path / "spare.key"
    made = lena.types(f"roster recovery {file} --name safe --json").document()
    assert file.stat().st_mode & 0o777 == 0o600
    assert lena.types(f"{str(made['next']).removeprefix('standfast ')} --yes").code == 0
    assert lena.types("roster propose --threshold 2 --yes").code == 0
    done = max_.types(f"roster propose --threshold 1 --key {file} --yes")
    assert done.code == 0, done
    assert team.coordinator.trusted().roster.threshold == 1
    seen = lena.types("roster show")
    assert "CRITICAL: recovery keys" in seen.err
    assert "CRITICAL" not in lena.types("roster show").err


def test_an_epoch_voids_what_was_signed_before(lena: Person, team: Team) -> None:
    lena.types("roster show")
    assert lena.types("roster epoch --yes").code == 0
    assert team.coordinator.trusted().roster.epochs == {"default/default/default": 1}


def test_the_chain_is_verified_from_a_file_without_asking(
    lena: Person, max_: Person, team: Team, tmp_path: Path
) -> None:
    """What is shown as JSON proves itself later; a digest that is not in it does not."""
    path = tmp_path / "chain.json"
    path.write_text(max_.types("roster show --json").out, encoding="utf-8")
    team.coordinator.requests.clear()
    shown = lena.types(f"roster verify {path}")
    assert shown.code == 0, shown
    assert "version 2" in shown.out
    assert "+ max, admin" in shown.out
    assert team.coordinator.requests == []
    assert lena.types(f"roster verify {path} --digest {'ab' * 32}").code == 3
    slip = lena.types(f"roster verify {path} --digest abc")
    assert slip.code == 1
    assert "stolen" not in slip.err
    assert lena.types("roster verify").code == 0


def test_nothing_to_change_is_said(lena: Person) -> None:
    assert lena.types("roster propose --yes").code == 2
    assert lena.types("roster propose --approval prod --yes").code == 2


def test_who_is_no_admin_changes_nothing(lena: Person, max_: Person, team: Team) -> None:
    public = max_.types("operator whoami --json").document()["public_key"]
    assert public
    lena.types("operator remove max --yes")
    before = len(team.coordinator.chain)
    refused = max_.types("roster propose --threshold 1 --yes")
    assert refused.code == 3
    assert len(team.coordinator.chain) == before
