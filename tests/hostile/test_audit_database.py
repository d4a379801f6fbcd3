"""A thief with the coordinator's database, and one with its key too, against a real coordinator.

Rows are changed in the file while it stands still; the operator's own client has to find it.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from client import operator_key
from coordinator.identity import load_key
from coordinator.store.event_log import line_hash
from protocol import audit_heads, dsse
from tests.fakes.api_site import operator_key as key_of
from tests.fakes.live_coordinator import LiveCoordinator, running, serving
from tests.fakes.operator import Person, Shown

pytestmark = [pytest.mark.hostile, pytest.mark.integration]
COLUMNS = (
    "seq, event_id, at, scope, type, severity, actor, target, target_id, summary, data, prev_hash"
)


def ada(home: Path, live: LiveCoordinator) -> Person:
    """Return the admin's command line, with the coordinator's key and certificate pinned."""
    person = Person(home / "ada")
    operator_key.store(person.directory, key_of("ada"))
    made = person.types(f"profile create lab --url {live.url} --accept-new-certificate")
    assert made.code == 0, made
    return person


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the home of a coordinator that has ended, and of an admin who has verified its log."""
    made = tmp_path_factory.mktemp("home")
    with running(made) as live:
        person = ada(made, live)
        shown = person.types("audit verify --live")
        assert shown.code == 0, shown
    return made


@contextmanager
def moved(home: Path, to: Path, change: Callable[[sqlite3.Connection], None]) -> Generator[Shown]:
    """Run a copy of the coordinator with a changed database, and let the admin verify it."""
    shutil.copytree(home, to, dirs_exist_ok=True)
    with sqlite3.connect(to / "data" / "coordinator.db") as db:
        change(db)
    db.close()
    person = Person(to / "ada")
    with serving(to, to / "data") as live:
        person.types(f"profile update lab --url {live.url}")
        # Already the log-in may find it, and says to verify; then that is what the test is about.
        person.types("agents list")
        yield person.types("audit verify --live")


def rehash(db: sqlite3.Connection, begin: int) -> None:
    """Make the chain hold again from a line on."""
    row = db.execute("SELECT hash FROM events WHERE seq=?", (begin - 1,)).fetchone()
    prev = row[0] if row is not None else None
    rows = db.execute(f"SELECT {COLUMNS} FROM events WHERE seq>=? ORDER BY seq", (begin,))  # noqa: S608 - our own text
    for line in rows.fetchall():
        prev = prev if prev is not None else line[-1]
        own = line_hash(prev, line[:-1])
        db.execute("UPDATE events SET prev_hash=?, hash=? WHERE seq=?", (prev, own, line[0]))
        prev = own


def edited(db: sqlite3.Connection) -> None:
    db.execute("UPDATE events SET summary='nothing happened' WHERE seq=3")


def edited_and_rehashed(db: sqlite3.Connection) -> None:
    edited(db)
    rehash(db, 3)


def deleted(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM events WHERE seq=4")


def deleted_and_renumbered(db: sqlite3.Connection) -> None:
    deleted(db)
    db.execute("UPDATE events SET seq=seq-1 WHERE seq>4")
    rehash(db, 4)


def reordered(db: sqlite3.Connection) -> None:
    for old, new in ((3, -1), (4, 3), (-1, 4)):
        db.execute("UPDATE events SET seq=? WHERE seq=?", (new, old))


def cut_at_the_end(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM events WHERE seq>5")
    db.execute("DELETE FROM audit_heads")


def cut_at_the_beginning(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM events WHERE seq<4")


ATTACKS = (
    edited, edited_and_rehashed, deleted, deleted_and_renumbered, reordered, cut_at_the_end,
    cut_at_the_beginning,
)  # fmt: skip


def nothing(db: sqlite3.Connection) -> None:
    db.execute("SELECT 1")


def test_an_unchanged_database_verifies(home: Path, tmp_path: Path) -> None:
    """Else the tests below would prove nothing."""
    with moved(home, tmp_path, nothing) as shown:
        assert shown.code == 0, shown


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_changed_database_does_not_verify(
    attack: Callable[[sqlite3.Connection], None], home: Path, tmp_path: Path
) -> None:
    """The coordinator signs anew over the changed rows; what the operator remembers does not."""
    with moved(home, tmp_path, attack) as shown:
        assert shown.code == 3, shown
        assert (tmp_path / "ada" / "audit" / "lab.proof.json").exists()


def test_a_restored_older_database_is_found_even_after_it_has_grown(
    home: Path, tmp_path: Path
) -> None:
    """The copy of before is put back, and has more lines by now than the operator remembers."""
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    person = Person(tmp_path / "ada")
    data = tmp_path / "data"
    with serving(tmp_path, data) as live:
        person.types(f"profile update lab --url {live.url}")
        assert person.types("tokens create one").code == 0
        assert person.types("audit verify --live").code == 0
    shutil.rmtree(data)
    shutil.copytree(home / "data", data)
    with serving(tmp_path, data) as live:
        person.types(f"profile update lab --url {live.url}")
        for number in range(6):
            live.http.post("/tokens", json={"name": f"n{number}"}, headers=live.bearer())
        for token in (person.directory / "tokens").glob("*"):
            token.unlink()
        shown = person.types("agents list")
        assert shown.code == 3, shown
        assert "contradicts itself" in shown.err
        assert person.types("audit verify --live").code == 3


def test_a_thief_with_the_key_cannot_prune_what_is_remembered(home: Path, tmp_path: Path) -> None:
    """A statement signed with the true key, over rows that were changed first."""
    key = load_key(home / "data")

    def prune(db: sqlite3.Connection) -> None:
        edited_and_rehashed(db)
        digest = db.execute("SELECT hash FROM events WHERE seq=4").fetchone()[0].hex()
        said = audit_heads.Head(1, "prune", 4, digest, 1, key.public.hex(), 4, "ada")
        envelope = dsse.encode(audit_heads.sign(said, key)).decode()
        db.execute("INSERT INTO audit_tombstones VALUES (4, ?, 1.0, ?)", (digest, envelope))
        db.execute("DELETE FROM events WHERE seq<=4")

    with moved(home, tmp_path, prune) as shown:
        assert shown.code == 3, shown
        found = {line.partition(":")[0] for line in shown.out.splitlines()}
        assert {"rewritten", "tombstone_unnamed"} <= found
