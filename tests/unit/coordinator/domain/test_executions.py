"""Executions follow their run and their hosts' words, however late those come."""

from __future__ import annotations

import pytest

from coordinator.domain import agents, runs
from coordinator.store import events
from protocol import api
from protocol.messages import Finished, RefusedStep
from tests.fakes.command_fleet import CommandFleet, accepted, asked, ended
from tests.fakes.fleet import OPERATOR


def test_a_command_goes_from_pending_over_sent_to_completed() -> None:
    """With output, exit code, times, and a line in the event log for each."""
    fleet = CommandFleet()
    host = fleet.add(10)
    made = fleet.signed(asked())
    assert fleet.part(made, host).status == "pending"
    offer = fleet.one_offer(host)
    assert offer.command == made.command
    assert offer.decision is not None
    fleet.deliver(host, host.say(*accepted(offer)))
    assert fleet.part(made, host).status == "sent"
    fleet.deliver(host, host.say(*ended(host, offer, code=3, outcome="failed", text="hi\n")))
    one = fleet.part(made, host)
    assert (one.status, one.exit_code, one.output, one.ending) == ("completed", 3, "hi\n", "exited")
    assert one.completed_at is not None
    kinds = [event.type for event in fleet.store.read_now(lambda tx: events.after(tx, 0))]
    assert [kind for kind in kinds if kind.startswith("command_execution.")] == [
        "command_execution.created",
        "command_execution.sent",
        "command_execution.completed",
    ]


def test_a_result_that_comes_after_the_end_is_taken_once() -> None:
    """Expired with no result: the late one counts; a second one does not."""
    fleet = CommandFleet()
    host = fleet.add(10)
    made = fleet.signed(asked())
    offer = fleet.one_offer(host)
    fleet.clock.now += 200_000
    fleet.store.write_now(lambda tx: runs.sweep(tx, runs.due(tx)))
    assert (fleet.part(made, host).status, fleet.run(made.id).phase) == ("expired", "expired")
    fleet.deliver(host, host.say(*accepted(offer), *ended(host, offer, text="late")))
    assert fleet.run(made.id).phase == "expired"
    one = fleet.part(made, host)
    assert (one.status, one.exit_code, one.output) == ("completed", 0, "late")
    fleet.deliver(host, host.say(*ended(host, offer, code=9, outcome="failed")))
    assert fleet.part(made, host).exit_code == 0


def test_a_refusal_is_over_without_an_exit_code() -> None:
    """The reason says whose."""
    fleet = CommandFleet()
    host = fleet.add(10)
    made = fleet.signed(asked())
    offer = fleet.one_offer(host)
    fleet.deliver(host, host.say(RefusedStep(made.id, offer.fence, "policy_denied", "no")))
    one = fleet.part(made, host)
    assert (one.status, one.exit_code, one.reason) == ("completed", None, "policy_denied")


def test_a_cancelled_command_has_143_even_if_the_host_never_knew_it() -> None:
    """As published."""
    fleet = CommandFleet()
    host = fleet.add(10)
    made = fleet.signed(asked())
    offer = fleet.one_offer(host)
    fleet.deliver(host, host.say(Finished(made.id, offer.fence, "cancelled")))
    one = fleet.part(made, host)
    assert (one.status, one.exit_code, one.ending) == ("cancelled", 143, "cancelled")


def test_a_deleted_host_drops_what_it_had_not_done() -> None:
    """And that never changes again."""
    fleet = CommandFleet()
    host = fleet.add(10)
    made = fleet.signed(asked())
    offer = fleet.one_offer(host)
    request = api.StatusChangeRequest("rejected")
    fleet.store.write_now(lambda tx: agents.decide(tx, OPERATOR, host.node_id, request, None))
    fleet.store.write_now(lambda tx: agents.delete(tx, OPERATOR, host.node_id))
    assert fleet.part(made, host).status == "dropped"
    fleet.deliver(host, host.say(*ended(host, offer)))
    assert (fleet.part(made, host).status, fleet.part(made, host).output) == ("dropped", None)


def test_a_host_speaks_for_itself_only() -> None:
    """Output and results of a command that is not for it are nothing."""
    fleet = CommandFleet()
    host = fleet.add(10)
    made = fleet.signed(asked())
    offer = fleet.one_offer(host)
    other = fleet.add(11)
    fleet.deliver(other, other.say(*ended(other, offer, text="lie")))
    one = fleet.part(made, host)
    assert (one.status, one.output) == ("pending", None)


@pytest.mark.parametrize("code", [-1, 256, 2**53 + 1, 2**70])
def test_an_exit_code_that_no_program_has_is_none(code: int) -> None:
    """A hostile host's number reaches neither the store nor a client."""
    fleet = CommandFleet()
    host = fleet.add(10)
    made = fleet.signed(asked())
    offer = fleet.one_offer(host)
    fleet.deliver(host, host.say(*ended(host, offer, code=code)))
    one = fleet.part(made, host)
    assert (one.status, one.exit_code) == ("completed", None)
