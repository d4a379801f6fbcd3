"""`standfast approvals`: several people and one run."""

from __future__ import annotations

import msgspec
import pytest

from protocol import api, decisions, dsse, revocations
from protocol.decisions import Decision
from protocol.keys import SigningKey
from protocol.revocations import Revocation
from tests.fakes.api_server import FakeCoordinator, item
from tests.fakes.api_team import Team
from tests.fakes.operator import Person


@pytest.fixture
def team(coordinator: FakeCoordinator) -> Team:
    return Team(coordinator)


@pytest.fixture
def waiting(lena: Person, coordinator: FakeCoordinator, team: Team) -> api.Run:
    """An apply that lena has signed, and that still waits."""
    coordinator.add_host("web", item("/etc/a"))
    envelopes: list[dsse.Envelope] = []

    def keep(request: object) -> object:
        from tests.fakes.api_server import Reply, Request

        assert isinstance(request, Request)
        envelope = msgspec.json.decode(request.body, type=api.DecisionRequest).envelope
        envelopes.append(envelope)
        found = msgspec.structs.replace(run, decision=envelope)
        coordinator.runs[run.run_id] = found
        team.wait_for(found, envelope, "max")
        return Reply(found)

    def bend(run: api.Run) -> api.Run:
        if run.step == "state.apply":
            coordinator.on("POST", f"/runs/{run.run_id}/decisions", keep)  # type: ignore[arg-type]  # typed inside
        return run

    coordinator.bend = bend
    assert lena.types("state plan web --module web").code == 0
    lena.types("state apply web --module web --yes --no-wait")
    run = next(one for one in coordinator.runs.values() if one.step == "state.apply")
    signed = lena.types(f"approve {run.run_id} --yes")
    assert signed.code == 0, signed
    return coordinator.runs[run.run_id]


def test_what_waits_is_listed_and_shown(lena: Person, waiting: api.Run) -> None:
    """Who is still needed stands in the list."""
    listed = lena.types("approvals list")
    assert listed.code == 0, listed
    assert listed.rows[0][0] == waiting.run_id
    assert "1 signature more, of max" in listed.out
    shown = lena.types(f"approvals show {waiting.run_id}")
    assert "2 operators sign" in shown.out
    assert f"next: standfast approve {waiting.run_id}" in shown.out
    assert lena.types(f"approvals show {waiting.run_id} --json").document()["quorum"] == 2


def test_who_has_signed_is_told_whom_it_waits_for(lena: Person, waiting: api.Run) -> None:
    """The second time by the same key is not a second signature."""
    again = lena.types(f"approvals approve {waiting.run_id} --yes")
    assert again.code == 0, again
    assert "you have signed this already" in again.err
    assert "waits for 1 signature more, of max" in again.out
    assert waiting.decision is not None
    assert len(waiting.decision.signatures) == 1
    explained = lena.types(f"explain {waiting.run_id}")
    assert "it waits for 1 signature more, of max" in explained.out


def test_a_decision_that_was_widened_is_not_co_signed(
    lena: Person, coordinator: FakeCoordinator, waiting: api.Run
) -> None:
    """What another fixed is held against the plan that was shown."""
    assert waiting.decision is not None
    held = decisions.decode(waiting.decision)
    assert isinstance(held, Decision)
    wide = decisions.encode(msgspec.structs.replace(held, uses=99))
    stranger = SigningKey.generate()
    envelope = dsse.sign(dsse.DECISION, wide, stranger, "somebody")
    coordinator.runs[waiting.run_id] = msgspec.structs.replace(waiting, decision=envelope)
    count = len(coordinator.requests)
    refused = lena.types(f"approve {waiting.run_id} --yes")
    assert refused.code == 3
    assert "is for 99 uses" in refused.err
    sent = [one for one in coordinator.requests[count:] if one.method == "POST"]
    assert sent == []


def test_a_decision_is_taken_back_by_run_or_by_id(
    lena: Person, waiting: api.Run, team: Team
) -> None:
    """The revocation names the decision, its scope and its end, and is signed."""
    assert waiting.decision is not None
    held = decisions.decode(waiting.decision)
    assert isinstance(held, Decision)
    team.let_revoke(held.decision_id, waiting.run_id)
    refused = lena.types(f"approvals revoke {waiting.run_id}", answer="n\n")
    assert refused.code == 1
    assert team.revoked == []
    done = lena.types(f"approvals revoke {waiting.run_id} --reason no --yes")
    assert done.code == 0, done
    assert "is void" in done.out
    [envelope] = team.revoked
    said = revocations.verify(envelope, team.coordinator.trusted().roster)
    assert isinstance(said, Revocation)
    assert (said.decision_id, said.reason) == (held.decision_id, "no")
    assert said.expires_at == held.expires_at
    team.approvals[waiting.run_id] = msgspec.structs.replace(
        team.approvals[waiting.run_id], decision_id=held.decision_id
    )
    by_id = lena.types(f"approvals revoke {held.decision_id} --yes --json")
    assert by_id.document()["phase"] == "cancelled"


def test_nothing_signed_is_nothing_to_take_back(lena: Person, waiting: api.Run, team: Team) -> None:
    team.wait_for(waiting, None, "max")
    assert lena.types(f"approvals revoke {waiting.run_id} --yes").code == 4
    assert lena.types("approvals revoke 01NOWHERE --yes").code == 4
    assert lena.types(f"approvals revoke x --reason {'x' * 1_025}").code == 2


def test_a_no_goes_the_same_way(lena: Person, coordinator: FakeCoordinator, team: Team) -> None:
    assert team.approvals == {}
    coordinator.add_host("web", item("/etc/a"))
    lena.types("state plan web --module web")
    run_id = next(iter(coordinator.runs))
    assert lena.types(f"approvals deny {run_id} --yes").code == 1
    assert lena.types("approvals list").code == 0
