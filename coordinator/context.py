"""What handlers work with, as one frozen value: store, hub, identity, settings, clock."""

from __future__ import annotations

from dataclasses import dataclass

from coordinator.clock import Clock
from coordinator.config import CoordinatorConfig
from coordinator.hub import Hub
from coordinator.links import Links
from coordinator.store.database import Store
from protocol import dsse
from protocol.keys import SigningKey


@dataclass(frozen=True, slots=True)
class App:
    """The parts of one running coordinator; `links` are its live agents.

    `tls_fingerprint` is "" where TLS is off. `rotations` are the statements by which older keys of
    this coordinator named their successors.
    """

    store: Store
    hub: Hub
    identity: SigningKey
    config: CoordinatorConfig
    clock: Clock
    tls_fingerprint: str
    links: Links
    rotations: tuple[dsse.Envelope, ...] = ()
