from __future__ import annotations

from coordinator.store import module_versions
from protocol import dsse
from protocol.messages import ModuleVersion
from tests.fakes.stores import memory_store


def test_every_version_stays() -> None:
    """New bytes are a new version; the same bytes again replace the signatures."""
    store = memory_store()
    first, second = ModuleVersion("m", "1", b"one"), ModuleVersion("m", "2", b"two")
    signed = ModuleVersion("m", "1", b"one", dsse.Envelope("t", "b25l"))
    for version in (first, second, signed):
        store.write_now(lambda tx, v=version: module_versions.put(tx, "s", v, "ada"))
    assert store.read_now(lambda tx: module_versions.get(tx, "s", "m", "1")) == signed
    assert store.read_now(lambda tx: module_versions.get(tx, "s", "m", "2")) == second
    assert store.read_now(lambda tx: module_versions.get(tx, "t", "m", "1")) is None
