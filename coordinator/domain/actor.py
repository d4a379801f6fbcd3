"""Who asks: the operator behind a request, as the domain sees it."""

from __future__ import annotations

import msgspec

from coordinator.store.events import Principal
from protocol.roster import Role


class Actor(msgspec.Struct, frozen=True):
    """An authenticated operator; `username` is what audit lines and records show."""

    operator_id: str
    username: str
    role: Role

    def principal(self) -> Principal:
        """Return the operator as the event log names it."""
        return Principal("operator", self.operator_id, self.username)
