"""`standfast sessions`: where one is logged in, and ending it."""

from __future__ import annotations

from protocol.api_tokens import Ended, LoggedOut, Session, Sessions
from tests.fakes.api_server import FakeCoordinator, Reply
from tests.fakes.operator import Person

MINE = Session("s1", "o", "lena", 1_700_000_000, 4_000_000_000, 1_700_000_000, "192.0.2.1", True)


def test_sessions_are_listed_and_ended(lena: Person, coordinator: FakeCoordinator) -> None:
    coordinator.on("GET", "/auth/sessions", Reply(Sessions((MINE,))))
    assert lena.types("sessions list").rows[0][:4] == ["*", "s1", "lena", "192.0.2.1"]
    lena.types("sessions list --all")
    assert coordinator.sent("GET", "/auth/sessions")[1].query == {"everybody": "true"}
    coordinator.on("DELETE", "/auth/sessions/s1", Reply(raw=b""))
    assert "ended 1 session\n" in lena.types("sessions revoke s1").out
    coordinator.on("DELETE", "/auth/sessions", Reply(Ended(3)))
    assert lena.types("sessions revoke --all").code == 2
    assert "ended 3 sessions" in lena.types("sessions revoke --all --yes").out
    lena.types("sessions revoke --operator o --yes")
    assert coordinator.sent("DELETE", "/auth/sessions")[1].query == {"operator_id": "o"}


def test_what_to_end_must_be_said_exactly_once(lena: Person) -> None:
    for words in ("", "s1 --all", "--all --operator o"):
        assert lena.types(f"sessions revoke {words}").code == 2


def test_who_logs_out_has_no_token_left(lena: Person, coordinator: FakeCoordinator) -> None:
    coordinator.on("POST", "/auth/logout", Reply(LoggedOut()))
    assert lena.types("agents list").code == 0
    assert list((lena.directory / "tokens").iterdir())
    assert lena.types("sessions logout").code == 0
    assert not list((lena.directory / "tokens").iterdir())
