"""What can be decided on; `cli/test_approvals.py` and `cli/test_approve.py` walk the rest."""

from __future__ import annotations

import msgspec
import pytest

from client import deciding
from protocol import decisions, dsse
from protocol.api_approvals import Approval, Signed
from tests.fakes import people
from tests.fakes.api_server import FakeCoordinator, item
from tests.fakes.api_team import Team
from tests.fakes.operator import Person


def test_an_apply_without_a_plan_has_nothing_to_decide(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """While the hosts still plan there is nothing to show, so nothing is signed."""
    coordinator.add_host("web", item("/etc/a"))
    lena.types("state plan web --module web")
    run_id, run = next(iter(coordinator.runs.items()))
    early = msgspec.structs.replace(run, step="state.apply", phase="planning")
    coordinator.runs[run_id] = early
    refused = lena.types(f"approvals approve {run_id} --yes")
    assert refused.code == 1
    assert "has no plan yet" in refused.err
    assert not coordinator.decisions


def test_what_is_shown_as_a_decision_and_is_none_is_not_taken_back(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """A coordinator that shows something else for a decision gets no signature for it."""
    coordinator.add_host("web", item("/etc/a"))
    lena.types("state plan web --module web")
    run = next(iter(coordinator.runs.values()))
    Team(coordinator).wait_for(run, coordinator.chain[0], "max")
    assert lena.types(f"approvals revoke {run.run_id} --yes").code == 4


@pytest.mark.hostile
def test_nobody_is_shown_as_a_signer_on_the_coordinators_word() -> None:
    """Names come from the roster held here, and a signature that does not hold is said."""
    made = people.sign(dsse.DECISION, decisions.encode(people.decision()), 1, 3)
    forged = msgspec.structs.replace(made.signatures[1], keyid=people.keyid(2))
    bent = msgspec.structs.replace(made, signatures=(made.signatures[0], forged))
    said = (
        Signed(people.keyid(1), "boss", True),
        Signed(people.keyid(2), "person2", True),
        Signed(people.keyid(3), "person3", True),
    )
    run = "01JZ0000000000000000000002"
    found = Approval(
        run_id=run, step="state.apply", scope="a/b/c", status="pending", created_at="",
        created_by="", expires_at="", modules=(), nodes=(), posture="", quorum=3,
        requester_excluded=False, signed=said, decision=bent,
    )  # fmt: skip
    held = people.first_roster(people.person(1), people.person(2))
    assert deciding.signers(found, held) == (
        "person1",
        "person2 (not proven)",
        f"{people.keyid(3)} (not proven)",
    )
    assert deciding.signers(found, None)[0] == "boss (not proven)"
    nothing = msgspec.structs.replace(found, decision=None)
    assert deciding.signers(nothing, held)[0] == "person1 (not proven)"
    uncounted = msgspec.structs.replace(found, signed=(Signed(people.keyid(1), "x", False),))
    assert deciding.signers(uncounted, held) == ("person1 (not counted)",)
