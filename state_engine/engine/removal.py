"""What is no longer desired: which resources go, in which order, and how each looks in a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from protocol.errors import DecodeError
from protocol.reports import ResourceDiff, item_digest
from state_engine.engine.digests import observed_digest, removal_digest
from state_engine.engine.look import UNWRITABLE
from state_engine.engine.prepared import Memory
from state_engine.engine.private_files import (
    covered_private,
    touches_private,
    without_any_digests,
)
from state_engine.engine.secrets import redacted, revealed
from state_engine.model import AppliedResource, ResolvedResource, ResourceKey, Snapshot
from state_engine.ports import PortError, Ports
from state_engine.resources.contract import Kind, Observation, Spec, Undo

Claim = tuple[str, str]
# Device, inode and last name of what stands at a path.
_Object = tuple[int, int, str]
# What a decision binds of a removal that does nothing, for it must not become one that does.
KEPT = "kept: the same as what is desired"


class Held:
    """What a snapshot holds, by key; else by kind and identity: history passes on with a claim."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._by_key = {applied.resource.key: applied for applied in snapshot.applied}
        self._by_claim = {_claim(applied.resource.key): applied for applied in snapshot.applied}

    def exactly(self, key: ResourceKey) -> AppliedResource | None:
        """Return the record under this very key."""
        return self._by_key.get(key)

    def get(self, key: ResourceKey) -> AppliedResource | None:
        """Return the record that a resource goes on from, under its own or another module's key."""
        return self._by_key.get(key) or self._by_claim.get(_claim(key))

    def succeeded(self, key: ResourceKey) -> bool:
        """Say whether an earlier apply left the resource as desired."""
        applied = self._by_key.get(key)
        return applied is not None and not applied.incomplete


class Standing:
    """The objects that desired resources stand for, by what they are and not by their whole path.

    The last name counts: two names that are hard links of one file are two, each of which can go.
    The same name behind a link or a bind mount of its directory is one. Looked at once, when the
    first removal asks.
    """

    def __init__(self, resources: Sequence[ResolvedResource], ports: Ports, memory: Memory) -> None:
        self._resources = resources
        self._ports = ports
        self._memory = memory
        self._found: dict[_Object, str] | None = None

    def same_as(self, applied: AppliedResource) -> str | None:
        """Return the desired path that names the same object as a resource that is to go."""
        for path in self._paths(applied.resource):
            # One that only looks at a file (for a line in it) does not take the file away.
            if path != applied.resource.identity:
                continue
            number = self._number(path)
            if number is not None:
                return self._all().get(number)
        return None

    def _all(self) -> dict[_Object, str]:
        if self._found is None:
            self._found = {
                number: path
                for resource in self._resources
                for path in self._paths(resource)
                if (number := self._number(path)) is not None
            }
        return self._found

    def _paths(self, resource: ResolvedResource) -> tuple[str, ...]:
        kind = self._memory.get(resource).kind
        return () if kind is None else kind.watches(resource.spec)

    def _number(self, path: str) -> _Object | None:
        try:
            found = self._ports.files.stat(path)
        except PortError:
            return None
        return None if found is None else (found.device, found.inode, path.rpartition("/")[2])


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


def look_at_removal(
    applied: AppliedResource, ports: Ports, memory: Memory, standing: Standing
) -> Removal:
    """Return the plan item of a removal and what it would do; runs no code of the module."""
    prepared = memory.get(applied.resource)
    resource, kind = prepared.resource, prepared.kind
    item = msgspec.structs.replace(prepared.converged, action="remove")
    binds: tuple[str, ...] = ()
    if kind is None:
        undo = Undo(message=f"forgotten: kind `{resource.kind}` is not known here")
        observation = None
    else:
        try:
            spec = revealed(resource, ports)
            observation = None if prepared.runs_code else kind.observe(spec, ports, verify=False)
            undo = _undo(kind, spec, observation, applied)
            undo, binds = _unless_desired(undo, applied, standing)
        except (PortError, msgspec.ValidationError) as error:
            refused = msgspec.structs.replace(item, action="error", message=f"remove: {error}")
            return Removal(refused, Undo())
    changes = redacted(undo.changes, resource, None, ports)
    if not resource.sensitive and kind is not None:
        hidden = covered_private(applied) or touches_private(kind, resource.spec, ports)
        changes = without_any_digests(changes, ports) if hidden else changes
    try:
        item = msgspec.structs.replace(
            item,
            changes=changes,
            message=undo.message,
            desired=removal_digest(applied, ports),
            observed=observed_digest(observation, ports, binds=binds),
        )
        return Removal(msgspec.structs.replace(item, digest=item_digest(item)), undo)
    except DecodeError as error:
        text = f"remove: {UNWRITABLE}: {error}"
        return Removal(msgspec.structs.replace(item, action="error", message=text), Undo())


def _unless_desired(
    undo: Undo, applied: AppliedResource, standing: Standing
) -> tuple[Undo, tuple[str, ...]]:
    """Return what a removal does and binds, if its object may be desired by another name."""
    path = standing.same_as(applied) if undo.steps else None
    if path is None:
        return undo, ()
    return Undo(message=f"kept: it is the same as {path}, which is desired"), (KEPT,)


def _undo(
    kind: Kind, spec: Spec, observation: Observation | None, applied: AppliedResource
) -> Undo:
    """Return how a resource goes away, as its module chose when it was applied."""
    resource = applied.resource
    if resource.on_remove == "keep":
        return Undo(message="kept and forgotten: `on_remove: keep`")
    if resource.on_remove == "undo" or applied.created:
        return kind.undo(spec, observation, applied)
    # What was there before us goes as if we had made it: the kind then still takes only what is
    # its own (an edited file leaves a copy, a directory with something in it stays).
    ours = msgspec.structs.replace(applied, created=True)
    undo = kind.undo(spec, observation, ours)
    if not undo.steps:
        return undo
    message = f"{undo.message}; it was there before us (`on_remove: delete`)"
    return msgspec.structs.replace(undo, message=message)


def _claim(key: ResourceKey) -> Claim:
    return key.kind, key.identity
