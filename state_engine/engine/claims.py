"""Which paths some resource manages, so that a purge leaves them alone."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from state_engine.engine.prepared import Memory
from state_engine.model import ResolvedResource, Snapshot


class Claims:
    """The paths of what is desired, and of what was applied and goes by a removal of its own.

    Worked out when first asked, which most looks never do.
    """

    def __init__(
        self, resources: Sequence[ResolvedResource], snapshot: Snapshot, memory: Memory
    ) -> None:
        self._resources = resources
        self._snapshot = snapshot
        self._memory = memory
        self._paths: frozenset[str] | None = None

    def __call__(self) -> frozenset[str]:
        """Return the paths."""
        if self._paths is None:
            applied = (held.resource for held in self._snapshot.applied)
            self._paths = frozenset(
                path for resource in (*self._resources, *applied) for path in self._of(resource)
            )
        return self._paths

    def _of(self, resource: ResolvedResource) -> tuple[str, ...]:
        kind = self._memory.get(resource).kind
        if kind is None:
            return ()
        try:
            return kind.watches(resource.spec)
        except msgspec.ValidationError:
            return ()  # applied by another version of the engine
