"""The database: one writer with group commit, several readers, and a mode without threads.

No table is named here. A job is a synchronous function over a `Tx`; it may be run in another
thread, and it must not touch anything that belongs to the event loop.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from anyio.lowlevel import checkpoint
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from coordinator.store import event_log, migrating
from coordinator.store.artifact_files import ArtifactFiles, DirectoryFiles, MemoryFiles
from coordinator.store.connecting import StoreUnusableError, fault, in_transaction, open_engine
from coordinator.store.threads import Ticket, Workers
from protocol import ids

T = TypeVar("T")

# Jobs of one group commit: 82,000 rows/s were measured at 128 per commit, little more above it.
GROUP = 256
# Jobs that wait for the writer: 16 commits of 256 jobs, 12 ms each, are answered within 0.2 s.
WRITE_QUEUE = 4_096
# Readers: SQLite reads run side by side, the interpreter lock leaves use for a few.
READERS = 4
READ_QUEUE = 4_096


class Tx:
    """One transaction: the connection, the time at its start, and what to tell after its commit."""

    def __init__(
        self,
        conn: Connection,
        *,
        now: float,
        entropy: Callable[[int], bytes],
        files: ArtifactFiles,
    ) -> None:
        self.conn = conn
        self.now = now
        self.entropy = entropy
        self.files = files
        self.topics: set[str] = set()
        # What stores have read or written in this transaction, by a name of theirs: read once.
        self.memory: dict[str, object] = {}

    def emit(self, event: event_log.NewEvent) -> int:
        """Append an event to the log and return its sequence; readers wake after the commit."""
        self.wake("events")
        return event_log.append(self.conn, event, at=self.now, event_id=self.ulid())

    def wake(self, topic: str) -> None:
        """Wake who waits on a topic of the hub, once this transaction is committed."""
        self.topics.add(topic)

    def ulid(self) -> str:
        """Return a new id that sorts by time."""
        return ids.ulid(self.now, self.entropy(10))


Job = Callable[[Tx], T]


class _Work(Ticket):
    def __init__(
        self, job: Callable[[Tx], None], on_commit: Callable[[frozenset[str]], None]
    ) -> None:
        super().__init__(self._committed)
        self.job = job
        self.topics: frozenset[str] = frozenset()
        self._on_commit = on_commit

    def _committed(self) -> None:
        if self.topics:
            self._on_commit(self.topics)


def _nobody(topics: frozenset[str]) -> None:
    del topics


class Store:
    """The coordinator's memory; make one with `open`, end it with `aclose`."""

    def __init__(
        self,
        engine: Engine,
        readers: Engine,
        *,
        clock: Callable[[], float],
        entropy: Callable[[int], bytes],
        files: ArtifactFiles,
        inline: bool,
        on_commit: Callable[[frozenset[str]], None],
    ) -> None:
        self._engine, self._read_engine = engine, readers
        self._clock, self.entropy, self._files = clock, entropy, files
        self._on_commit = on_commit
        self._inline = inline
        self._writer: Workers[_Work] = Workers("writer", count=1, batch=GROUP, limit=WRITE_QUEUE)
        self._readers: Workers[_Work] = Workers("reader", count=READERS, batch=1, limit=READ_QUEUE)
        if not inline:
            self._writer.start(self._writing)
            self._readers.start(self._reading)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        clock: Callable[[], float],
        inline: bool = False,
        artifacts: Path | None = None,
        on_commit: Callable[[frozenset[str]], None] | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> Store:
        """Open (and where needed create or migrate) the database at an SQLAlchemy URL.

        `inline` runs every job in the caller, without threads; an in-memory database needs it.
        `artifacts` is the directory for artifact files; without it they are kept in memory.
        `on_commit` is called in the event loop of the job's owner, before the owner wakes.

        Raises:
            StoreUnusableError: the URL, the file or its schema version cannot be used.
        """
        engine = open_engine(url, writer=True, inline=inline)
        try:
            migrating.upgrade(engine)
        except BaseException:
            engine.dispose()
            raise
        readers = engine if inline else open_engine(url, writer=False, inline=False)
        files = DirectoryFiles(artifacts) if artifacts is not None else MemoryFiles()
        return cls(
            engine,
            readers,
            clock=clock,
            entropy=entropy,
            files=files,
            inline=inline,
            on_commit=on_commit or _nobody,
        )

    async def write(self, job: Job[T]) -> T:
        """Run a job in a transaction and return its result once that is on disk.

        An exception of the job undoes that job alone and is raised here.

        Raises:
            StoreBusyError: too many jobs wait.
            StoreUnusableError: the disk is full or broken; nothing of the job is stored.
        """
        if self._inline:
            await checkpoint()
            return self.write_now(job)
        return await self._through(self._writer, job)

    async def read(self, job: Job[T]) -> T:
        """Run a job that only reads, over one consistent view; a write in it is an error.

        Raises:
            StoreBusyError: too many jobs wait.
        """
        if self._inline:
            await checkpoint()
            return self.read_now(job)
        return await self._through(self._readers, job)

    def write_now(self, job: Job[T]) -> T:
        """Do what `write` does in the caller's thread: for start-up and for inline mode."""
        with self._engine.connect() as conn:
            tx = self._tx(conn)
            try:
                with conn.begin():
                    result = job(tx)
            except SQLAlchemyError as error:
                raise fault(error) or error from error.__cause__
        if tx.topics:
            self._on_commit(frozenset(tx.topics))
        return result

    def read_now(self, job: Job[T]) -> T:
        """Do what `read` does in the caller's thread: for start-up and for inline mode."""
        with self._read_engine.connect() as conn:
            guard = _query_only(conn) if self._inline else conn.begin()
            with guard:
                return job(self._tx(conn))

    async def aclose(self) -> None:
        """Finish the jobs that wait, then close every connection."""
        await checkpoint()
        self._writer.close()
        self._readers.close()
        self._read_engine.dispose()
        self._engine.dispose()

    async def _through(self, workers: Workers[_Work], job: Job[T]) -> T:
        results: list[T] = []

        def keep(tx: Tx) -> None:
            results.append(job(tx))

        work = _Work(keep, self._on_commit)
        workers.submit(work)
        await work.outcome()
        return results[0]

    def _tx(self, conn: Connection) -> Tx:
        return Tx(conn, now=self._clock(), entropy=self.entropy, files=self._files)

    @contextmanager
    def _writing(self) -> Generator[Callable[[Sequence[_Work]], None]]:
        with self._engine.connect() as conn:
            yield lambda batch: self._commit(conn, batch)

    def _commit(self, conn: Connection, batch: Sequence[_Work]) -> None:
        try:
            with conn.begin():
                for work in batch:
                    self._one(conn, work)
        except BaseException as error:  # noqa: BLE001, ASYNC103 - whatever it was, its owners must hear it
            # The commit itself failed (disk full, say): not one job of the group is stored.
            for work in batch:
                work.error = work.error or fault(error) or error

    def _one(self, conn: Connection, work: _Work) -> None:
        tx = self._tx(conn)
        # Said to the driver: the library's own savepoints cost as much as a small job.
        conn.exec_driver_sql("SAVEPOINT job")
        try:
            work.job(tx)
        except BaseException as error:  # noqa: BLE001, ASYNC103 - it belongs to the job's owner
            work.error = fault(error) or error
        else:
            work.topics = frozenset(tx.topics)
        if work.error is not None and not in_transaction(conn):
            # SQLite has undone the jobs before this one as well, and each one after it would be
            # a commit of its own: the whole group has failed.
            raise StoreUnusableError("the disk is full or broken: the group was undone")
        conn.exec_driver_sql("RELEASE job" if work.error is None else "ROLLBACK TO job")

    @contextmanager
    def _reading(self) -> Generator[Callable[[Sequence[_Work]], None]]:
        with self._read_engine.connect() as conn:
            yield lambda batch: self._look(conn, batch)

    def _look(self, conn: Connection, batch: Sequence[_Work]) -> None:
        for work in batch:
            try:
                with conn.begin():
                    work.job(self._tx(conn))
            except BaseException as error:  # noqa: BLE001, ASYNC103 - it belongs to the job's owner
                work.error = fault(error, writer=False) or error


@contextmanager
def _query_only(conn: Connection) -> Generator[None]:
    # Inline mode reads on the writer's connection: for that long it must refuse writes as well.
    conn.execute(text("PRAGMA query_only = ON"))
    try:
        yield
    finally:
        conn.execute(text("PRAGMA query_only = OFF"))
        conn.rollback()
