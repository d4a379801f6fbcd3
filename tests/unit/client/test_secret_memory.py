"""What an operator has seen of secrets: it only goes on, and is never silently lost."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from client import secret_memory
from client.failures import ClientError, UntrustedError
from client.private_files import replace_private
from client.session import Session, Settings
from protocol import ids
from protocol.secrets import Restriction, SecretDocument
from tests.fakes.operator import Person


@pytest.fixture
def session(lena: Person) -> Iterator[Session]:
    made = Session(Settings(config_dir=str(lena.directory)))
    yield made
    made.close()


def document(
    name: str = "db", version: int = 1, revision: int = 1, tags: str = ""
) -> SecretDocument:
    return SecretDocument(
        1, ids.DEFAULT_SCOPE, name, version, revision, "0" * 64, Restriction(tags), "op", 1
    )


def test_only_what_is_newer_takes_the_place_of_what_was_seen(session: Session) -> None:
    """The same again is no news; an older one, or another under its number, is a lie."""
    assert secret_memory.recall(session, "db") is None
    secret_memory.check(session, document())
    secret_memory.check(session, document())
    secret_memory.check(session, document(version=2, revision=3, tags="role=db"))
    for older in (document(), document(version=2, revision=2), document(version=2, revision=3)):
        with pytest.raises(UntrustedError) as caught:
            secret_memory.check(session, older)
        assert caught.value.code == "secret_rollback"
    assert secret_memory.recall(session, "db") == document(version=2, revision=3, tags="role=db")
    assert secret_memory.path_of(session).stat().st_mode & 0o077 == 0


def test_a_damaged_memory_is_told_and_not_begun_anew(session: Session) -> None:
    """Else whoever can damage it could go back."""
    replace_private(secret_memory.path_of(session), b"{")
    with pytest.raises(ClientError, match="damaged"):
        secret_memory.check(session, document())


def test_a_full_memory_forgets_first_what_restricts_nothing(session: Session) -> None:
    """What is forgotten must not widen who may have a secret."""
    secret_memory.check(session, document("a", tags="role=db"), limit=2)
    secret_memory.check(session, document("b"), limit=2)
    secret_memory.check(session, document("c", tags="role=db"), limit=2)
    names = {name for name in "abc" if secret_memory.recall(session, name) is not None}
    assert names == {"a", "c"}
    assert len(msgspec.json.decode(secret_memory.path_of(session).read_bytes())["documents"]) == 2
