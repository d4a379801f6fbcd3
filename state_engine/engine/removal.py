"""What is no longer desired: which resources go, in which order, and how each looks in a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from protocol.reports import ResourceDiff, item_digest
from state_engine.engine.digests import observed_digest, removal_digest
from state_engine.engine.look import masked
from state_engine.engine.prepared import Memory
from state_engine.model import AppliedResource, ResolvedResource, ResourceKey, Snapshot
from state_engine.ports import PortError, Ports
from state_engine.resources.contract import Undo

Claim = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Removal:
    """One removal: its plan item and what to do."""

    item: ResourceDiff
    undo: Undo


def leaving(
    resources: Sequence[ResolvedResource], snapshot: Snapshot, memory: Memory
) -> list[AppliedResource]:
    """Return what was applied and is desired no more, last applied first.

    A resource that another module claims now (same kind and identity) changes hands and stays.
    """
    if not snapshot.applied:
        return []
    get = memory.get
    desired = {get(resource).key for resource in resources}
    gone = [
        applied
        for applied in reversed(snapshot.applied)
        if get(applied.resource).key not in desired
    ]
    if not gone:
        return gone
    claims = {(key.kind, key.identity) for key in desired}
    return [applied for applied in gone if _claim(applied.resource.key) not in claims]


def predecessors(snapshot: Snapshot) -> dict[Claim, AppliedResource]:
    """Return what was applied by kind and identity: its history passes on when it changes hands."""
    return {_claim(applied.resource.key): applied for applied in snapshot.applied}


def look_at_removal(applied: AppliedResource, ports: Ports, memory: Memory) -> Removal:
    """Return the plan item of a removal and what it would do; runs no code of the module."""
    prepared = memory.get(applied.resource)
    resource, kind = prepared.resource, prepared.kind
    item = msgspec.structs.replace(prepared.converged, action="remove")
    if kind is None:
        undo = Undo(message=f"forgotten: kind `{resource.kind}` is not known here")
        observation = None
    else:
        try:
            observation = (
                None if prepared.runs_code else kind.observe(resource.spec, ports, verify=False)
            )
            undo = kind.undo(resource.spec, observation, applied)
        except (PortError, msgspec.ValidationError) as error:
            refused = msgspec.structs.replace(item, action="error", message=f"remove: {error}")
            return Removal(refused, Undo())
    item = msgspec.structs.replace(
        item,
        changes=masked(undo.changes, resource.sensitive),
        message=undo.message,
        desired=removal_digest(applied, ports),
        observed=observed_digest(observation, resource, ports),
    )
    return Removal(msgspec.structs.replace(item, digest=item_digest(item)), undo)


def _claim(key: ResourceKey) -> Claim:
    return key.kind, key.identity
