"""Who asks: the one principal behind a request, however it proved itself.

A log-in with an operator's key and an API token end here today; a password or a sign-on elsewhere
will be one more `method`, and nothing after this line will know the difference.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from coordinator.store.events import Principal
from protocol.api_tokens import TokenCapability
from protocol.roster import Role

Method = Literal["key", "token"]


class Grant(msgspec.Struct, frozen=True):
    """What an API token is allowed, within its role; no capabilities means all of them.

    `scope` is a scope or a pattern of `protocol.scopes`.
    """

    name: str
    capabilities: frozenset[TokenCapability]
    scope: str

    def allows(self, capability: TokenCapability) -> bool:
        """Say whether the token has a capability."""
        return not self.capabilities or capability in self.capabilities


class Actor(msgspec.Struct, frozen=True):
    """An authenticated operator, or a token that one made.

    `username` is what records show. `credential` is the session's public id or the token's name;
    `grant` narrows a token; `stale` says that its last use should be written down again.
    """

    operator_id: str
    username: str
    role: Role
    method: Method = "key"
    credential: str = ""
    grant: Grant | None = None
    stale: bool = False

    def principal(self) -> Principal:
        """Return the actor as the event log names it: the operator, and with which token."""
        name = self.username
        if self.grant is not None:
            name = f"{self.username} (token {self.grant.name})"
        return Principal("operator", self.operator_id, name)
