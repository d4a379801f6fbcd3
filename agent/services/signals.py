"""Listens to what the kernel and systemd tell of things that are no files: units, network, mounts.

Each source is opened when the first resource that it concerns is managed, and says no more than
"look again". One that fails is told and tried again; the full look now and then finds the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NoReturn

import msgspec
import trio

from agent import mounts, netlink, systemd_bus
from agent.bells import Bell
from agent.core import Core
from agent.systemd_bus import BusError
from state_engine.model import ResourceKey, Snapshot

Keys = frozenset[ResourceKey]
Look = Callable[[Keys], None]
SourceName = Literal["units", "network", "firewall", "mounts", "swaps"]
# A bus that is restarted is back in a second or so; one that is not there is not asked often.
RETRY_SECONDS = 30.0
_KINDS: dict[str, SourceName] = {
    "service-systemd": "units",
    "timer-systemd": "units",
    "network-address": "network",
    "network-route": "network",
    "resolv": "network",
    "nftables": "firewall",
    "mount": "mounts",
    "swap": "swaps",
}
_SUFFIXES = {"service-systemd": ".service", "timer-systemd": ".timer"}


class Source(msgspec.Struct, frozen=True):
    """One thing to listen to, and the resources that it concerns."""

    name: SourceName
    keys: Keys


def sources(snapshot: Snapshot) -> tuple[Source, ...]:
    """Return what has to be listened to for what is managed."""
    found: dict[SourceName, set[ResourceKey]] = {}
    for applied in snapshot.applied:
        name = _KINDS.get(applied.resource.kind)
        if name is not None and not applied.incomplete:
            found.setdefault(name, set()).add(applied.resource.key)
    return tuple(Source(name, frozenset(found[name])) for name in sorted(found))


def units(keys: Keys) -> dict[str, Keys]:
    """Return the resources of each unit of systemd."""
    found: dict[str, set[ResourceKey]] = {}
    for key in keys:
        found.setdefault(f"{key.identity}{_SUFFIXES.get(key.kind, '')}", set()).add(key)
    return {unit: frozenset(of) for unit, of in found.items()}


async def follow(
    core: Core,
    snapshot: Callable[[], Snapshot],
    changed: Bell,
    look: Look,
    socket: str = systemd_bus.SOCKET,
) -> NoReturn:
    """Listen to what the present snapshot needs; `changed` is rung when it may be another.

    `socket` is where the system's bus listens.
    """
    while True:
        known = changed.count
        wanted = sources(snapshot())
        async with trio.open_nursery() as nursery:
            for source in wanted:
                nursery.start_soon(attend, core, source, look, socket)
            while sources(snapshot()) == wanted:
                known = await changed.heard(known)
            nursery.cancel_scope.cancel()


async def attend(
    core: Core, source: Source, look: Look, socket: str = systemd_bus.SOCKET
) -> NoReturn:
    """Listen to one source for ever."""
    while True:
        try:
            await _listen(source, look, socket)
        except (OSError, BusError) as error:
            text = f"{source.name}: {error}; changes are found by the next full look only"
            core.tell("drift.deaf", text)
        await trio.sleep(RETRY_SECONDS)


async def _listen(source: Source, look: Look, socket: str) -> None:
    def ring() -> None:
        look(source.keys)

    match source.name:
        case "units":
            by_unit = units(source.keys)

            def heard(changed: frozenset[str]) -> None:
                look(frozenset(key for unit in changed for key in by_unit[unit]))

            await systemd_bus.listen(frozenset(by_unit), heard, socket)
        case "network" | "firewall":
            await netlink.listen(ring, netlink.opened(source.name))
        case "mounts" | "swaps":
            await mounts.listen(ring, mounts.TABLES[source.name])
