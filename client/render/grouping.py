"""The same change on many hosts shown once: hosts grouped by what would be done to them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from protocol.reports import BOUND, Change, ResourceDiff

MASK = "(sensitive value)"


class Group(msgspec.Struct, frozen=True):
    """One change and the labels of the hosts that it stands for, sorted."""

    item: ResourceDiff
    hosts: tuple[str, ...]


class Totals(msgspec.Struct, frozen=True):
    """How many resources on how many hosts; `unknown` counts those that could not be looked at."""

    add: int = 0
    change: int = 0
    remove: int = 0
    run: int = 0
    unchanged: int = 0
    unknown: int = 0
    hosts: int = 0


def group(plans: Mapping[str, tuple[ResourceDiff, ...]]) -> list[Group]:
    """Return the changes of all hosts, equal ones once, most hosts first.

    `plans` maps a host's label to its resources. Resources that stay as they are do not appear.
    Two changes are equal only if a person sees the same and they lead to the same state.
    """
    items: dict[bytes, ResourceDiff] = {}
    hosts: dict[bytes, list[str]] = {}
    for label in sorted(plans):
        for item in plans[label]:
            if item.action != "none":
                shown = _visible(item)
                key = msgspec.json.encode(shown)
                items.setdefault(key, shown)
                hosts.setdefault(key, []).append(label)
    order = sorted(items, key=lambda key: (-len(hosts[key]), _place(items[key]), key))
    return [Group(items[key], tuple(hosts[key])) for key in order]


def totals(plans: Mapping[str, tuple[ResourceDiff, ...]]) -> Totals:
    """Return the sums over all hosts."""
    actions = [item.action for resources in plans.values() for item in resources]
    return Totals(
        add=actions.count("create"),
        change=actions.count("update"),
        remove=actions.count("remove"),
        run=actions.count("run"),
        unchanged=actions.count("none"),
        unknown=actions.count("unknown") + actions.count("error"),
        hosts=len(plans),
    )


def masked(item: ResourceDiff) -> ResourceDiff:
    """Return a resource whose sensitive fields show nothing but what the host has redacted."""
    return msgspec.structs.replace(item, changes=tuple(map(_masked, item.changes)))


def _masked(change: Change) -> Change:
    if not change.sensitive or change.redacted:
        return change
    return Change(
        change.field,
        MASK if change.current is not None else None,
        MASK if change.desired is not None else None,
        sensitive=True,
    )


def _visible(item: ResourceDiff) -> ResourceDiff:
    # Digests of a host's present state differ where a person sees no difference (times, inodes).
    return msgspec.structs.replace(masked(item), observed="", digest="")


def _place(item: ResourceDiff) -> tuple[bool, str, str, str]:
    return (item.action not in BOUND, item.module, item.type, item.identity)
