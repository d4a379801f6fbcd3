"""The coordinator's only door to threads: workers that do blocking work for tasks of an event loop.

No SQL and no rule lives here. A worker is a thread of ours, not of the event loop's pool: the
writer's connection belongs to one thread for its whole life.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Generic, Protocol, TypeVar, runtime_checkable

import anyio
from anyio.lowlevel import current_token

from protocol.errors import StandfastError


class StoreBusyError(StandfastError):
    """The queue of work is full; the caller should answer "try again" and not wait."""


class StoreClosedError(StandfastError):
    """The workers were closed: no work is taken any more."""


@runtime_checkable
class _Asyncio(Protocol):
    def call_soon_threadsafe(self, callback: Callable[[], object], /) -> object: ...


@runtime_checkable
class _Trio(Protocol):
    def run_sync_soon(self, sync_fn: Callable[[], object], /) -> object: ...


class Ticket:
    """One piece of work on its way; its owner awaits `outcome`.

    `on_success` runs in the owner's event loop before the owner wakes, and also if it has gone.
    """

    def __init__(self, on_success: Callable[[], None] | None = None) -> None:
        self.error: BaseException | None = None
        self._on_success = on_success
        self._loop = current_token().native_token
        self._event = anyio.Event()

    def deliver(self) -> None:
        """Wake the owner, from any thread; an event loop that has ended is passed over."""
        try:
            if isinstance(self._loop, _Trio):
                self._loop.run_sync_soon(self._arrive)
            elif isinstance(self._loop, _Asyncio):
                self._loop.call_soon_threadsafe(self._arrive)
        except RuntimeError:
            # Both loops raise a RuntimeError once they are closed: nobody waits there any more.
            return

    def _arrive(self) -> None:
        if self.error is None and self._on_success is not None:
            self._on_success()
        self._event.set()

    async def outcome(self) -> None:
        """Wait until the work is done, or raise its error.

        A cancelled owner stops waiting; the work may still be done.
        """
        await self._event.wait()
        if self.error is not None:
            raise self.error


K = TypeVar("K", bound=Ticket)
# What a worker thread does with a turn of tickets: it sets `error` on each that failed.
Batch = Callable[[Sequence[K]], None]


class Workers(Generic[K]):
    """Threads over one bounded queue; each turn takes what waits, at most `batch` tickets."""

    def __init__(self, name: str, *, count: int, batch: int, limit: int) -> None:
        self._queue: queue.Queue[K | None] = queue.Queue(limit)
        self._batch = batch
        self._closed = False
        self._name = name
        self._count = count
        self._threads: list[threading.Thread] = []

    def start(self, turn: Callable[[], AbstractContextManager[Batch[K]]]) -> None:
        """Start the threads; each enters `turn` once, in itself, for what it does with tickets."""
        for number in range(self._count):
            thread = threading.Thread(
                target=self._run, args=(turn,), name=f"{self._name}-{number}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def submit(self, ticket: K) -> None:
        """Put a ticket in the queue.

        Raises:
            StoreBusyError: the queue is full.
            StoreClosedError: `close` was called.
        """
        if self._closed:
            raise StoreClosedError(f"{self._name}: closed")
        try:
            self._queue.put_nowait(ticket)
        except queue.Full:
            raise StoreBusyError(f"{self._name}: {self._queue.maxsize} jobs wait already") from None

    def close(self) -> None:
        """Do what is queued, then end the threads. Calling it again does nothing."""
        if self._closed:
            return
        self._closed = True
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self, turn: Callable[[], AbstractContextManager[Batch[K]]]) -> None:
        with turn() as batch:
            ended = False
            while not ended:
                tickets, ended = self._take()
                if tickets:
                    batch(tickets)
                for ticket in tickets:
                    ticket.deliver()

    def _take(self) -> tuple[list[K], bool]:
        first = self._queue.get()
        if first is None:
            return [], True
        tickets = [first]
        while len(tickets) < self._batch:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                return tickets, True
            tickets.append(item)
        return tickets, False
