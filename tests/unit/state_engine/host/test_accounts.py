"""The host's own users and groups."""

from __future__ import annotations

import os
import pwd

from state_engine.host.accounts import LinuxAccounts


def test_our_own_user_is_found_both_ways() -> None:
    """As the host's name service has it."""
    accounts = LinuxAccounts()
    name = pwd.getpwuid(os.geteuid()).pw_name
    assert accounts.uid(name) == pwd.getpwnam(name).pw_uid
    assert accounts.user(os.geteuid()) == name


def test_answers_are_remembered_until_forget() -> None:
    """Absence too; `forget` empties all four memories."""
    accounts = LinuxAccounts()
    accounts.uid("no-such-user-here")
    accounts.gid("root")
    accounts.user(0)
    accounts.group(0)
    assert accounts._uids == {"no-such-user-here": None}
    accounts.forget()
    assert not any((accounts._uids, accounts._gids, accounts._users, accounts._groups))
