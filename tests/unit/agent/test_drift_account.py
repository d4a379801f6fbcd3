"""Drift is news when the set of differing resources changes, and a record always fits."""

from __future__ import annotations

from pathlib import Path

import msgspec

from agent import drift_account
from agent.drift_account import Account
from protocol.limits import ARTIFACT_CHUNK
from protocol.reports import Action, Change, DriftRecord, ResourceDiff


def item(name: str, action: Action = "update", text: str = "x") -> ResourceDiff:
    return ResourceDiff("m", "file-unix", name, action, changes=(Change("content", text),))


def test_only_a_changed_set_is_news() -> None:
    """The same differences seen again are no news, other ones and their end are."""
    account = Account()
    assert not account.news
    account.take((item("/a"),), None)
    assert account.news
    account.told = account.names
    account.take((item("/a", text="other text"),), frozenset({drift_account.key_of(item("/a"))}))
    assert not account.news
    account.take((item("/a", "create"),), None)
    assert account.news
    account.take((), None)
    assert account.news
    assert not account.items


def test_a_look_at_some_leaves_the_others() -> None:
    """Looking at one resource says nothing about the rest."""
    account = Account()
    account.take((item("/a"), item("/b")), None)
    account.take((), frozenset({drift_account.key_of(item("/a"))}))
    assert [found.identity for found in account.items] == ["/b"]


def test_a_record_always_fits_a_journal_entry() -> None:
    """Texts go first, then the last items, and the record says so."""
    record = DriftRecord(
        "d", "n", "event", 1.0, "drifted", resources=(item("/a", text="y" * 300_000),)
    )
    short = drift_account.bounded(record)
    assert len(msgspec.msgpack.encode(short)) <= ARTIFACT_CHUNK
    assert short.message is not None
    assert short.resources[0].identity == "/a"
    many = msgspec.structs.replace(record, resources=tuple(item(f"/{n:080}") for n in range(9_000)))
    fewer = drift_account.bounded(many)
    assert len(msgspec.msgpack.encode(fewer)) <= ARTIFACT_CHUNK
    assert "9000 resources differ" in (fewer.message or "")
    assert drift_account.bounded(fewer) == fewer


def test_the_time_of_a_change_is_the_file_systems(tmp_path: Path) -> None:
    """A file that is gone changed its directory last; what is unknown stays unknown."""
    path = tmp_path / "a"
    path.write_text("x")
    changed = drift_account.changed_at(str(path))
    assert changed is not None
    assert drift_account.seen_after_ms((item(str(path)),), changed + 0.25) == 250
    path.unlink()
    assert drift_account.changed_at(str(path)) == tmp_path.lstat().st_mtime
    assert drift_account.seen_after_ms((item(str(path)),), changed + 1e6) is None
    assert drift_account.seen_after_ms((item("a-script"),), changed) is None
    assert drift_account.changed_at("/none/of/this") is None


def test_a_burst_is_told_and_then_one_record_in_a_while() -> None:
    """A program that flips a file for ever does not fill the disk; a quiet time fills the burst."""
    pace, flipping, other = drift_account.Pace(), frozenset({"a"}), frozenset({"b"})
    told = 0
    for tenth in range(1_000):
        if pace.wait(flipping, 1_000.0 + tenth / 10) <= 0.0:
            pace.spend(flipping, 1_000.0 + tenth / 10)
            told += 1
    assert told == drift_account.BURST + 99 // drift_account.EVERY_SECONDS
    pace.spend(flipping, 1_100.0)
    assert 0.0 < pace.wait(flipping, 1_100.0) <= drift_account.EVERY_SECONDS
    assert pace.wait(flipping | other, 1_100.0) <= 0.0, "another file's change is not held up"
    pace.spend(other, 1_300.0)
    assert pace.wait(flipping, 1_300.0) <= 0.0
    assert pace._left.keys() == {"b"}, "who has his whole burst again is forgotten"
