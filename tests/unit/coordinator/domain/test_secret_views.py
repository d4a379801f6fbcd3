"""What is said of a secret, and when its end is warned of."""

from __future__ import annotations

from coordinator.domain import secret_views, secrets
from tests.fakes.api_site import Desk
from tests.fakes.sealed_requests import creation

DAY = 86_400


def test_the_end_of_a_secret_is_warned_of_once_at_each_mark() -> None:
    """14, 7 and 1 days before, and when it is over."""
    desk = Desk.open()
    start = desk.clock.now
    end = int(start) + 20 * DAY
    desk.do(lambda tx: secrets.create(tx, desk.ada, creation(expires_at=end)))
    told: list[str] = []
    for days in (0, 5, 7, 12, 14, 18.5, 19.5, 21, 22):
        desk.clock.now = start + days * DAY
        due = desk.do(secret_views.expiring)
        desk.do(lambda tx, uids=due: secret_views.warn(tx, uids))  # type: ignore[misc]
        told += [desk.last_event().summary] if due else []
    assert [text.rpartition(" less than ")[2] for text in told] == [
        "14 days",
        "7 days",
        "1 day",
        "secret db has expired: hosts resolve it no more; set a new value",
    ]
    assert desk.do(lambda tx: secret_views.get(tx, "db")).expired


def test_a_restriction_that_says_nothing_is_shown_as_none() -> None:
    """Times are RFC 3339."""
    desk = Desk.open()
    desk.do(lambda tx: secrets.create(tx, desk.ada, creation()))
    (seen,) = desk.do(secret_views.listing)
    assert seen.restriction is None
    assert seen.created_at.endswith("Z")
