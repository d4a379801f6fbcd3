"""API bodies of sessions and named API tokens, and what a token may be allowed.

A token is for programs. It signs nothing: what hosts do is still decided by operators' keys.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from protocol.roster import Role

# What leak scanners look for; 32 random bytes in base64url follow.
TOKEN_PREFIX = "sf_"  # noqa: S105 - the public part

TokenCapability = Literal[
    "read",
    "state.run",
    "commands.run",
    "decisions",
    "modules.write",
    "artifacts.write",
    "tags.write",
    "agents.admit",
    "enrolment-keys",
    "secrets.write",
    "audit.read",
    "write",
]
CAPABILITIES: dict[TokenCapability, str] = {
    "read": "see hosts, modules, state, runs, drift, events and artifacts",
    "state.run": "ask for plans, applies and looks for drift, and cancel them",
    "commands.run": "ask for commands, and cancel and delete them",
    "decisions": "bring decisions that operators signed",
    "modules.write": "store and remove modules",
    "artifacts.write": "upload artifacts, the bytes that modules name by digest",
    "tags.write": "tag hosts",
    "agents.admit": "announce the coordinator, and approve, reject and remove hosts",
    "enrolment-keys": "make, see and revoke enrolment keys",
    "secrets.write": "store, change and remove sealed secrets",
    "audit.read": "read and export the audit log",
    "write": "every other change that the role allows",
}
NAMES: tuple[TokenCapability, ...] = get_args(TokenCapability)


class CreateTokenRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /tokens; `capabilities` empty: all that the role may, `expires_at` null: no end.

    `role` is one of ours; `reader` and `writer` are taken for `viewer` and `operator`. `scope` is a
    scope or the beginning of one with `*` for the rest. `expires_at` is in unix seconds.
    """

    name: str
    role: Role | Literal["reader", "writer"] = "automation"
    capabilities: tuple[TokenCapability, ...] = ()
    scope: str = "*"
    expires_at: int | None = None


class Token(msgspec.Struct, frozen=True):
    """One API token, without its secret."""

    name: str
    role: Role
    created_at: str
    created_by: str = ""
    capabilities: tuple[TokenCapability, ...] = ()
    scope: str = "*"
    expires_at: int | None = None
    last_used_at: int | None = None


class CreatedToken(Token, frozen=True):
    """The one answer that holds the token itself."""

    token: str = ""

    def __repr__(self) -> str:
        return f"CreatedToken(name={self.name!r}, <hidden>)"


class Tokens(msgspec.Struct, frozen=True):
    """GET /tokens, by name."""

    items: tuple[Token, ...]


class Session(msgspec.Struct, frozen=True):
    """One log-in that is not over; times in unix seconds. `current` is the one that asks."""

    session_id: str
    operator_id: str
    username: str
    created_at: int
    expires_at: int
    last_used_at: int
    source: str
    current: bool = False


class Sessions(msgspec.Struct, frozen=True):
    """GET /auth/sessions, oldest first."""

    items: tuple[Session, ...]


class Ended(msgspec.Struct, frozen=True):
    """How many sessions were ended."""

    ended: int


class AuthConfig(msgspec.Struct, frozen=True):
    """GET /auth/config: how one logs in here."""

    mode: str = "key"
    setup_required: bool = False
    setup_token_required: bool = False
    login_methods: tuple[str, ...] = ("key",)


class LoggedOut(msgspec.Struct, frozen=True):
    """POST /auth/logout."""

    status: str = "ok"


class Me(msgspec.Struct, frozen=True):
    """GET /auth/me: who the bearer is taken for."""

    authenticated: bool
    method: Literal["session", "bearer", "none"]
    name: str = ""
    username: str = ""
    role: str = ""
    operator_id: str = ""
    capabilities: tuple[TokenCapability, ...] = ()
    scope: str = "*"
