"""Waits, before enrolment, for a coordinator to be named: by datagram or by `enrol` here."""

from __future__ import annotations

import trio

from agent import config as configuration
from agent import inotify
from agent.core import Core
from agent.trust import Pins
from protocol import discovery
from protocol.errors import DecodeError, StandfastError


async def run(core: Core) -> None:
    """Wait until a coordinator is pinned; return at once if one is."""
    if _enrolled(core):
        return
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_left_key, core)
        nursery.start_soon(_datagrams, core)
        while not _enrolled(core):
            await core.pins_bell.heard(core.pins_bell.count)
        nursery.cancel_scope.cancel()


def _enrolled(core: Core) -> bool:
    return core.trust.pins is not None


async def _left_key(core: Core) -> None:
    """Take the key that `standfast-agent enrol` leaves in the state directory."""
    state_dir = core.config.state_dir
    try:
        watch = inotify.Inotify()
        watch.add(state_dir, inotify.MOVED_TO)
    except (OSError, inotify.WatchLimit) as error:
        core.log.warning("a key left by `enrol` is seen at the next start only", error=str(error))
        return
    try:
        while True:
            try:
                if core.enrol_from_config():
                    core.pins_bell.ring()
            except StandfastError as error:
                core.log.failure("enrolment key not taken", error=str(error))
            await watch.wait()
            watch.read()
    finally:
        watch.close()


async def _datagrams(core: Core) -> None:
    """Take the first datagram that the configuration lets this host believe."""
    if not core.config.trust_on_first_use and core.config.coordinator_key is None:
        core.log.info("not enrolled: waiting for `standfast-agent enrol KEY`")
        return
    host, port = configuration.discovery_address(core.config)
    guard = discovery.ReplayGuard()
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as receiver:
        try:
            await receiver.bind((host, port))
        except OSError as error:
            core.tell("discovery.off", f"cannot listen on UDP {host}:{port}: {error.strerror}")
            return
        core.log.info("waiting for discovery", address=f"{host}:{port}")
        while True:
            data, source = await receiver.recvfrom(discovery.MAX_DATAGRAM + 1)
            if guard.admit(str(source[0]), trio.current_time()):
                try:
                    consider(core, guard, data)
                except StandfastError as error:
                    # A full disk: the next datagram may find room.
                    core.log.failure("coordinator not pinned", error=str(error))


def consider(core: Core, guard: discovery.ReplayGuard, data: bytes) -> bool:
    """Pin the coordinator that a datagram announces, if it may be believed; True if it was."""
    preset = core.config.coordinator_key
    if preset is None and not core.config.trust_on_first_use:
        return False
    try:
        announcement = discovery.decode(data)
    except DecodeError as error:
        core.log.write("debug", "discovery datagram dropped", error=str(error))
        return False
    pinned = None if preset is None else bytes.fromhex(preset)
    refused = guard.accept(announcement, core.clock(), pinned=pinned)
    if refused is not None:
        core.log.warning("discovery datagram refused", error=refused)
        return False
    if core.trust.pins is not None:
        return False
    core.trust.enrol(
        Pins(
            announcement.urls,
            announcement.coordinator_key,
            announcement.tls_fingerprint.hex(),
            None,
        )
    )
    core.tell("discovery.pinned", f"first use of coordinator {announcement.coordinator_key.hex()}")
    core.pins_bell.ring()
    return True
