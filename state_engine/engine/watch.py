"""Which paths to watch for drift, and whom each concerns."""

from __future__ import annotations

from state_engine.model import ResourceKey, Snapshot
from state_engine.resources.registry import KINDS


def watched_paths(snapshot: Snapshot) -> dict[str, tuple[ResourceKey, ...]]:
    """Return, for each path to watch, the applied resources to look at again when it changes."""
    found: dict[str, tuple[ResourceKey, ...]] = {}
    for applied in snapshot.applied:
        resource = applied.resource
        kind = KINDS.get(resource.kind)
        if kind is None or applied.incomplete:
            continue
        for path in kind.watches(resource.spec):
            found[path] = (*found.get(path, ()), resource.key)
    return found
