"""A storm of changes ends with every last difference told, and with no descriptor more than before.

Ten thousand and more writes in a second by another process, renames over managed files, directories
taken away and made again, and a queue of the kernel that overflows because nobody reads it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing

from agent import work
from agent.core import Core
from agent.database import put
from agent.services import drift
from protocol import messages
from protocol.messages import Audit, Drift, Offer
from protocol.reports import DriftRecord
from state_engine.engine.apply import apply_plan
from state_engine.model import NodeFacts, Snapshot
from tests.fakes.agent import make_core
from tests.fakes.operators import module

pytestmark = [pytest.mark.integration, pytest.mark.slow]

DIRECTORIES, FILES = 10, 20
# The kernel keeps 16,384 events; two files written in turn are never folded into one.
OVERFLOW = 40_000
RECONFIGURATIONS = 5_000
WISHED = "as applied"

# What it leaves differing is decided before it begins, so that the test knows it.
STORM = """
import os, random, shutil, sys, time
root, writes, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
folders = sorted(entry.path for entry in os.scandir(root))
paths = sorted(entry.path for folder in folders for entry in os.scandir(folder))
different = set(chance.sample(paths, len(paths) // 4))
begun = time.monotonic()
for count in range(writes):
    path = paths[count % len(paths)]
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    os.pwrite(handle, b"x%d" % count, 0)
    os.close(handle)
    if count % 50 == 0:
        os.rename(path, path + ".moved")
        os.rename(path + ".moved", path)
    if count % 5000 == 4999:
        folder = chance.choice(folders)
        shutil.rmtree(folder)
        os.mkdir(folder, 0o755)
        if chance.random() < 0.5:
            os.rename(folder, folder + ".away")
            os.mkdir(folder, 0o755)
            os.rmdir(folder + ".away")
print(round(writes / (time.monotonic() - begun)))
gone = different.pop()
for path in paths:
    os.path.exists(path) and os.chmod(path, 0o644)
    if path == gone:
        os.path.exists(path) and os.remove(path)
        continue
    with open(path + ".new", "w") as file:
        file.write("by hand" if path in different else "as applied")
        os.fchmod(file.fileno(), 0o644)
    os.rename(path + ".new", path)
print("\\n".join(sorted([*different, gone])))
"""


def content(root: Path, directories: int = DIRECTORIES, files: int = FILES) -> bytes:
    resources = "".join(
        f"  - resource:\n      file-unix:"
        f" {{path: {root}/{folder}/{file}, content: {WISHED}, mode: '0644'}}\n"
        for folder in range(directories)
        for file in range(files)
    )
    return f"name: storm\nsupports:\n  - platform: linux\nresources:\n{resources}".encode()


def snapshot(core: Core, text: bytes) -> Snapshot:
    """Apply a module and return what is held then; nothing is stored."""
    offer = Offer("r", "state.apply", "l", 1, "op", (module("storm", text, None),))
    facts = NodeFacts("n", "web1", {"platform": "linux"})
    resources = work.resolve(offer, work.Circumstances(facts, None, Snapshot()))
    assert isinstance(resources, tuple)
    ports = core.steps.engine.ports
    outcome = apply_plan("op", "n", resources, Snapshot(), ports, approved=None)
    assert outcome.result.status == "succeeded"
    return outcome.snapshot


def told(core: Core) -> list[DriftRecord]:
    seq, found = 0, list[DriftRecord]()
    while batch := core.journal.after(seq):
        bodies = [messages.decode_body(entry) for entry in batch]
        found += [body.record for body in bodies if isinstance(body, Drift)]
        seq = batch[-1].seq
    return found


def audits(core: Core) -> set[str]:
    bodies = [messages.decode_body(entry) for entry in core.journal.after(0)]
    return {body.event for body in bodies if isinstance(body, Audit)}


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def watched() -> int:
    """How many watches of inotify and marks of fanotify this process holds."""
    count = 0
    for entry in Path("/proc/self/fdinfo").iterdir():
        try:
            lines = entry.read_text().splitlines()
        except OSError:
            continue
        count += sum(line.startswith(("inotify wd:", "fanotify ino:")) for line in lines)
    return count


@asynccontextmanager
async def guarding(core: Core, held: Snapshot) -> AsyncGenerator[drift._Service]:
    """The drift service over a snapshot, until the block ends."""
    data = msgspec.msgpack.encode(held)
    core.database.write(lambda tx: put(tx, "snapshot", data))
    service = drift._Service(core)
    before = descriptors()
    async with trio.open_nursery() as nursery:
        for task in (
            service.read_events,
            service.witness.attend,
            service.follow_applies,
            service.look_for_ever,
        ):
            nursery.start_soon(task)
        with trio.fail_after(30):
            while core.drift is None:
                await trio.testing.wait_all_tasks_blocked(0.01)
        try:
            yield service
        finally:
            nursery.cancel_scope.cancel()
    service.close()
    assert descriptors() <= before


def made(root: Path, directories: int = DIRECTORIES) -> Path:
    for folder in range(directories):
        (root / str(folder)).mkdir(parents=True)
    return root


def core_of(tmp_path: Path) -> Core:
    core = make_core(tmp_path / "state")
    core.attach()
    return core


async def storm(root: Path, writes: int, seed: int) -> set[str]:
    """Let another process rage; return the paths that it leaves different."""
    words = [sys.executable, "-c", STORM, str(root), str(writes), str(seed)]
    done = await trio.run_process(words, capture_stdout=True)
    return set(done.stdout.decode().split("\n")[1:-1])


async def until_told(core: Core, left: set[str]) -> None:
    """Wait until the last record names exactly what is left different."""
    with trio.fail_after(40):
        while not (records := told(core)) or {i.identity for i in records[-1].resources} != left:
            await core.journal_bell.heard(core.journal_bell.count)


async def test_after_a_storm_every_last_difference_is_told(tmp_path: Path) -> None:
    """Whatever was lost, folded or moved away on the way: the last word is the true one."""
    core, root = core_of(tmp_path), made(tmp_path / "srv")
    async with guarding(core, snapshot(core, content(root))):
        left = await storm(root, 100_000, seed=1)
        assert left
        await until_told(core, left)
    core.database.close()


async def test_a_queue_that_overflows_loses_no_difference(tmp_path: Path) -> None:
    """Nobody reads while it happens; the kernel says so, and everything is looked at."""
    core, root = core_of(tmp_path), made(tmp_path / "srv")
    async with guarding(core, snapshot(core, content(root))):
        words = [sys.executable, "-c", STORM, str(root), str(OVERFLOW), "2"]
        # The event loop itself waits here: that is the point.
        done = subprocess.run(words, capture_output=True, check=True)  # noqa: ASYNC221
        await until_told(core, set(done.stdout.decode().split("\n")[1:-1]))
        with trio.fail_after(10):
            while "drift.overflow" not in audits(core):
                await core.journal_bell.heard(core.journal_bell.count)
        await until_told(core, set(done.stdout.decode().split("\n")[1:-1]))
    core.database.close()


async def test_thousands_of_reconfigurations_keep_no_descriptor(tmp_path: Path) -> None:
    """Descriptors, watches and marks are afterwards what they were before, and watching works."""
    core, root = core_of(tmp_path), made(tmp_path / "srv", 3)
    both = snapshot(core, content(root, 2, 1))
    first = msgspec.structs.replace(both, applied=both.applied[:1])
    second = msgspec.structs.replace(both, applied=both.applied[1:])
    core.steps.snapshot()
    before, watched_before = descriptors(), watched()
    service = drift._Service(core)
    marks: set[int] = set()
    for count in range(RECONFIGURATIONS):
        if count % 50 == 49:
            # Now and then a watched directory goes elsewhere, and another stands in its place.
            (root / "0").rename(root / f"old{count}")
            (root / "0").mkdir()
        if count % 500 == 499:
            # And sometimes there is nothing to watch.
            service._snapshot = Snapshot()
            service._arm()
        service._snapshot = (first, second, both)[count % 3]
        service._arm()
        if count % 3 == 2:
            marks.add(watched())
    assert len(marks) == 1, "the same paths are watched by the same number of watches each time"
    service._snapshot = Snapshot()
    service._arm()
    assert descriptors() == before
    assert watched() == watched_before
    async with guarding(core, both):
        await until_told(core, {f"{root}/0/0"})
        (root / "1/0").write_text("by hand")
        await until_told(core, {f"{root}/0/0", f"{root}/1/0"})
    core.database.close()
