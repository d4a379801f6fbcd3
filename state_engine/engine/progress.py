"""What an apply tells its caller while it works, and what the caller hands back to resume it.

The caller makes each message durable before it returns, so a kill at any point can be resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from protocol.reports import ApplyResult, ResourceResult
from state_engine.model import AppliedResource, ResolvedResource, ResourceKey, Snapshot

# Statuses after which dependants may act.
GOOD = frozenset({"unchanged", "changed", "removed"})


class Started(msgspec.Struct, frozen=True, tag="started"):
    """An item is about to act. `applied` is what the snapshot will need, should we die in between.

    `removal` says that the item goes away; then `applied` is what stood in the snapshot.
    """

    key: ResourceKey
    digest: str
    applied: AppliedResource
    removal: bool = False


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """An item has acted. `applied` replaces what the snapshot held under its key; None drops it."""

    key: ResourceKey
    result: ResourceResult
    applied: AppliedResource | None = None


Progress = Started | Finished
Report = Callable[[Progress], None]


class Resume(msgspec.Struct, frozen=True):
    """How far an apply had come: the messages of `Progress`, folded by `fold`.

    `removing` are those of `started` that began to go away.
    """

    finished: dict[ResourceKey, ResourceResult] = {}
    started: frozenset[ResourceKey] = frozenset()
    applied: dict[ResourceKey, AppliedResource] = {}
    dropped: frozenset[ResourceKey] = frozenset()
    removing: frozenset[ResourceKey] = frozenset()


class ApplyOutcome(msgspec.Struct, frozen=True):
    """The answer of an apply, and the snapshot that is true from now on."""

    result: ApplyResult
    snapshot: Snapshot


def ignore(progress: Progress) -> None:
    """Keep no account of progress: only for applies that nothing can interrupt."""
    del progress


def fold(messages: Sequence[Progress]) -> Resume:
    """Return how far an apply had come, from what it reported, in order."""
    finished: dict[ResourceKey, ResourceResult] = {}
    started: set[ResourceKey] = set()
    removing: set[ResourceKey] = set()
    applied: dict[ResourceKey, AppliedResource] = {}
    dropped: set[ResourceKey] = set()
    for message in messages:
        match message:
            case Started():
                started.add(message.key)
                if message.removal:
                    removing.add(message.key)
                # A second start is a resumed one, whose first look was already half done.
                applied.setdefault(message.key, message.applied)
            case Finished():
                finished[message.key] = message.result
                if message.applied is None:
                    applied.pop(message.key, None)
                    dropped.add(message.key)
                else:
                    applied[message.key] = message.applied
    return Resume(finished, frozenset(started), applied, frozenset(dropped), frozenset(removing))


def recovered(
    snapshot: Snapshot, resources: Sequence[ResolvedResource], resume: Resume
) -> Snapshot:
    """Return the snapshot after an apply that died and will not be resumed.

    What it touched is recorded, and whoever reacts to it gets a pending trigger, so nothing that
    it did is forgotten.
    """
    kept = {
        applied.resource.key: applied
        for applied in snapshot.applied
        if applied.resource.key not in resume.dropped
    }
    for key, applied in resume.applied.items():
        good = key in resume.finished and resume.finished[key].status in GOOD
        before = kept.get(key)
        if good:
            kept[key] = applied
        elif before is None or before.incomplete:
            kept[key] = msgspec.structs.replace(applied, incomplete=True)
    touched = {
        key
        for key in resume.started
        if key not in resume.finished or resume.finished[key].status != "unchanged"
    }
    pending = set(snapshot.pending)
    for resource in resources:
        key = resource.key
        done = key in resume.finished and resume.finished[key].status in GOOD
        if done:
            pending.discard(key)
        elif any(source in touched for trigger in resource.triggers for source in trigger.on):
            pending.add(key)
    return msgspec.structs.replace(
        snapshot, applied=tuple(kept.values()), pending=tuple(sorted(pending))
    )
