"""The API on clones: who holds a host's key, and the choice between them."""

from __future__ import annotations

from coordinator.store import ratchets
from protocol.ratchet import Holder, Line
from tests.fakes.api_site import APPROVED, Site

LINE = Line(
    (
        Holder("a", 4, b"c" * 32, b"o" * 32, "web", "192.0.2.1", 5.0),
        Holder("b", 0, b"", b"p" * 32, "web", "192.0.2.2", 6.0),
    )
)


async def test_nobody_is_cloned_until_somebody_is(api: Site) -> None:
    assert (await api.ask("GET", "/clones")).json() == []
    shown = (await api.ask("GET", f"/agents/{APPROVED}/clones")).json()
    assert (shown["diverged"], shown["holders"]) == (False, [])
    assert (await api.ask("GET", "/agents/nowhere/clones")).status_code == 404


async def test_one_holder_is_chosen_and_no_value_is_shown(api: Site) -> None:
    """The host waits until then, and is what it was afterwards."""
    api.context.store.write_now(lambda tx: ratchets.put(tx, APPROVED, LINE))
    (found,) = (await api.ask("GET", "/clones")).json()
    assert {holder["holder_id"] for holder in found["holders"]} == {"a", "b"}
    assert {*found["holders"][0]} == {
        *("holder_id", "hostname", "address", "seen_at", "links", "kept")
    }
    host = (await api.ask("GET", f"/agents/{APPROVED}")).json()
    assert (host["status"], host["cloned"]) == ("pending", True)
    path = f"/agents/{APPROVED}/clones"
    assert (await api.ask("POST", path, {"holder_id": "c"})).status_code == 404
    kept = (await api.ask("POST", path, {"holder_id": "b"})).json()
    assert [(one["holder_id"], one["kept"]) for one in kept["holders"]] == [
        ("b", True),
        ("a", False),
    ]
    assert (await api.ask("POST", path, {"holder_id": "b"})).status_code == 409
    host = (await api.ask("GET", f"/agents/{APPROVED}")).json()
    assert (host["status"], host["cloned"]) == ("approved", False)
