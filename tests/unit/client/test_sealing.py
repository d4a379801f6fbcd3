"""For whom a client seals: only along signatures, whatever the coordinator says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from client import sealing, secrets_api
from client.failures import ClientError, UntrustedError
from client.operator_key import operator_id
from client.session import Session, Settings
from protocol import ids, keys
from protocol.api_secrets import CreateSecretRequest
from protocol.secrets import Restriction, SecretDocument
from tests.fakes.api_server import FakeCoordinator
from tests.fakes.operator import Person
from tests.fakes.secret_shelf import Host, Shelf

WEB, DB = Host(1, "web-1"), Host(2, "db-1")
VALUE = "correct horse"


@pytest.fixture
def session(lena: Person) -> Iterator[Session]:
    made = Session(Settings(config_dir=str(lena.directory)))
    yield made
    made.close()


@pytest.fixture
def shelf(coordinator: FakeCoordinator, session: Session) -> Shelf:
    """Two hosts that the operator has vouched for; one is tagged."""
    made = Shelf(coordinator)
    made.recipients = [
        WEB.recipient(WEB.vouched(session.key)),
        DB.recipient(DB.vouched(session.key, role="db")),
    ]
    made.reader = operator_id(session.key)
    return made


def draft(session: Session, restriction: Restriction | None = None) -> SecretDocument:
    return SecretDocument(
        1,
        ids.DEFAULT_SCOPE,
        "db",
        1,
        1,
        "0" * 64,
        restriction or Restriction(),
        operator_id(session.key),
        10,
    )


def put(session: Session, restriction: Restriction | None = None) -> sealing.Sealed:
    """Seal a secret and store it."""
    made = sealing.seal(session, draft(session, restriction), VALUE)
    secrets_api.create(session.api, CreateSecretRequest("db", sealed=made.body))
    return made


def test_a_value_is_sealed_to_every_host_that_operators_vouched_for(
    session: Session, shelf: Shelf
) -> None:
    """Each opens it with its own key; the value is nowhere in what was sent."""
    made = put(session)
    assert made.hosts == ("web-1", "db-1")
    assert shelf.opened("db", WEB) == shelf.opened("db", DB) == VALUE
    assert VALUE.encode() not in msgspec.json.encode(made.body)


@pytest.mark.parametrize(
    ("restriction", "hosts"),
    [
        (Restriction("role=db"), ("db-1",)),
        (Restriction("", (WEB.node_id,)), ("web-1",)),
        (Restriction("role=db", (WEB.node_id,)), ()),
    ],
)
def test_a_restriction_looks_at_signed_tags(
    session: Session, shelf: Shelf, restriction: Restriction, hosts: tuple[str, ...]
) -> None:
    """Named and matching, both."""
    assert put(session, restriction).hosts == hosts
    assert len(shelf.bodies["db"].wraps) == len(hosts) + 1


def test_a_host_that_the_coordinator_made_up_gets_nothing(session: Session, shelf: Shelf) -> None:
    """No statement, one of a stranger, another host's, another key, an unsigned sealing key."""
    evil, stranger = Host(66, "evil"), keys.SigningKey.generate()
    true = WEB.recipient(WEB.vouched(session.key))
    lies = {
        "none": evil.recipient(None),
        "stranger": evil.recipient(evil.vouched(stranger)),
        "another": evil.recipient(WEB.vouched(session.key)),
        "key": msgspec.structs.replace(
            true, public_key=evil.key.public.hex(),
            sealing_key=evil.sealing.public.hex(),
            sealing_sig=evil.recipient(None).sealing_sig,
        ),
        "unsigned": msgspec.structs.replace(true, sealing_key=evil.sealing.public.hex()),
        "garbage": msgspec.structs.replace(true, sealing_sig="zz"),
    }  # fmt: skip
    for kind, lie in lies.items():
        shelf.recipients = [msgspec.structs.replace(lie, name=kind)]
        made = sealing.seal(session, draft(session), VALUE)
        assert made.hosts == ()
        assert list(made.left_out) == [kind]
        assert set(made.body.wraps) == {operator_id(session.key)}


def test_one_hosts_key_is_not_taken_under_the_id_of_another(session: Session, shelf: Shelf) -> None:
    """Else a coordinator and one host could read together what is restricted to another host."""
    for statement in (WEB.vouched(session.key), None):
        lie = msgspec.structs.replace(WEB.recipient(statement), node_id=DB.node_id)
        shelf.recipients = [lie]
        made = sealing.seal(session, draft(session, Restriction("", (DB.node_id,))), VALUE)
        assert made.hosts == ()


def test_a_host_is_sealed_to_without_a_statement_only_by_its_own_id(
    session: Session, shelf: Shelf
) -> None:
    """Somebody typed the id, and the id commits to the key; its tags are then nobody's word."""
    new = Host(7, "new")
    shelf.recipients = [new.recipient(None)]
    assert put(session, Restriction("", (new.node_id,))).hosts == ("new",)
    assert put(session, Restriction("role=db", (new.node_id,))).hosts == ()
    other = msgspec.structs.replace(Host(8, "x").recipient(None), node_id=new.node_id)
    shelf.recipients = [other]
    assert put(session, Restriction("", (new.node_id,))).hosts == ()


def test_a_new_host_gets_what_it_may_have_when_it_is_approved(
    session: Session, shelf: Shelf
) -> None:
    """Its key is wrapped from our own copy; nobody else's is touched."""
    put(session)
    new = Host(9, "new")
    shelf.recipients = [*shelf.recipients, new.recipient(new.vouched(session.key))]
    assert sealing.wrap_for_node(session, new.node_id) == (("db",), {})
    assert shelf.opened("db", new) == VALUE


def test_what_is_not_sealed_to_us_cannot_be_sealed_on(session: Session, shelf: Shelf) -> None:
    """And it is said which secrets these are."""
    put(session)
    shelf.reader = "somebody else"
    with pytest.raises(ClientError, match="not sealed to you"):
        sealing.reseal(session, "db")
    assert list(sealing.wrap_for_node(session, WEB.node_id)[1]) == ["db"]


def test_a_secret_that_was_swapped_is_not_sealed_on(session: Session, shelf: Shelf) -> None:
    """Another document, another ciphertext: nothing is signed or wrapped over."""
    put(session)
    true = shelf.bodies["db"]
    shelf.bodies["db"] = msgspec.structs.replace(true, ciphertext="AAAA" * 20)
    with pytest.raises(UntrustedError):
        sealing.reseal(session, "db")
    stranger = keys.SigningKey.generate()
    from protocol import secrets

    shelf.bodies["db"] = msgspec.structs.replace(
        true, envelope=secrets.sign(draft(session), stranger)
    )
    with pytest.raises(UntrustedError):
        sealing.reseal(session, "db")


def test_a_value_that_cannot_be_a_secret_is_refused_here(session: Session, shelf: Shelf) -> None:
    """Nothing is sent."""
    with pytest.raises(ClientError, match="at least 4"):
        sealing.seal(session, draft(session), "abc")
    assert shelf.bodies == {}


def test_more_hosts_than_fit_a_request_are_brought_in_parts(session: Session, shelf: Shelf) -> None:
    """A body has a limit, a fleet has none."""
    shelf.recipients = [WEB.recipient(WEB.vouched(session.key))]
    made = put(session)
    wraps = {str(number): "" for number in range(2 * sealing.MAX_WRAPS + 1)}
    sizes = [len(part) for part in sealing.parts(wraps)]
    assert sizes == [sealing.MAX_WRAPS, sealing.MAX_WRAPS, 1]
    more = msgspec.structs.replace(made, more=({DB.node_id: "later"},))
    sealing.bring_more(session, "db", 1, more)
    assert shelf.bodies["db"].wraps[DB.node_id] == "later"


def test_the_directory_keeps_no_value(session: Session, shelf: Shelf, lena: Person) -> None:
    """Nothing of it is cached beside the key."""
    put(session)
    assert shelf.bodies
    files = [path for path in Path(lena.directory).rglob("*") if path.is_file()]
    assert not any(VALUE.encode() in path.read_bytes() for path in files)
