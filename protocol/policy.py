"""The node's own policy: what a signature must look like before this host acts.

The file `/etc/standfast/policy.toml` is read by the agent; here are its shape and meaning only.
The coordinator can never write it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

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
    """Who must sign for one capability, and how many (1 to 16)."""

    signature: SignatureClass = "operator"
    quorum: int = 1


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
        if not 1 <= rule.quorum <= MAX_SIGNATURES:
            raise DecodeError(f"policy: quorum of {name} must be 1 to {MAX_SIGNATURES}")
    return policy
