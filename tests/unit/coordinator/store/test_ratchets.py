"""Lines of hosts' keys are kept, found where they diverge, and forgotten."""

from __future__ import annotations

from coordinator.store import ratchets
from coordinator.store.database import Tx
from protocol.ratchet import Holder, Line
from tests.fakes.stores import FrozenClock, memory_store

ONE = Holder("a", 1, b"c" * 32, b"o" * 32, "web-1", "192.0.2.1", 5.0)
OTHER = Holder("b", 0, b"", b"p" * 32, "web-1", "192.0.2.2", 6.0)


def test_a_line_is_kept_and_found_where_it_diverges() -> None:
    store = memory_store(FrozenClock())

    def job(tx: Tx) -> None:
        assert ratchets.get(tx, "n1") == Line()
        ratchets.put(tx, "n1", Line((ONE,)))
        ratchets.put(tx, "n2", Line((ONE,)))
        ratchets.put(tx, "n2", Line((ONE, OTHER), (OTHER,)))
        assert ratchets.get(tx, "n2") == Line((ONE, OTHER), (OTHER,))
        assert ratchets.diverged(tx) == {"n2"}
        assert (ratchets.is_diverged(tx, "n1"), ratchets.is_diverged(tx, "n2")) == (False, True)
        assert not ratchets.is_diverged(tx, "n3")
        ratchets.forget(tx, "n2")
        assert ratchets.diverged(tx) == frozenset()
        assert ratchets.forget_all(tx) == 1
        assert ratchets.get(tx, "n1") == Line()

    store.write_now(job)
