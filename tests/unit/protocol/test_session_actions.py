"""Actions are values: equal when they say the same, and silent about secrets."""

from __future__ import annotations

from protocol.messages import Hello
from protocol.ratchet import Claim
from protocol.session_actions import Authenticated, CloseLink, Send

CLAIM = Claim(0, b"", b"")


def test_actions_compare_by_what_they_say() -> None:
    """Two sends of the same bytes are the same action."""
    assert Send(b"x") == Send(b"x") != Send(b"y")
    assert CloseLink("a", "b") != CloseLink("a", "c")


def test_authenticated_never_prints_the_secret() -> None:
    """A log line may hold it whole."""
    hello = Hello((1,), b"", b"", b"", b"", "", "", 0, 0, 0)
    assert "<hidden>" in repr(Authenticated(hello, "id", b"secret", CLAIM))
    assert "secret'" not in repr(Authenticated(hello, "id", b"secret", CLAIM))
