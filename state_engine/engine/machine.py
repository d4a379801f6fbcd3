"""What a machine is believed to hold, for reports: applied, to be removed, not yet applied."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.reports import AppliedSummary, MachineState
from state_engine.engine.prepared import Memory, Prepared
from state_engine.model import ResolvedResource, Snapshot
from state_engine.ports import Ports


def machine_state(
    resources: Sequence[ResolvedResource], snapshot: Snapshot, ports: Ports, memory: Memory
) -> MachineState:
    """Return the three groups; a resource that changed since it was applied is in `unapplied`."""
    desired = {prepared.key: prepared for prepared in map(memory.get, resources)}
    held = {
        prepared.key: prepared
        for prepared in (memory.get(item.resource) for item in snapshot.applied)
    }
    incomplete = {item.resource.key for item in snapshot.applied if item.incomplete}
    return MachineState(
        applied=tuple(
            _summary(prepared, ports) for key, prepared in held.items() if key not in incomplete
        ),
        pending_removals=tuple(
            _summary(prepared, ports) for key, prepared in held.items() if key not in desired
        ),
        unapplied=tuple(
            _summary(prepared, ports)
            for key, prepared in desired.items()
            if key not in held
            or key in incomplete
            or (
                held[key].resource is not prepared.resource
                and held[key].resource.spec != prepared.resource.spec
            )
        ),
    )


def _summary(prepared: Prepared, ports: Ports) -> AppliedSummary:
    resource = prepared.resource
    return AppliedSummary(
        module=resource.module,
        type=resource.kind,
        identity=resource.identity,
        id=resource.id,
        desired=prepared.desired(ports),
    )
