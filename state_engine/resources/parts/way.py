"""What is said of a path by the directories on its way: links, and who could change where it leads.

For kinds that hand a path to a program, which walks it by itself and follows what the file port
would refuse. Only looks; what is done about it is the kinds' affair.
"""

from __future__ import annotations

import os

from state_engine.ports import Ports

_OTHERS_WRITE = 0o022
_STICKY = 0o1000


def link_on(path: str, ports: Ports) -> str | None:
    """Return the first symbolic link on the way to a path, the path itself too, or None.

    Raises:
        PortError: what the system says.
    """
    for place in _places(path):
        found = ports.files.stat(place)
        if found is None:
            return None
        if found.type == "symlink":
            return place
    return None


def not_ours(path: str, ports: Ports) -> str | None:
    """Say who else could put something of his at a path or above it, or None: only root and we.

    Raises:
        PortError: what the system says.
    """
    ours = {0, os.geteuid()}
    for place in _places(path):
        found = ports.files.stat(place)
        if found is None:
            return None
        if found.type == "symlink":
            target = ports.files.read_link(place)
            return f"{place} is a symbolic link to {target}: name the path that it leads to"
        if found.uid not in ours:
            owner = ports.accounts.user(found.uid)
            return f"{place} belongs to {owner}: say `owner: {owner}`"
        if found.mode & _OTHERS_WRITE and not found.mode & _STICKY:
            return f"others can write to {place}: say who is to be `owner`, or take that from them"
    return None


def _places(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(2, len(parts) + 1)]
