"""Only a signed, fresh, expected datagram makes a host believe in a coordinator."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing

from agent.services import discovery as service
from protocol import discovery
from protocol.discovery import Announcement, ReplayGuard
from protocol.keys import SigningKey
from tests.fakes.agent import NOW, make_core

KEY = SigningKey.generate()


def datagram(key: SigningKey = KEY, at: float = NOW) -> bytes:
    announcement = Announcement(
        urls=("https://10.0.0.1:4748",),
        coordinator_key=key.public,
        tls_fingerprint=b"f" * 32,
        time=int(at),
        nonce=os.urandom(discovery.NONCE_SIZE),
    )
    return discovery.encode(announcement, key)


def test_an_unknown_coordinator_is_believed_only_on_explicit_first_use(tmp_path: Path) -> None:
    """Without trust_on_first_use the first broadcaster owns nothing."""
    careful = make_core(tmp_path / "careful")
    assert not service.consider(careful, ReplayGuard(), datagram())
    assert careful.trust.pins is None
    trusting = make_core(tmp_path / "trusting", trust_on_first_use=True)
    assert service.consider(trusting, ReplayGuard(), datagram())
    pins = trusting.trust.pins
    assert pins is not None
    assert (pins.coordinator_key, pins.tls_fingerprint) == (KEY.public, (b"f" * 32).hex())
    assert (pins.roster, pins.secret) == (None, None)
    other = SigningKey.generate()
    assert not service.consider(trusting, ReplayGuard(), datagram(other))
    assert trusting.trust.pins == pins


def test_a_preset_key_is_the_only_one_believed(tmp_path: Path) -> None:
    """A key in the configuration needs no trust on first use, and allows no other."""
    core = make_core(tmp_path / "state", coordinator_key=KEY.public.hex(), trust_on_first_use=True)
    assert not service.consider(core, ReplayGuard(), datagram(SigningKey.generate()))
    assert service.consider(core, ReplayGuard(), datagram())


def test_old_replayed_and_broken_datagrams_are_dropped(tmp_path: Path) -> None:
    """Age, nonce and signature are each enough to be refused."""
    core = make_core(tmp_path / "state", trust_on_first_use=True)
    good = datagram()
    for bad in (b"", good[:-1], good[:-1] + b"\0", datagram(at=NOW - 61), datagram(at=NOW + 61)):
        assert not service.consider(core, ReplayGuard(), bad)
    guard = ReplayGuard()
    assert service.consider(core, guard, good)
    core.trust.forget(lambda _: None)
    assert not service.consider(core, guard, good)


@pytest.mark.hostile
def test_a_datagram_with_an_address_that_cannot_be_dialled_pins_nothing(tmp_path: Path) -> None:
    """A host on first use would else fall over it at every start, for ever."""
    core = make_core(tmp_path / "state", trust_on_first_use=True)
    for url in ("https://h:99999", "https://[", "https://" + "a" * 64, "https://a b", "https:///"):
        body = msgspec.msgpack.encode(
            Announcement((url,), KEY.public, b"f" * 32, int(NOW), os.urandom(16))
        )
        forged = b"SFD1" + KEY.sign(b"standfast/discovery/v1\x00" + body) + body
        assert not service.consider(core, ReplayGuard(), forged)
    assert core.trust.pins is None


async def test_a_datagram_on_the_wire_pins_and_ends_the_waiting(tmp_path: Path) -> None:
    """The service listens on UDP until a coordinator is pinned, and then stops."""
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as probe:
        await probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"127.0.0.1:{port}"
    core = make_core(tmp_path / "state", trust_on_first_use=True, discovery_address=address)
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.run, core)
            with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sender:
                while core.trust.pins is None:
                    await trio.testing.wait_all_tasks_blocked()
                    await sender.sendto(datagram(), ("127.0.0.1", port))
                    with trio.move_on_after(0.1):
                        await core.pins_bell.heard(0)
    await service.run(core)
