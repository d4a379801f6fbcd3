"""A coordinator that lies about a secret to the operator who sets it widens nobody's reach.

What a new version carries on (restriction, end, number) comes from the signed document, and a
coordinator chooses which of the signed documents it shows, or that it shows none.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from client import sealing, setting
from client.failures import ClientError, UntrustedError
from client.operator_key import operator_id
from client.session import Session, Settings
from client.setting import Wanted
from protocol import secrets
from protocol.secrets import Restriction
from tests.fakes.api_server import FakeCoordinator, Reply, Request, problem
from tests.fakes.operator import Person
from tests.fakes.secret_shelf import Host, Shelf

pytestmark = pytest.mark.hostile
WEB, DB = Host(1, "web-1"), Host(2, "db-1")
ONLY_DB = Restriction("role=db")


@pytest.fixture
def coordinator() -> Iterator[FakeCoordinator]:
    made = FakeCoordinator()
    with made.running():
        yield made


@pytest.fixture
def lena(tmp_path: Path, coordinator: FakeCoordinator) -> Person:
    person = Person(tmp_path / "config")
    person.founds(coordinator.url)
    return person


@pytest.fixture
def session(lena: Person) -> Iterator[Session]:
    made = Session(Settings(config_dir=str(lena.directory)))
    yield made
    made.close()


@pytest.fixture
def shelf(coordinator: FakeCoordinator, session: Session) -> Shelf:
    """A secret that only the database host may have, and one for all."""
    made = Shelf(coordinator)
    made.recipients = [
        WEB.recipient(WEB.vouched(session.key)),
        DB.recipient(DB.vouched(session.key, role="db")),
    ]
    made.reader = operator_id(session.key)
    setting.set_secret(session, Wanted("db", "correct horse", ONLY_DB))
    setting.set_secret(session, Wanted("banner", "welcome all"))
    return made


def holders(shelf: Shelf, name: str) -> set[str]:
    """For which hosts the key of a secret is wrapped."""
    return set(shelf.bodies[name].wraps) & {WEB.node_id, DB.node_id}


def test_another_secrets_document_is_not_carried_on(session: Session, shelf: Shelf) -> None:
    """Shown in the place of a restricted one, an open one would open the next value to all."""
    shelf.bodies["db"] = shelf.bodies["banner"]
    with pytest.raises(UntrustedError):
        setting.set_secret(session, Wanted("db", "battery staple"))
    with pytest.raises(UntrustedError):
        setting.restrict_secret(session, "db", Restriction("role in (db,web)"))
    assert shelf.bodies["db"] == shelf.bodies["banner"]


def test_an_older_restriction_is_not_carried_on(session: Session, shelf: Shelf) -> None:
    """Whoever has seen the narrower document does not sign the wider one anew."""
    setting.restrict_secret(session, "banner", ONLY_DB)
    assert holders(shelf, "banner") == {DB.node_id}
    narrow = shelf.bodies["banner"]
    older = msgspec.structs.replace(secrets.decode(narrow.envelope), revision=1)
    wide = msgspec.structs.replace(older, restriction=Restriction())
    old = msgspec.structs.replace(narrow, envelope=secrets.sign(wide, session.key))
    shelf.bodies["banner"] = old
    with pytest.raises(UntrustedError, match=r"version 1\.2"):
        setting.set_secret(session, Wanted("banner", "battery staple"))
    with pytest.raises(UntrustedError):
        sealing.reseal(session, "banner")
    assert shelf.bodies["banner"] == old
    # Another text under the number that was seen is no news either.
    other = msgspec.structs.replace(wide, revision=2)
    lie = msgspec.structs.replace(narrow, envelope=secrets.sign(other, session.key))
    shelf.bodies["banner"] = lie
    with pytest.raises(UntrustedError):
        setting.set_secret(session, Wanted("banner", "battery staple"))
    shelf.bodies["banner"] = narrow
    setting.set_secret(session, Wanted("banner", "battery staple"))
    assert holders(shelf, "banner") == {DB.node_id}


def test_a_secret_that_is_said_to_be_gone_is_not_made_anew_for_all(
    session: Session, shelf: Shelf
) -> None:
    """Its restriction would be forgotten; whoever means that says it."""
    del shelf.bodies["db"]
    with pytest.raises(ClientError, match="role=db"):
        setting.set_secret(session, Wanted("db", "battery staple"))
    assert "db" not in shelf.bodies
    setting.set_secret(session, Wanted("db", "battery staple", ONLY_DB))
    assert holders(shelf, "db") == {DB.node_id}
    assert secrets.decode(shelf.bodies["db"].envelope).version == 2
    # What was open to all before may be so again without a word.
    del shelf.bodies["banner"]
    setting.set_secret(session, Wanted("banner", "battery staple"))


def test_an_older_number_is_not_signed_because_a_coordinator_asks(
    session: Session, shelf: Shelf, coordinator: FakeCoordinator
) -> None:
    """A new value under a number that was seen would be a second truth about that number."""
    del shelf.bodies["banner"]
    bodies: list[bytes] = []

    def older(request: Request) -> Reply:
        bodies.append(request.body)
        return problem(409, "secret_version", "version 1 comes next: sign that one")

    coordinator.on("POST", "/secrets", older)
    with pytest.raises(ClientError, match="comes next"):
        setting.set_secret(session, Wanted("banner", "battery staple"))
    assert len(bodies) == 1
