from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import pytest
import trio

from coordinator.store.threads import StoreBusyError, StoreClosedError, Ticket, Workers


class Turns:
    """A worker's work that waits at a gate and keeps the size of each turn."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.sizes: list[int] = []

    @contextmanager
    def turn(self) -> Generator[Callable[[Sequence[Ticket]], None]]:
        def batch(tickets: Sequence[Ticket]) -> None:
            self.entered.set()
            self.gate.wait(10)
            self.sizes.append(len(tickets))

        yield batch


async def test_what_waits_is_done_in_one_turn() -> None:
    """Tickets that came while the worker was busy share the next turn: the group commit."""
    turns = Turns()
    workers: Workers[Ticket] = Workers("w", count=1, batch=100, limit=100)
    workers.start(turns.turn)
    tickets = [Ticket() for _ in range(6)]
    workers.submit(tickets[0])
    await trio.to_thread.run_sync(turns.entered.wait, 10)  # noqa: TID251 - the test waits for a real thread
    for ticket in tickets[1:]:
        workers.submit(ticket)
    turns.gate.set()
    for ticket in tickets:
        await ticket.outcome()
    assert turns.sizes == [1, 5]
    workers.close()


async def test_a_full_queue_refuses_at_once() -> None:
    """The bound is a refusal, never a wait."""
    turns = Turns()
    workers: Workers[Ticket] = Workers("w", count=1, batch=1, limit=2)
    workers.start(turns.turn)
    workers.submit(Ticket())
    await trio.to_thread.run_sync(turns.entered.wait, 10)  # noqa: TID251 - the test waits for a real thread
    workers.submit(Ticket())
    workers.submit(Ticket())
    with pytest.raises(StoreBusyError, match="2 jobs wait"):
        workers.submit(Ticket())
    turns.gate.set()
    workers.close()
    assert turns.sizes == [1, 1, 1]


async def test_closed_workers_take_nothing_more() -> None:
    """After `close` a ticket is refused, and what was queued has been done."""
    turns = Turns()
    turns.gate.set()
    workers: Workers[Ticket] = Workers("w", count=2, batch=4, limit=8)
    workers.start(turns.turn)
    ticket = Ticket()
    workers.submit(ticket)
    workers.close()
    workers.close()
    await ticket.outcome()
    with pytest.raises(StoreClosedError):
        workers.submit(Ticket())


async def test_the_error_is_raised_to_the_owner() -> None:
    """What the worker could not do, its owner hears; the success hook is not run."""
    called: list[str] = []
    ticket = Ticket(lambda: called.append("success"))
    ticket.error = OSError("disk")
    ticket.deliver()
    with pytest.raises(OSError, match="disk"):
        await ticket.outcome()
    assert called == []


def test_an_ended_event_loop_is_passed_over() -> None:
    """A worker that finishes after its owner's loop has ended does not fail."""
    kept: list[Ticket] = []

    async def owner() -> None:
        kept.append(Ticket())
        await trio.lowlevel.checkpoint()

    trio.run(owner)
    kept[0].deliver()
