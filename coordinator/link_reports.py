"""What a host says of its own health and nature over its link becomes what is shown of it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TypeVar

from coordinator.domain import audit_witness, offers
from coordinator.domain.host_reports import Host
from coordinator.store import presence
from coordinator.store.database import Tx
from protocol.audit_journals import HEAD_EVENT, noted_head
from protocol.messages import Audit, Facts, Heartbeat

V = TypeVar("V", str, int | float | str | None)
# Facts of a host: 200 of 320 bytes are more than any has; 100 strangers add 6 MiB to a list.
MAX_ATTRIBUTES = 200
MAX_FACT_NAME = 64
MAX_FACT = 256


def heartbeat(tx: Tx, host: Host, message: Heartbeat, offered: frozenset[str] | None) -> None:
    """Note that a host is alive, its troubles, and which leases it holds."""
    problems = tuple(problem[:256] for problem in message.problems[:32])
    drift = message.drift[:64] if message.drift is not None else None
    presence.seen(tx, host.node_id, drift=drift, problems=problems)
    offers.heartbeat(tx, host.node_id, frozenset(message.leases), offered_here=offered)


def facts(tx: Tx, host: Host, message: Facts) -> None:
    """Note a host's attributes, and the signed head of the audit log that it has seen."""
    presence.set_facts(tx, host.node_id, _bounded(message.attributes), _bounded(message.details))
    seen = noted_head(Audit(HEAD_EVENT, str(message.details.get(HEAD_EVENT, ""))))
    if seen is not None:
        audit_witness.host_saw(tx, host.principal, host.scope, seen)


def _bounded(facts: Mapping[str, V]) -> dict[str, V]:
    names = sorted(name for name in facts if len(name) <= MAX_FACT_NAME)
    pairs = ((name, facts[name]) for name in names)
    fitting = (
        (name, fact) for name, fact in pairs if not isinstance(fact, str) or len(fact) <= MAX_FACT
    )
    return dict(islice(fitting, MAX_ATTRIBUTES))
