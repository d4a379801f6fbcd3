"""Probes."""

from __future__ import annotations

from coordinator.store.threads import StoreBusyError
from tests.fakes.api_site import Site


async def test_probes_are_open_and_say_one_word(api: Site) -> None:
    for path in ("/healthz", "/readyz"):
        answer = await api.client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_a_store_that_cannot_be_read_is_not_ready_but_alive(api: Site) -> None:
    async def busy(_: object) -> None:
        raise StoreBusyError("full")

    api.context.store.read = busy  # type: ignore[method-assign,assignment]  # the fault to inject
    assert (await api.client.get("/readyz")).status_code == 503
    assert (await api.client.get("/healthz")).status_code == 200
