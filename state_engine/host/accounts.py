"""The account port on Linux: the host's own name service, remembered until `forget`."""

from __future__ import annotations

import grp
import pwd


class LinuxAccounts:
    """Users and groups of this host."""

    def __init__(self) -> None:
        self._uids: dict[str, int | None] = {}
        self._gids: dict[str, int | None] = {}
        self._users: dict[int, str] = {}
        self._groups: dict[int, str] = {}

    def uid(self, name: str) -> int | None:
        """Return the uid of a user name, or None."""
        if name not in self._uids:
            try:
                self._uids[name] = pwd.getpwnam(name).pw_uid
            except KeyError:
                self._uids[name] = None
        return self._uids[name]

    def gid(self, name: str) -> int | None:
        """Return the gid of a group name, or None."""
        if name not in self._gids:
            try:
                self._gids[name] = grp.getgrnam(name).gr_gid
            except KeyError:
                self._gids[name] = None
        return self._gids[name]

    def user(self, uid: int) -> str:
        """Return the user name, or the number as text."""
        if uid not in self._users:
            try:
                self._users[uid] = pwd.getpwuid(uid).pw_name
            except KeyError:
                self._users[uid] = str(uid)
        return self._users[uid]

    def group(self, gid: int) -> str:
        """Return the group name, or the number as text."""
        if gid not in self._groups:
            try:
                self._groups[gid] = grp.getgrgid(gid).gr_name
            except KeyError:
                self._groups[gid] = str(gid)
        return self._groups[gid]

    def forget(self) -> None:
        """Drop what was looked up so far."""
        for known in (self._uids, self._gids):
            known.clear()
        self._users.clear()
        self._groups.clear()
