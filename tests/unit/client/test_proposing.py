"""A change of the roster on its way; `cli/test_roster.py` walks it with two people."""

from __future__ import annotations

import msgspec
import pytest

from client import proposing
from client.failures import AuthError, NotFoundError, UntrustedError
from client.roster_edits import Edits, edited
from client.session import Session, Settings
from protocol.roster import RecoveryKey
from tests.fakes.api_server import FakeCoordinator
from tests.fakes.api_team import Team
from tests.fakes.operator import Person
from tests.fakes.people import key


@pytest.fixture
def session(lena: Person) -> Session:
    return Session(Settings(config_dir=str(lena.directory)))


def test_what_hosts_would_refuse_is_not_sent(
    session: Session, coordinator: FakeCoordinator
) -> None:
    """A threshold that nobody can meet never leaves this machine."""
    trusted = session.trusted()
    following = edited(trusted, Edits(threshold=2), session.now())
    count = len(coordinator.requests)
    with pytest.raises(AuthError, match="cannot be met"):
        proposing.bring(session, trusted, following, session.key)
    with pytest.raises(AuthError, match="only an admin"):
        proposing.bring(session, trusted, following, key(9))
    assert len(coordinator.requests) == count
    session.close()


def test_a_recovery_that_the_coordinator_does_not_show_is_not_believed(
    session: Session, coordinator: FakeCoordinator
) -> None:
    """Not its word counts, but the chain."""
    team = Team(coordinator)
    trusted = session.trusted()
    spare = RecoveryKey("safe", key(50).public.hex())
    first = edited(trusted, Edits(recovery=(spare,)), session.now())
    done = proposing.bring(session, trusted, first, session.key)
    assert done.newest is not None
    following = edited(done.newest, Edits(postures={"a/*": "prod"}), session.now())
    honest = team.shown

    def lie(digest: str) -> object:
        coordinator.chain = coordinator.chain[:2]
        return msgspec.structs.replace(honest(digest), status="accepted", version=3)

    team.shown = lie  # type: ignore[method-assign, assignment]  # the lie is this test
    with pytest.raises(UntrustedError, match="does not show"):
        proposing.bring(session, done.newest, following, key(50))
    session.close()


def test_the_beginning_of_a_digest_means_one_proposal(
    session: Session, coordinator: FakeCoordinator
) -> None:
    """None, or several, are an error; nothing means the only one."""
    team = Team(coordinator)
    trusted = session.trusted()
    for digest in ("aa" * 32, "ab" * 32):
        team.proposals[digest] = trusted.envelope
    assert proposing.find(session, "ab").digest == "ab" * 32
    for text in ("", "a", "c"):
        with pytest.raises(NotFoundError):
            proposing.find(session, text)
    session.close()
