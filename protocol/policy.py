"""The node's own policy: what a signature must look like before this host acts.

The file `/etc/standfast/policy.toml` is read by the agent; here are its shape and meaning only.
The coordinator can never write it.
"""

from __future__ import annotations

import posixpath
from typing import Literal

import msgspec

from protocol import windows
from protocol.errors import DecodeError
from protocol.limits import MAX_SIGNATURES

Capability = Literal[
    "state.apply",
    "command.run",
    "terminal.open",
    "ssh.credential",
    "network.change",
    "secret.read",
    "agent.update",
    "policy.change",
    "file.read",
]
SignatureClass = Literal["operator", "coordinator", "deny"]


class CapabilityRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who must sign for one capability, and what it may touch. Every list is empty: no limit.

    `quorum` (1 to 16) signatures are needed, besides that of whoever asked if `requester_excluded`.
    `operators` are ids or usernames; `windows` are in UTC (`mon-fri 22:00-05:00`). For changes of
    state: `kinds` of resources that modules may hold, `users` that their programs may run as,
    `paths` beneath which they may write, and `deny_paths` that they may not touch. `repair` false:
    the host puts nothing right by itself, although a signed module says `on_drift: repair`.
    """

    signature: SignatureClass = "operator"
    quorum: int = 1
    requester_excluded: bool = False
    operators: tuple[str, ...] = ()
    windows: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    deny_paths: tuple[str, ...] = ()
    repair: bool = True


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rules of one host; a capability that is not named needs one operator."""

    capabilities: dict[Capability, CapabilityRule] = {}

    def rule(self, capability: Capability) -> CapabilityRule:
        """Return the rule for a capability."""
        return self.capabilities.get(capability, CapabilityRule())


def parse(data: dict[str, object]) -> Policy:
    """Return the policy that a parsed TOML document holds.

    Raises:
        DecodeError: an unknown key, capability or class; the text says where.
    """
    try:
        policy = msgspec.convert(data, Policy)
    except msgspec.ValidationError as error:
        raise DecodeError(f"policy: {error}") from error
    for name, rule in policy.capabilities.items():
        try:
            _check(rule)
        except DecodeError as error:
            raise DecodeError(f"policy: {name}: {error}") from error
    return policy


def _check(rule: CapabilityRule) -> None:
    if not 1 <= rule.quorum <= MAX_SIGNATURES:
        raise DecodeError(f"quorum must be 1 to {MAX_SIGNATURES}")
    windows.check(rule.windows)
    for path in (*rule.paths, *rule.deny_paths):
        if not path.startswith("/") or posixpath.normpath(path) != path or path[:2] == "//":
            raise DecodeError(
                f"path {path[:128]!r} must be absolute, without `..` or `/` at its end"
            )
    for text in (*rule.operators, *rule.users, *rule.kinds):
        if not text.strip():
            raise DecodeError("a name is empty")
