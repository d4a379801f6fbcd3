"""What an operator signs about one host when it is let in: its key, name, scope and signed tags.

The coordinator sets tags at will, so nothing that guards a host may ask them. What is said here is
signed by an operator of the roster, its version only rises, and the host keeps it on disk.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class NodeStatement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of what the operators say about a host.

    `public_key` is its Ed25519 identity key in hex: it may differ from the one that `node_id`
    commits to, after a host was installed anew. `issued_at` is the signer's clock in whole seconds.
    `tags` are the only tags that grants, approval rules and restrictions of secrets look at.
    """

    v: Literal[1]
    version: int
    node_id: str
    public_key: str
    name: str
    scope: str
    tags: dict[str, str]
    issued_at: int
