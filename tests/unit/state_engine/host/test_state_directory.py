"""What standfast-state remembers."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from state_engine.host.stat_cache import StatCache
from state_engine.host.state_directory import StateDirectory, StateDirectoryError
from state_engine.model import AppliedResource, Snapshot
from tests.fakes.resources import a_file


def test_it_is_private_from_the_start(tmp_path: Path) -> None:
    """Directory, key and snapshot are for us only."""
    state = StateDirectory(tmp_path / "a" / "state")
    state.fingerprint_key()
    state.save_snapshot(Snapshot())
    assert state.path.stat().st_mode & 0o777 == 0o700
    assert all(child.stat().st_mode & 0o077 == 0 for child in state.path.iterdir())


def test_a_directory_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    """They could plant a snapshot, and so decide what is removed."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)
    with pytest.raises(StateDirectoryError, match="writable by nobody else"):
        StateDirectory(tmp_path / "state")


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    """With the system's words."""
    (tmp_path / "state").touch()
    with pytest.raises(StateDirectoryError):
        StateDirectory(tmp_path / "state")


def test_the_key_stays_and_a_damaged_one_is_replaced(tmp_path: Path) -> None:
    """It is made once."""
    state = StateDirectory(tmp_path / "state")
    key = state.fingerprint_key()
    assert (len(key), state.fingerprint_key()) == (32, key)
    (state.path / "fingerprint.key").write_bytes(b"short")
    assert len(state.fingerprint_key()) == 32


def test_a_snapshot_comes_back_and_a_damaged_one_is_an_error(tmp_path: Path) -> None:
    """It is never taken for an empty one: that would forget what we own."""
    state = StateDirectory(tmp_path / "state")
    assert state.snapshot() == Snapshot()
    snapshot = Snapshot("op", ("base",), (AppliedResource(a_file("/f"), created=True),))
    state.save_snapshot(snapshot)
    assert state.snapshot() == snapshot
    (state.path / "snapshot.json").write_bytes(b"{")
    with pytest.raises(StateDirectoryError, match=r"snapshot\.json"):
        state.snapshot()


def test_the_cache_is_worth_no_error(tmp_path: Path) -> None:
    """Saved and loaded; damaged is empty."""
    state = StateDirectory(tmp_path / "state")
    cache = StatCache()
    found = Path("/etc/passwd").lstat()
    cache.remember("/etc/passwd", found, "digest", found.st_ctime_ns + 10**10)
    state.save_stat_cache(cache)
    assert len(state.stat_cache()) == 1
    (state.path / "stat-cache").write_bytes(b"rubbish")
    assert len(state.stat_cache()) == 0


def test_a_journal_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    """Lines before it count."""
    state = StateDirectory(tmp_path / "state")
    assert state.journal() == []
    with state.journalling() as journal:
        journal.add(b"one")
        journal.add(b"two")
    with (state.path / "journal.jsonl").open("ab") as file:
        file.write(b"cut o")
    assert state.journal() == [b"one", b"two"]
    state.clear_journal()
    state.clear_journal()
    assert state.journal() == []


def test_one_apply_at_a_time(tmp_path: Path) -> None:
    """The second one is told, and may go after the first."""
    one, two = StateDirectory(tmp_path / "state"), StateDirectory(tmp_path / "state")
    with one.locked(), pytest.raises(StateDirectoryError, match="another apply"), two.locked():
        pass
    with two.locked():
        pass


def test_what_is_desired_is_not_held_a_second_time(tmp_path: Path) -> None:
    """Only what is the same in all: another content is another resource."""
    state = StateDirectory(tmp_path / "state")
    same, other = a_file("/srv/same"), a_file("/srv/other", "old")
    saved = Snapshot("op", ("m",), (AppliedResource(same, created=True), AppliedResource(other)))
    state.save_snapshot(saved)
    wanted = (a_file("/srv/same"), a_file("/srv/other", "new"))
    found = state.snapshot(wanted)
    assert found == saved == state.snapshot()
    assert found.applied[0].resource is wanted[0]
    assert found.applied[1].resource is not wanted[1]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_snapshot_is_one_document_however_many_resources_it_holds(
    tmp_path: Path, count: int
) -> None:
    """Written in pieces, private, and with nothing left beside it, also after a crash."""
    directory = tmp_path / "state"
    state = StateDirectory(directory)
    (directory / "snapshot.json.tmp").write_bytes(b"half")
    applied = tuple(AppliedResource(a_file(f"/srv/{number}")) for number in range(count))
    snapshot = Snapshot("op" if count else None, ("m",) * (count > 1), applied)
    state.save_snapshot(snapshot)
    path = directory / "snapshot.json"
    assert msgspec.json.decode(path.read_bytes(), type=Snapshot) == snapshot == state.snapshot()
    assert path.stat().st_mode & 0o777 == 0o600
    assert not (directory / "snapshot.json.tmp").exists()
