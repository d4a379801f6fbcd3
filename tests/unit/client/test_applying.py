"""The order show, ask, compare, sign; `cli/test_state.py` and `tests/hostile` walk all of it."""

from __future__ import annotations

import msgspec

from protocol import api
from tests.fakes.api_server import FakeCoordinator, item
from tests.fakes.operator import Person


def test_a_quorum_that_lacks_a_signature_names_the_next_command(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """One signature of two leaves the run waiting, and says for whom."""
    coordinator.add_host("web", item("/etc/a"))

    def keep_waiting(run: api.Run) -> api.Run:
        if run.step == "state.apply":
            coordinator.on("GET", f"/runs/{run.run_id}", lambda _: _reply(run))
        return run

    def _reply(run: api.Run) -> object:
        from tests.fakes.api_server import Reply

        return Reply(run)

    coordinator.bend = keep_waiting
    shown = lena.types("state apply web --yes")
    assert shown.code == 1
    assert "waits for more signatures" in shown.err
    assert "next: standfast approve" in shown.err
    assert len(coordinator.decisions) == 1


def test_the_epoch_is_that_of_our_own_roster(lena: Person, coordinator: FakeCoordinator) -> None:
    """The decision and its JSON report: requested by us, epoch 0 of the pinned roster."""
    coordinator.add_host("web", item("/etc/a"))
    shown = lena.types("state apply web --yes --json").document()
    assert shown["succeeded"] is True
    [decision] = coordinator.decisions
    assert decision.epoch == 0
    assert decision.uses == 1
    assert decision.requested_by == coordinator.trusted().roster.operators[0].operator_id


def test_a_run_that_ended_meanwhile_is_not_signed(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """A run that somebody cancelled gets no signature."""
    coordinator.add_host("web", item("/etc/a"))
    coordinator.bend = lambda run: (
        msgspec.structs.replace(run, phase="cancelled") if run.step == "state.apply" else run
    )
    shown = lena.types("state apply web --yes")
    assert shown.code == 1
    assert "cancelled" in shown.err
    assert not coordinator.decisions
