"""Names and numbers of users and groups."""

from __future__ import annotations

from state_engine.resources.parts.accounts import gid_of, group_as, uid_of, user_as
from tests.fakes.ports import FakeAccounts


def test_numbers_as_text_need_no_lookup() -> None:
    """`1234` is a uid, whether it has a name or not."""
    accounts = FakeAccounts()
    assert (uid_of("1234", accounts), gid_of("77", accounts)) == (1234, 77)
    assert (uid_of("app", accounts), gid_of("app", accounts)) == (1000, 1000)
    assert (uid_of("nobody-here", accounts), gid_of("nobody-here", accounts)) == (None, None)


def test_what_is_found_is_spelled_as_it_was_wanted() -> None:
    """A wanted `1000` and a found `app` are one user, and show no difference."""
    accounts = FakeAccounts()
    accounts.users["second-name"] = 1000
    assert user_as("1000", 1000, accounts) == "1000"
    assert user_as("second-name", 1000, accounts) == "second-name"
    assert user_as("root", 1000, accounts) == "app"
    assert user_as(None, 4242, accounts) == "4242"
    assert group_as("0", 0, accounts) == "0"
    assert group_as("app", 0, accounts) == "root"
