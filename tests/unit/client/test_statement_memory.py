"""What an operator has seen signed about hosts: it only goes on, and is never silently lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from client import statement_memory
from client.failures import ClientError, UntrustedError
from client.private_files import replace_private
from client.session import Session, Settings
from protocol import ids
from protocol.node_statement import NodeStatement
from tests.fakes.operator import Person

NODE, OTHER = ids.node_id(b"n" * 32), ids.node_id(b"o" * 32)


@pytest.fixture
def session(lena: Person) -> Iterator[Session]:
    made = Session(Settings(config_dir=str(lena.directory)))
    yield made
    made.close()


def statement(version: int, key: str = "aa", node_id: str = NODE) -> NodeStatement:
    return NodeStatement(1, version, node_id, key * 32, "web", ids.DEFAULT_SCOPE, {}, 1_000)


def test_only_what_is_newer_takes_the_place_of_what_was_seen(session: Session) -> None:
    """The same again is no news; an older one, another under its version, or none is a lie."""
    statement_memory.check(session, {NODE: None})
    for shown in (statement(1), statement(1), statement(3, "bb")):
        statement_memory.check(session, {NODE: shown})
    for older in (statement(1), statement(2, "bb"), statement(3, "cc"), None):
        with pytest.raises(UntrustedError) as caught:
            statement_memory.check(session, {NODE: older})
        assert caught.value.code == "statement_rollback"
        assert str(statement_memory.path_of(session)) in (caught.value.next_command or "")
    statement_memory.check(session, {NODE: statement(4)})
    assert statement_memory.path_of(session).stat().st_mode & 0o077 == 0


def test_where_one_is_wrong_nothing_is_remembered(session: Session) -> None:
    """Else a lie could be learned beside it."""
    statement_memory.check(session, {NODE: statement(2)})
    with pytest.raises(UntrustedError):
        statement_memory.check(session, {OTHER: statement(9, node_id=OTHER), NODE: statement(1)})
    statement_memory.check(session, {OTHER: statement(1, node_id=OTHER)})


def test_the_memory_is_bounded(session: Session) -> None:
    """The host that was seen first gives way."""
    nodes = [ids.node_id(bytes([number]) * 32) for number in range(4)]
    for node in nodes:
        statement_memory.check(session, {node: statement(5, node_id=node)}, limit=3)
    statement_memory.check(session, {nodes[0]: statement(1, node_id=nodes[0])}, limit=3)
    with pytest.raises(UntrustedError):
        statement_memory.check(session, {nodes[3]: statement(1, node_id=nodes[3])}, limit=3)


def test_a_damaged_memory_is_told_and_not_begun_anew(session: Session) -> None:
    """Else whoever can damage it could go back."""
    replace_private(statement_memory.path_of(session), b"{")
    with pytest.raises(ClientError, match="damaged"):
        statement_memory.check(session, {NODE: statement(1)})
