"""Commands: placed once, signed or not run, limited, cancelled host by host, deleted when over."""

from __future__ import annotations

import pytest

from coordinator.domain import commands, runs
from coordinator.domain.refusals import Refusal
from coordinator.store import events
from protocol import api
from protocol.api_commands import Execution
from tests.fakes.command_fleet import CommandFleet, accepted, asked, ended
from tests.fakes.fleet import OPERATOR


@pytest.fixture
def fleet() -> CommandFleet:
    return CommandFleet()


def test_nothing_is_offered_before_the_signature(fleet: CommandFleet) -> None:
    """A command waits for its decision, which must cover its document and its hosts."""
    host = fleet.add(10)
    made = fleet.make(asked("reboot"))
    assert fleet.run(made.id).phase == "waiting_approval"
    assert fleet.take(host).offers == ()
    for changes in ({"action_hash": "0" * 64}, {"capability": "state.apply"}):
        assert isinstance(fleet.sign(made, **changes), Refusal)
    assert fleet.take(host).offers == ()
    assert isinstance(fleet.sign(made), api.Run)
    assert fleet.one_offer(host).command == made.command


def test_who_no_host_matches_is_over_at_once(fleet: CommandFleet) -> None:
    """A command without executions has no run."""
    made = fleet.make(asked())
    assert (made.run_id, made.executions) == (None, {})
    assert fleet.store.write_now(lambda tx: commands.delete(tx, OPERATOR, made.id)) is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"command_text": " "}, "command_text"),
        ({"timeout": 0}, "command_text"),
        ({"expires_at": "yesterday"}, "expires_at"),
        ({"expires_at": "2000-01-01T00:00:00Z"}, "expires_at"),
        ({"expired_at": "2099-01-01T00:00:00Z"}, "expires_at"),
        ({"max_parallel": -1}, "max_parallel"),
    ],
)
def test_what_breaks_a_rule_is_refused(
    fleet: CommandFleet, change: dict[str, object], field: str
) -> None:
    """With the field that is wrong."""
    import msgspec

    refused = fleet.refused(msgspec.structs.replace(asked(), **change))
    assert refused.kind == "validation_failed"
    assert list(refused.details or {}) == [field]


def test_hosts_take_turns_where_that_is_asked_for(fleet: CommandFleet) -> None:
    """One at work at once: the end of one is the turn of the next, who is woken for it."""
    first, second = fleet.add(10), fleet.add(11)
    made = fleet.signed(asked(max_parallel=1))
    offer = fleet.one_offer(first)
    assert fleet.take(second).offers == ()
    fleet.told.clear()
    fleet.deliver(first, first.say(*accepted(offer), *ended(first, offer)))
    assert any(f"node:{second.node_id}" in topics for topics in fleet.told)
    later = fleet.one_offer(second)
    fleet.deliver(second, second.say(*accepted(later), *ended(second, later)))
    assert fleet.run(made.id).phase == "completed"


def test_after_too_many_failures_the_rest_never_begins(fleet: CommandFleet) -> None:
    """Their executions are cancelled, with the reason."""
    first, second = fleet.add(10), fleet.add(11)
    made = fleet.signed(asked(max_failures=0))
    offer = fleet.one_offer(first)
    said = ended(first, offer, code=1, outcome="failed")
    fleet.deliver(first, first.say(*accepted(offer), *said))
    one = fleet.part(made, second)
    assert (one.status, one.message) == ("cancelled", "not begun: 1 host failed")
    assert fleet.take(second).offers == ()


def test_one_host_is_cancelled_and_the_others_go_on(fleet: CommandFleet) -> None:
    """Pending: at once. Sent: the host is told. Over: a conflict."""
    first, second, third = (fleet.add(number) for number in (10, 11, 12))
    made = fleet.signed(asked())
    offer = fleet.one_offer(first)
    fleet.deliver(first, first.say(*accepted(offer)))
    gone = fleet.cancel(fleet.part(made, second))
    assert isinstance(gone, Execution)
    assert gone.status == "cancelled"
    told = fleet.cancel(fleet.part(made, first))
    assert isinstance(told, Execution)
    assert told.status == "sent"
    assert [one.run_id for one in fleet.take(first).cancels] == [made.id]
    again = fleet.cancel(gone)
    assert isinstance(again, Refusal)
    assert again.kind == "conflict"
    assert fleet.one_offer(third).run_id == made.id


def test_a_command_is_deleted_once_it_is_over(fleet: CommandFleet) -> None:
    """So is an execution; the event log keeps who took which away."""
    host = fleet.add(10)
    made = fleet.signed(asked())
    one = fleet.part(made, host)
    for refused in (
        fleet.store.write_now(lambda tx: commands.delete(tx, OPERATOR, made.id)),
        fleet.store.write_now(lambda tx: commands.delete_execution(tx, OPERATOR, one.id)),
    ):
        assert refused is not None
        assert refused.kind == "conflict"
    fleet.store.write_now(lambda tx: runs.cancel(tx, OPERATOR, made.id))
    assert fleet.part(made, host).status == "cancelled"
    assert fleet.store.write_now(lambda tx: commands.delete_execution(tx, OPERATOR, one.id)) is None
    assert fleet.store.write_now(lambda tx: commands.delete(tx, OPERATOR, made.id)) is None
    assert isinstance(fleet.store.read_now(lambda tx: commands.get(tx, made.id)), Refusal)
    told = fleet.store.read_now(lambda tx: events.after(tx, 0))[-2:]
    assert [(event.type, event.target.id, event.actor) for event in told] == [
        ("command_execution.deleted", one.id, OPERATOR.principal()),
        ("command.deleted", made.id, OPERATOR.principal()),
    ]


def test_a_command_is_made_in_its_own_place_only(fleet: CommandFleet) -> None:
    """POST /runs makes none: it would have no document."""
    host = fleet.add(10)
    request = api.RunRequest("command.run", (host.node_id,))
    refused = fleet.store.write_now(lambda tx: runs.create_run(tx, OPERATOR, request))
    assert isinstance(refused, Refusal)


def test_what_is_not_there_is_not_found(fleet: CommandFleet) -> None:
    """In each of the ways to ask."""
    for job in (
        lambda tx: commands.get(tx, "x"),
        lambda tx: commands.delete(tx, OPERATOR, "x"),
        lambda tx: commands.get_execution(tx, "x"),
        lambda tx: commands.delete_execution(tx, OPERATOR, "x"),
        lambda tx: commands.cancel_execution(tx, OPERATOR, "x"),
        lambda tx: commands.output_after(tx, "x", 0),
    ):
        refused = fleet.store.write_now(job)
        assert isinstance(refused, Refusal)
        assert refused.kind == "not_found"
