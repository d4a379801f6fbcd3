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
from state_engine.engine.claims import Claims
from state_engine.engine.prepared import Memory, Prepared
from state_engine.engine.progress import GOOD, Finished, Report, Resume
from state_engine.engine.removal import Held
from state_engine.engine.scrub import Scrub, scrub_captured
from state_engine.engine.secrets import Secrecy
from state_engine.engine.undo_log import UndoLog
from state_engine.model import AppliedResource, ResolvedResource, ResourceKey, Snapshot
from state_engine.ports import Ports

# Characters of captured output in one apply. Each is at most six bytes of JSON, so 8 Mi characters
# are 48 MiB of the 64 MiB that one result may have; streams after that keep only their end, and
# 4 streams of 200 characters for each of 2,500 scripts are 12 MiB more.
MAX_OUTPUT = 8 * 1_048_576
SHORT = 200


@dataclass(frozen=True, slots=True)
class Settings:
    """What stays the same during one apply."""

    ports: Ports
    memory: Memory
    approved: frozenset[str] | None
    progress: Report
    cancelled: CancelCheck
    secrecy: Secrecy
    claims: Claims
    undo: UndoLog | None = None

    @property
    def scrub(self) -> Scrub:
        """The function that takes secrets out of a text."""
        return self.secrecy.scrub

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
        self._output_size = 0
        # Resources that changed, with the name that dependants show; `touched` may have.
        self.changed: dict[ResourceKey, str] = {}
        self.touched: set[ResourceKey] = set()
        self.bad: set[ResourceKey] = set()
        self.cancelled = False
        # Doing several together was tried and failed · what was begun by that, in this call.
        self.alone = False
        self.attempted: set[ResourceKey] = set()
        self._status: dict[ResourceKey, ResultStatus] = {}
        self._applied: dict[ResourceKey, AppliedResource] = dict(resume.applied)
        self._held = Held(snapshot)

    def held(self, key: ResourceKey) -> AppliedResource | None:
        """Return the record that a resource goes on from, under its own or another module's key."""
        return self.resume.applied.get(key) or self._held.get(key)

    def before_us(self, key: ResourceKey) -> AppliedResource | None:
        """Return the record that the snapshot held before this operation."""
        return self._held.get(key)

    def succeeded(self, key: ResourceKey) -> bool:
        """Say whether an earlier apply left the resource as desired."""
        return self._held.succeeded(key)

    def begun(self, resource: ResolvedResource) -> bool:
        """Say whether the interrupted call had begun with this very resource.

        Only then may it go on without its state before being approved once more: what a key stands
        for can have changed meanwhile (a tag, a fact), and that was never approved.
        """
        if resource.key in self.attempted:
            return True
        record = self.resume.applied.get(resource.key)
        same = record is not None and record.resource.spec == resource.spec
        return same and resource.key in self.resume.started - self.resume.removing

    def blocked(self, depends_on: tuple[ResourceKey, ...]) -> ResourceKey | None:
        """Return the first dependency that is not as desired."""
        return next((key for key in depends_on if key in self.bad), None) if self.bad else None

    def all_good(self, depends_on: tuple[ResourceKey, ...]) -> bool:
        """Say whether all of these were dealt with in this apply, and are as desired."""
        return all(self._status.get(key) in GOOD for key in depends_on)

    def dealt_with(self, key: ResourceKey) -> bool:
        """Say whether a resource has its result already."""
        return key in self._status

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

    def forget(self, key: ResourceKey) -> None:
        """Take back what `keep` recorded: nothing of it came to be."""
        self._applied.pop(key, None)

    def finished(self, prepared: Prepared) -> Finished:
        """Return the progress message for the result that was added last."""
        applied = self._record(prepared)
        return Finished(prepared.key, self.results[-1], applied)

    def capture(self, key: ResourceKey, phase: str, captured: CapturedStream, scrub: Scrub) -> None:
        """Keep one phase of a script's output, scrubbed, as far as there is room for it."""
        output = self.output.get(key.address, ScriptOutput())
        clean = scrub_captured(captured, scrub)
        self._output_size += len(clean.stdout) + len(clean.stderr)
        if self._output_size > MAX_OUTPUT:
            clean = _shortened(clean)
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
        held = self._held.exactly(key)
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


def _shortened(captured: CapturedStream) -> CapturedStream:
    stdout, stderr = captured.stdout[-SHORT:], captured.stderr[-SHORT:]
    cut = captured.truncated or (stdout, stderr) != (captured.stdout, captured.stderr)
    return msgspec.structs.replace(captured, stdout=stdout, stderr=stderr, truncated=cut)


def _complete(record: AppliedResource) -> AppliedResource:
    return msgspec.structs.replace(record, incomplete=False) if record.incomplete else record
