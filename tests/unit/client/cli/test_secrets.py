"""`standfast secrets`: set, list, show, restrict, reseal, rm."""

from __future__ import annotations

from pathlib import Path

import pytest

from client import operator_key
from protocol import secrets
from tests.fakes.api_server import FakeCoordinator, problem
from tests.fakes.operator import Person
from tests.fakes.secret_shelf import Host, Shelf

WEB, DB = Host(1, "web-1"), Host(2, "db-1")
VALUE = "correct horse"


@pytest.fixture
def shelf(lena: Person, coordinator: FakeCoordinator) -> Shelf:
    key = operator_key.load(lena.directory)
    made = Shelf(coordinator)
    made.recipients = [
        WEB.recipient(WEB.vouched(key)),
        DB.recipient(DB.vouched(key, role="db")),
        Host(3, "wild").recipient(None),
    ]
    made.reader = operator_key.operator_id(key)
    return made


@pytest.fixture
def value(tmp_path: Path) -> Path:
    path = tmp_path / "value"
    path.write_text(VALUE, encoding="utf-8")
    return path


def test_a_secret_is_set_from_a_file_and_said_to_whom(
    lena: Person, shelf: Shelf, value: Path
) -> None:
    """Who is left out is said with the reason; the value is not said."""
    shown = lena.types(f"secrets set db --file {value} --description app")
    assert shown.code == 0, shown
    assert "sealed to web-1, db-1" in shown.out
    assert "not to wild: no operator has signed what it is" in shown.out
    assert VALUE not in shown.out + shown.err
    assert shelf.opened("db", WEB) == VALUE
    listed = lena.types("secrets list")
    assert listed.rows[0][:2] == ["db", "v1"], listed
    assert "web-1" in lena.types("secrets show db").out


def test_a_rotation_carries_the_signed_restriction_on(
    lena: Person, shelf: Shelf, value: Path
) -> None:
    """It comes from the signed document, and who has an older value is named."""
    lena.types(f"secrets set db --file {value} --restrict-tags role=db")
    shelf.delivered[DB.node_id] = 1
    value.write_text("battery staple", encoding="utf-8")
    shown = lena.types(f"secrets set db --file {value}")
    assert "version 2.1" in shown.out
    assert "an older value is in use on db-1" in shown.out
    document = secrets.decode(shelf.bodies["db"].envelope)
    assert (document.version, document.restriction.tags) == (2, "role=db")
    assert WEB.node_id not in shelf.bodies["db"].wraps


def test_a_name_that_was_used_before_counts_on(
    lena: Person, shelf: Shelf, value: Path, coordinator: FakeCoordinator
) -> None:
    """The coordinator says which version comes next; hosts take nothing older."""
    first = problem(409, "secret_version", "version 4 comes next: sign that one")
    answers = [first]
    keep = shelf.answer

    def once(request: object) -> object:
        if request.method == "POST" and answers:  # type: ignore[attr-defined]
            return answers.pop()
        return keep(request)  # type: ignore[arg-type]

    coordinator.fallback = once  # type: ignore[assignment]
    assert lena.types(f"secrets set db --file {value}").code == 0
    assert secrets.decode(shelf.bodies["db"].envelope).version == 4


def test_a_restriction_is_signed_anew_for_the_same_value(
    lena: Person, shelf: Shelf, value: Path
) -> None:
    """Only those in it have the key from then on; that others may know the value is said."""
    lena.types(f"secrets set db --file {value}")
    assert lena.types("secrets restrict db").code == 2
    shown = lena.types("secrets restrict db --tags role=db")
    assert (shown.code, "version 1.2" in shown.out) == (0, True)
    assert "may know the value" in shown.err
    assert set(shelf.bodies["db"].wraps) == {DB.node_id, shelf.reader}
    assert lena.types("secrets restrict db --any-host").code == 0
    assert shelf.opened("db", WEB) == VALUE


def test_all_secrets_are_resealed_and_removed(lena: Person, shelf: Shelf, value: Path) -> None:
    """What cannot be resealed is named, and the exit code says that there was something."""
    lena.types(f"secrets set db --file {value}")
    assert "db: sealed to 3" in lena.types("secrets reseal").out
    shelf.reader = "nobody"
    shown = lena.types("secrets reseal db")
    assert (shown.code, "not sealed to you" in shown.out) == (1, True)
    assert lena.types("secrets rm db").code == 2
    assert lena.types("secrets rm db --yes").code == 0
    assert shelf.bodies == {}
    assert lena.types("secrets show db").code == 4
    assert lena.types("secrets get db").code == lena.types("secrets remove db --yes").code == 4


def test_an_expired_secret_is_not_set_without_a_new_end(
    lena: Person, shelf: Shelf, value: Path
) -> None:
    """Else the new value would be refused by every host."""
    assert lena.types(f"secrets set db --file {value} --expires 2001-01-01").code == 0
    shown = lena.types(f"secrets set db --file {value}")
    assert (shown.code, "--clear-expires" in shown.err) == (2, True)
    assert lena.types(f"secrets set db --file {value} --clear-expires").code == 0
    assert secrets.decode(shelf.bodies["db"].envelope).expires_at is None


def test_json_says_the_same(lena: Person, shelf: Shelf, value: Path) -> None:
    """For programs; without the value."""
    document = lena.types(f"--json secrets set db --file {value}").document()
    assert document["hosts"] == ["web-1", "db-1"]
    for line in ("secrets show db", "secrets reseal db", "secrets rm db --yes"):
        assert lena.types(f"--json {line}").document()
    assert shelf.bodies == {}


def test_an_empty_pipe_sets_nothing(lena: Person, shelf: Shelf) -> None:
    """A secret that is nothing is a mistake."""
    assert lena.types("secrets set db").code == 1
    assert shelf.bodies == {}
