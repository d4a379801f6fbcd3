"""The bodies of the API on clones: hosts of which several hold the key."""

from __future__ import annotations

import msgspec


class Holder(msgspec.Struct, frozen=True):
    """One that holds a host's key: what it calls itself, whence it came last, how often it did.

    `links` is the length of its own line of links since it was told apart; `kept` says whether it
    is, or was chosen to be, the host itself.
    """

    holder_id: str
    hostname: str
    address: str
    seen_at: int
    links: int
    kept: bool


class Clones(msgspec.Struct, frozen=True):
    """Who holds one host's key; while `diverged`, the host gets no work."""

    node_id: str
    name: str | None
    diverged: bool
    holders: tuple[Holder, ...]


class KeepRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /agents/{node_id}/clones: the holder that is the host; all others are sent away."""

    holder_id: str
