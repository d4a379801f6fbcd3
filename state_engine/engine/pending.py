"""Pending: what was last applied, against what is desired now. Looks at no host.

The other axis, what the host shows against what was applied, is `engine.drift`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from protocol import canonical
from protocol.canonical import Json
from protocol.reports import Action, Change, ResourceDiff
from state_engine.engine.redaction import spoken
from state_engine.model import AppliedResource, ResolvedResource, Snapshot
from state_engine.resources.parts import text_diff

# A value longer than this is shown by its lines that differ, and by digest.
MAX_VALUE = 200
# Texts longer than this are shown by digest only.
MAX_SHOWN = 262_144


def find_pending(
    resources: Sequence[ResolvedResource], snapshot: Snapshot
) -> tuple[ResourceDiff, ...]:
    """Return an item for each resource whose desired specification is not what was last applied.

    In the order of the desired resources, then those that are to go. A `create` was never applied
    as desired, an `update` was applied otherwise, a `remove` is desired no more, a `run` has a
    trigger that is pending. No item is bound by a digest: only a plan can be decided on.
    """
    held = {applied.resource.key: applied for applied in snapshot.applied}
    by_claim = {(key.kind, key.identity): applied for key, applied in held.items()}
    due = frozenset(snapshot.pending)
    items: list[ResourceDiff] = []
    claims: set[tuple[str, str]] = set()
    for resource in resources:
        key = resource.key
        claim = (key.kind, key.identity)
        claims.add(claim)
        applied = held.get(key) or by_claim.get(claim)
        if applied is None or applied.incomplete:
            items.append(_item(resource, "create", _changes(None, resource)))
        elif changes := _changes(applied.resource, resource):
            items.append(_item(resource, "update", changes))
        elif key in due:
            items.append(_item(resource, "run", (), "a trigger has not succeeded yet"))
    for applied in snapshot.applied:
        key = applied.resource.key
        if (key.kind, key.identity) not in claims:
            items.append(_gone(applied))
    return tuple(items)


def _gone(applied: AppliedResource) -> ResourceDiff:
    return _item(applied.resource, "remove", ())


def _item(
    resource: ResolvedResource, action: Action, changes: tuple[Change, ...], note: str | None = None
) -> ResourceDiff:
    return ResourceDiff(
        resource.module,
        resource.kind,
        resource.identity,
        action,
        id=resource.id,
        name=resource.name,
        changes=changes,
        message=note,
    )


def _changes(before: ResolvedResource | None, after: ResolvedResource) -> tuple[Change, ...]:
    old = {} if before is None else before.spec
    if before is not None and (before.spec is after.spec or before.spec == after.spec):
        return ()
    fields = [*after.spec, *(field for field in old if field not in after.spec)]
    found = tuple(
        _change(field, old.get(field), after.spec.get(field))
        for field in fields
        if old.get(field) != after.spec.get(field)
    )
    return spoken(found, [after] if before is None else [after, before])


def _change(field: str, old: Json, new: Json) -> Change:
    one, other = _text(old), _text(new)
    if max(len(one or ""), len(other or "")) <= MAX_VALUE and "\n" not in f"{one}{other}".strip():
        return Change(field, one, other)
    diff: tuple[str, ...] = ()
    if max(len(one or ""), len(other or "")) <= MAX_SHOWN:
        diff = text_diff.unified(one or "", other or "", field, created=one is None)
    return Change(field, _name(old), _name(new), diff=diff)


def _text(value: Json) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _name(value: Json) -> str | None:
    return None if value is None else f"sha256:{canonical.digest(value)}"
