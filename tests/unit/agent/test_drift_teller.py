"""What is news is told once, with when and by whom, and what cannot be told is tried again."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from agent.core import Core
from agent.database import put
from agent.drift_account import Evidence, key_of
from agent.drift_teller import RETRY_SECONDS, Teller
from agent.witness import Witness
from protocol import messages
from protocol.messages import Drift
from protocol.reports import Author, Change, DriftRecord, ResourceDiff, ResourceResult
from state_engine.model import AppliedResource, ResolvedResource, ResourceKey, Snapshot
from tests.fakes.agent import make_core

A = ResourceDiff("m", "file-unix", "/nowhere/a", "update", changes=(Change("content", "x", "y"),))
B = ResourceDiff("m", "file-unix", "/nowhere/b", "create")
AUTHOR = Author(7, "/bin/sh", "sh -c 'echo hunter2 > a'", os.geteuid())


class Seen(Witness):
    """A witness who saw what a test says."""

    def __init__(self, evidence: dict[ResourceKey, Evidence]) -> None:
        super().__init__(lambda: 0.0)
        self._evidence = evidence

    def of(self, key: ResourceKey) -> Evidence | None:
        return self._evidence.get(key)


def records(core: Core) -> list[DriftRecord]:
    bodies = [messages.decode_body(entry) for entry in core.journal.after(0)]
    return [body.record for body in bodies if isinstance(body, Drift)]


def teller(core: Core) -> Teller:
    return Teller(core, Seen({key_of(A): Evidence(5.0, AUTHOR)}))


def applied(*sensitive: str) -> Snapshot:
    resource = ResolvedResource(*key_of(A), {}, sensitive=sensitive)
    return Snapshot("op", applied=(AppliedResource(resource),))


async def test_a_difference_is_told_once_with_its_author(tmp_path: Path) -> None:
    """Names of users are the host's own; what nobody saw has neither time nor author."""
    core = make_core(tmp_path / "state")
    telling = teller(core)
    telling.account.take(telling.explain(applied(), (A, B)), None)
    assert telling.tell("event", applied()) is None
    assert telling.tell("event", applied()) is None
    (record,) = records(core)
    first, second = record.resources
    assert (first.changed_at, second.changed_at, second.changed_by) == (5.0, None, None)
    assert first.changed_by is not None
    assert first.changed_by.command == AUTHOR.command
    assert first.changed_by.user == core.steps.engine.ports.accounts.user(os.geteuid())


async def test_the_author_of_a_sensitive_change_keeps_his_words(tmp_path: Path) -> None:
    """A command line that wrote a secret may hold it."""
    core = make_core(tmp_path / "state")
    telling = teller(core)
    (item,) = telling.explain(applied("content"), (A,))
    assert item.changed_by is not None
    assert (item.changed_by.exe, item.changed_by.command) == ("/bin/sh", None)


async def test_what_was_known_survives_a_restart(tmp_path: Path) -> None:
    """The next record names him again, although nobody sees him any more."""
    core = make_core(tmp_path / "state")
    first = teller(core)
    first.account.take(first.explain(applied(), (A,)), None)
    first.tell("event", applied())
    again = Teller(core, Seen({}))
    again.account.take(again.explain(applied(), (A, B)), None)
    assert again.tell("scheduled", applied()) is None
    last = records(core)[-1]
    assert [item.changed_by is not None for item in last.resources] == [True, False]


async def test_the_other_axis_is_news_of_its_own(tmp_path: Path) -> None:
    """A plan that finds the modules changed is told, once, although the host is as applied."""
    core = make_core(tmp_path / "state")
    telling = teller(core)
    assert telling.tell("scheduled", applied()) is None
    assert records(core) == []
    data = msgspec.msgpack.encode((B,))
    core.database.write(lambda tx: put(tx, "pending", data))
    telling.tell("scheduled", Snapshot())
    assert records(core) == [], "nothing was ever applied"
    telling.tell("scheduled", applied())
    telling.tell("scheduled", applied())
    Teller(core, Seen({})).tell("scheduled", applied())
    (record,) = records(core)
    assert (record.status, record.pending) == ("in_sync", (B,))
    core.database.write(lambda tx: put(tx, "pending", msgspec.msgpack.encode(())))
    telling.tell("scheduled", applied())
    assert records(core)[-1].pending == ()


async def test_what_was_repaired_stands_in_the_next_record(tmp_path: Path) -> None:
    """Once, and with the last that became of each."""
    core = make_core(tmp_path / "state")
    telling = teller(core)
    failed = ResourceResult("m", "file-unix", "/nowhere/a", "update", "failed")
    changed = msgspec.structs.replace(failed, status="changed")
    telling.repaired((failed,))
    telling.repaired((changed,))
    telling.account.take((A,), None)
    telling.tell("event", applied())
    telling.account.take((), None)
    telling.tell("event", applied())
    assert [record.repaired for record in records(core)] == [(changed,), ()]


async def test_what_finds_no_room_is_tried_again(tmp_path: Path) -> None:
    """Nothing is marked as told, and the heartbeat says why."""
    core = make_core(tmp_path / "state")
    telling = teller(core)
    telling.account.take((A,), None)
    core.journal._limit = -10_000_000
    assert telling.tell("event", applied()) == RETRY_SECONDS
    assert core.problems.listed()[0].startswith("journal_full")
    core.journal._limit = 10_000_000
    assert telling.tell("event", applied()) is None
    assert len(records(core)) == 1
