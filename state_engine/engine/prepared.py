"""What the engine works out once per resource and keeps between looks, for speed.

The memory belongs to one `Ports` object and dies with it; it is pruned to what the latest look
used, so it never holds more than twice the resources in use (plus `SPARE`).
"""

from __future__ import annotations

from collections.abc import Iterable
from weakref import WeakKeyDictionary

import msgspec

from protocol.reports import ResourceDiff
from state_engine.engine.digests import desired_digest
from state_engine.model import ResolvedResource, ResourceKey
from state_engine.ports import Ports
from state_engine.resources.contract import Glance, Kind
from state_engine.resources.registry import KINDS

# Below this many entries pruning is not worth its walk: 256 resources are a few hundred KB.
SPARE = 256


class Prepared:
    """One resource with what follows from it alone. `converged` is its item when nothing is due."""

    __slots__ = ("_desired", "converged", "glance", "key", "kind", "resource", "runs_code")

    def __init__(self, resource: ResolvedResource) -> None:
        self.resource = resource
        self.key: ResourceKey = resource.key
        self.kind: Kind | None = KINDS.get(resource.kind)
        self.converged = ResourceDiff(
            resource.module,
            resource.kind,
            resource.identity,
            "none",
            id=resource.id,
            name=resource.name,
        )
        self.glance: Glance | None = None
        self.runs_code = False
        if self.kind is not None:
            try:
                self.runs_code = self.kind.runs_code(resource.spec)
                # A glance would need the secret itself, which is not kept between looks.
                if not resource.triggers and not resource.sensitive:
                    self.glance = self.kind.glance(resource.spec)
            except msgspec.ValidationError:
                # Applied by another version of the engine; observing it says what is wrong.
                self.glance = None
        self._desired = ""

    def desired(self, ports: Ports) -> str:
        """Return the digest of the desired specification, computed when first asked."""
        if not self._desired:
            self._desired = desired_digest(self.resource, ports)
        return self._desired


class Memory:
    """The prepared resources of one host, found by the identity of the resource object."""

    def __init__(self) -> None:
        # Entries keep their resource alive, so an id cannot be given to another object meanwhile.
        self._entries: dict[int, Prepared] = {}

    def get(self, resource: ResolvedResource) -> Prepared:
        """Return the prepared form of a resource."""
        entry = self._entries.get(id(resource))
        if entry is None:
            entry = self._entries[id(resource)] = Prepared(resource)
        return entry

    def prune(self, used: Iterable[ResolvedResource], count: int) -> None:
        """Forget what was not used, once that is most of what is held."""
        if len(self._entries) <= 2 * count + SPARE:
            return
        entries = self._entries
        keep = {id(resource) for resource in used}
        self._entries = {number: entries[number] for number in keep if number in entries}


_memories: WeakKeyDictionary[Ports, Memory] = WeakKeyDictionary()


def memory_of(ports: Ports) -> Memory:
    """Return the memory that belongs to these ports."""
    memory = _memories.get(ports)
    if memory is None:
        memory = _memories[ports] = Memory()
    return memory
