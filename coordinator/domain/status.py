"""Health and identity of the coordinator: a little to everybody, more to operators."""

from __future__ import annotations

from coordinator.domain import agents
from coordinator.store import rosters
from coordinator.store.database import Tx
from protocol import api, dsse
from protocol.messages import VERSIONS


def public(public_key: bytes, rotations: tuple[dsse.Envelope, ...]) -> api.Status:
    """Return what a stranger may know: that it runs, its key, and how it came to it."""
    return api.Status(VERSIONS[0], "ok", public_key.hex(), rotations=rotations)


def full(
    tx: Tx, public_key: bytes, rotations: tuple[dsse.Envelope, ...], version: str
) -> api.Status:
    """Return what operators see: version, roster, number of hosts by state."""
    roster = rosters.current(tx)
    return api.Status(
        protocol_version=VERSIONS[0],
        status="ok",
        public_key=public_key.hex(),
        version=version,
        roster_version=roster.version if roster is not None else 0,
        roster_digest=roster.digest if roster is not None else "",
        agents=agents.counts(tx),
        rotations=rotations,
    )
