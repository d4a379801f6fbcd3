"""What one apply keeps between its items: results, changes, captured output, the next snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from protocol.reports import (
    CapturedStream,
    OperationStatus,
    ResourceDiff,
    ResourceResult,
    ResultStatus,
    ScriptOutput,
)
from state_engine.engine.cancel import CancelCheck
from state_engine.engine.prepared import Memory, Prepared
from state_engine.engine.progress import GOOD, Finished, Report, Resume
from state_engine.engine.removal import predecessors
from state_engine.engine.scrub import Scrub, scrub_captured
from state_engine.model import AppliedResource, ResolvedResource, ResourceKey, Snapshot
from state_engine.ports import Ports


@dataclass(frozen=True, slots=True)
class Settings:
    """What stays the same during one apply."""

    ports: Ports
    memory: Memory
    approved: frozenset[str] | None
    progress: Report
    cancelled: CancelCheck
    scrub: Scrub

    def covers(self, item: ResourceDiff) -> bool:
        """Say whether the decision covers an item as it stands now."""
        return self.approved is None or item.digest in self.approved


def result_for(
    item: ResourceDiff, status: ResultStatus, error: str | None = None
) -> ResourceResult:
    """Return the result of an item that did not act."""
    return ResourceResult(
        module=item.module,
        type=item.type,
        identity=item.identity,
        action=item.action,
        status=status,
        id=item.id,
        triggered=tuple(name for trigger in item.triggers for name in trigger.because),
        error=error,
        digest=item.digest,
    )


class Ledger:
    """The account of one apply."""

    def __init__(self, snapshot: Snapshot, resume: Resume) -> None:
        self.before = snapshot
        self.resume = resume
        self.pending = set(snapshot.pending)
        self.results: list[ResourceResult] = []
        self.items: list[ResourceDiff] = []
        self.output: dict[str, ScriptOutput] = {}
        # Resources that changed, with the name that dependants show; `touched` may have.
        self.changed: dict[ResourceKey, str] = {}
        self.touched: set[ResourceKey] = set()
        self.bad: set[ResourceKey] = set()
        self.cancelled = False
        self._status: dict[ResourceKey, ResultStatus] = {}
        self._applied: dict[ResourceKey, AppliedResource] = dict(resume.applied)
        self._held = {applied.resource.key: applied for applied in snapshot.applied}
        self._by_claim = predecessors(snapshot)

    def held(self, key: ResourceKey) -> AppliedResource | None:
        """Return the record that a resource goes on from, under its own or another module's key."""
        return (
            self.resume.applied.get(key)
            or self._held.get(key)
            or self._by_claim.get((key.kind, key.identity))
        )

    def succeeded(self, key: ResourceKey) -> bool:
        """Say whether an earlier apply left the resource as desired."""
        applied = self._held.get(key)
        return applied is not None and not applied.incomplete

    def blocked(self, depends_on: tuple[ResourceKey, ...]) -> ResourceKey | None:
        """Return the first dependency that is not as desired."""
        return next((key for key in depends_on if key in self.bad), None) if self.bad else None

    def add(self, prepared: Prepared, result: ResourceResult) -> None:
        """Record the result of one desired resource."""
        self.results.append(result)
        self._status[prepared.key] = result.status
        if result.status not in GOOD:
            self.bad.add(prepared.key)
        elif result.status == "changed":
            self.changed[prepared.key] = prepared.resource.id or prepared.resource.identity

    def add_removal(self, prepared: Prepared, result: ResourceResult) -> None:
        """Record the result of one removal."""
        self.results.append(result)
        self._status[prepared.key] = result.status
        if result.status not in GOOD:
            self.bad.add(prepared.key)

    def replay(self, prepared: Prepared, result: ResourceResult) -> None:
        """Take over a result from before the interruption."""
        self.add(prepared, result)
        if result.status != "unchanged":
            self.touched.add(prepared.key)

    def keep(self, key: ResourceKey, applied: AppliedResource) -> None:
        """Record what the next snapshot holds of a resource."""
        self._applied[key] = applied

    def finished(self, prepared: Prepared) -> Finished:
        """Return the progress message for the result that was added last."""
        applied = self._record(prepared)
        return Finished(prepared.key, self.results[-1], applied)

    def capture(self, key: ResourceKey, phase: str, captured: CapturedStream, scrub: Scrub) -> None:
        """Keep one phase of a script's output, scrubbed."""
        output = self.output.get(key.address, ScriptOutput())
        clean = scrub_captured(captured, scrub)
        self.output[key.address] = msgspec.structs.replace(output, **{phase: clean})

    def snapshot(
        self,
        operation_id: str,
        resources: Sequence[ResolvedResource],
        memory: Memory,
        status: OperationStatus,
    ) -> Snapshot:
        """Return the snapshot that is true now, whatever failed."""
        applied: list[AppliedResource] = []
        desired: set[ResourceKey] = set()
        claims: set[tuple[str, str]] = set()
        for resource in resources:
            prepared = memory.get(resource)
            desired.add(prepared.key)
            record = self._record(prepared)
            if record is not None:
                applied.append(record)
                claims.add((resource.kind, resource.identity))
        for held in self.before.applied:
            key = held.resource.key
            gone = self._status.get(key) in GOOD or (key.kind, key.identity) in claims
            if key not in desired and not gone:
                applied.append(held)
        done = status == "succeeded"
        return Snapshot(
            operation_id=operation_id if done else self.before.operation_id,
            modules=tuple(sorted({item.resource.module for item in applied})),
            applied=tuple(applied),
            pending=self._pending_after(resources),
        )

    def _record(self, prepared: Prepared) -> AppliedResource | None:
        key = prepared.key
        held = self._held.get(key)
        record = self._applied.get(key)
        if self._status.get(key) in GOOD:
            if record is not None:
                return _complete(record)
            earlier = self.held(key)
            if earlier is None:
                return AppliedResource(prepared.resource)
            if earlier.resource is prepared.resource and not earlier.incomplete:
                return earlier
            return msgspec.structs.replace(earlier, resource=prepared.resource, incomplete=False)
        if record is None:
            return held
        if held is None or held.incomplete:
            return msgspec.structs.replace(record, incomplete=True)
        # It was as desired once: drift is judged against that, with what is known of its history.
        return msgspec.structs.replace(record, resource=held.resource)

    def _pending_after(self, resources: Sequence[ResolvedResource]) -> tuple[ResourceKey, ...]:
        pending: list[ResourceKey] = []
        for resource in resources:
            if not resource.triggers:
                continue
            key = resource.key
            if self._status.get(key) in GOOD:
                continue
            sources = {source for trigger in resource.triggers for source in trigger.on}
            if key in self.pending or sources & (self.touched | self.changed.keys()):
                pending.append(key)
        return tuple(pending)


def _complete(record: AppliedResource) -> AppliedResource:
    return msgspec.structs.replace(record, incomplete=False) if record.incomplete else record
