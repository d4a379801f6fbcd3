"""/secrets."""

from __future__ import annotations

import msgspec

from tests.fakes.api_site import Site
from tests.fakes.sealed_requests import NODE, again, body, creation


def plain(value: object) -> object:
    return msgspec.to_builtins(value)


async def test_a_secret_is_made_shown_changed_and_destroyed(api: Site) -> None:
    """Over the published routes, with the sealed body of ours."""
    sealed = body()
    made = await api.ask("POST", "/secrets", plain(creation()) | {"sealed": plain(sealed)})  # type: ignore[operator]
    assert made.status_code == 201
    assert (await api.ask("GET", "/secrets")).json() == [made.json()]
    shown = await api.ask("GET", "/secrets/db")
    assert shown.json()["sealed_to"] == [NODE]
    changed = await api.ask("PUT", "/secrets/db", {"description": "for the app"})
    assert changed.json()["description"] == "for the app"
    narrow = {"sealed": plain(again(sealed, revision=2))}
    assert (await api.ask("POST", "/secrets/db/restriction", narrow)).status_code == 201
    wraps = {"version": 1, "wraps": sealed.wraps}
    assert (await api.ask("POST", "/secrets/db/wraps", wraps)).status_code == 201
    copy = (await api.ask("GET", "/secrets/db/sealed")).json()
    assert copy["ciphertext"] == sealed.ciphertext
    assert (await api.ask("GET", "/secret-recipients")).status_code == 200
    assert (await api.ask("DELETE", "/secrets/db")).status_code == 204
    assert (await api.ask("GET", "/secrets/db")).status_code == 404


async def test_a_value_in_the_clear_is_refused_and_nowhere_kept(api: Site) -> None:
    """Whatever the coordinator was sent by mistake, it forgets."""
    answer = await api.ask("POST", "/secrets", {"name": "db", "value": "correct horse"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "plaintext_refused")
    assert "correct horse" not in answer.text
    assert (await api.ask("PUT", "/secrets/db", {"value": "x" * 9})).status_code == 403
