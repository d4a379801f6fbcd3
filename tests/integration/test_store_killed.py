"""A writer that is killed in the middle of commits loses nothing that it had answered."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coordinator.store import events, records
from coordinator.store.database import Store, Tx
from tests.fakes.stores import FrozenClock, file_store

pytestmark = pytest.mark.integration

# Writes without end, 20 tasks at once; a line on standard output is an answer that was given.
WRITER = """
import os, sys, trio, msgspec
from functools import partial
from pathlib import Path
from coordinator.store import artifacts, events, records
from coordinator.store.database import Store

class Spec(msgspec.Struct):
    text: str

WHO = events.Principal("operator", "o")
store = Store.open(
    f"sqlite:///{sys.argv[1]}/coordinator.db", clock=lambda: 1.0,
    artifacts=Path(sys.argv[1]) / "artifacts",
)

def job(tx, name):
    records.create(tx, kind="thing", scope="s", name=name, spec=Spec("x" * 500))
    artifacts.put(tx, name.encode() * 100, "plan")
    tx.emit(events.NewEvent("thing.made", "s", WHO, WHO, name))

async def one(prefix):
    number = 0
    while True:
        name = f"{prefix}{number}"
        await store.write(partial(job, name=name))
        os.write(1, (name + "\\n").encode())
        number += 1

async def main():
    async with trio.open_nursery() as nursery:
        for task in range(20):
            nursery.start_soon(one, f"r{os.getpid()}t{task}n")

trio.run(main)
"""


def answered_until_killed(directory: Path, count: int) -> list[str]:
    """Run a writer, kill it after so many answers, and return all that it had given."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(count)]
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
    assert writer.returncode == -signal.SIGKILL
    return [line.strip() for line in lines if line.endswith("\n")]


async def stored(store: Store) -> tuple[set[str], set[str], int | None]:
    """Return the names in the table, those in the event log, and where its chain breaks."""

    def job(tx: Tx) -> tuple[set[str], set[str], int | None]:
        names = {record.name or "" for record in records.listing(tx, "thing")}
        said: set[str] = set()
        seq = 0
        while page := events.after(tx, seq):
            said |= {event.summary for event in page}
            seq = page[-1].seq
        return names, said, events.broken_at(tx)

    return await store.read(job)


async def test_every_answer_survives_a_kill(tmp_path: Path) -> None:
    """Three times over: all that was answered is there, with its event and its artifact."""
    answered: set[str] = set()
    for count in (1, 60, 250):
        answered |= set(answered_until_killed(tmp_path, count))
        async with file_store(tmp_path, FrozenClock()) as store:
            names, said, broken = await stored(store)
            assert answered <= names
            assert names == said
            assert broken is None
    kept = [path for path in (tmp_path / "artifacts").rglob("*") if path.suffix != ".part"]
    assert sum(path.is_file() for path in kept) >= len(answered)
