"""Users and groups as modules write them (names, or numbers as text) against numbers on a host."""

from __future__ import annotations

from state_engine.ports import AccountPort


def uid_of(owner: str, accounts: AccountPort) -> int | None:
    """Return the uid that a name or number stands for, or None if there is no such user."""
    return int(owner) if owner.isdigit() else accounts.uid(owner)


def gid_of(group: str, accounts: AccountPort) -> int | None:
    """Return the gid that a name or number stands for, or None if there is no such group."""
    return int(group) if group.isdigit() else accounts.gid(group)


def user_as(wanted: str | None, uid: int, accounts: AccountPort) -> str:
    """Return the uid's name; the wanted spelling if that names the same user."""
    if wanted is not None and uid_of(wanted, accounts) == uid:
        return wanted
    return accounts.user(uid)


def group_as(wanted: str | None, gid: int, accounts: AccountPort) -> str:
    """Return the gid's name; the wanted spelling if that names the same group."""
    if wanted is not None and gid_of(wanted, accounts) == gid:
        return wanted
    return accounts.group(gid)
