"""What can be decided on; `cli/test_approvals.py` and `cli/test_approve.py` walk the rest."""

from __future__ import annotations

import msgspec

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
