"""The keeper signs what is new and nothing else, and removes what is too old."""

from __future__ import annotations

import anyio
import msgspec

from coordinator import audit_keeper
from coordinator.config import CoordinatorConfig
from coordinator.store import audit
from protocol import audit_heads
from tests.fakes.api_site import COORDINATOR_KEY, Site, site


async def test_a_head_is_made_when_the_log_grew_and_only_then() -> None:
    async with site() as api:
        store = api.context.store
        await audit_keeper.sign(api.context)
        first = await store.read(audit.head)
        assert first is not None
        head = audit_heads.read(first, (COORDINATOR_KEY.public.hex(),))
        assert head.seq == (await store.read(audit.tail)).seq
        await audit_keeper.sign(api.context)
        assert await store.read(audit.head) == first


async def test_what_is_older_than_the_retention_goes() -> None:
    async with site(CoordinatorConfig(audit_retention_days=2)) as api:
        await audit_keeper.prune(api.context)
        assert await lines(api) > 1
        api.clock.now += 3 * 86_400
        await audit_keeper.prune(api.context)
        assert await lines(api) == 1
        assert len(await api.context.store.read(audit.tombstones)) == 1


async def test_it_runs_until_it_is_stopped() -> None:
    async with site() as api:
        with anyio.move_on_after(0.05):
            await audit_keeper.keep(api.context)
        assert await api.context.store.read(audit.head) is not None


async def lines(api: Site) -> int:
    """Return how many lines the log has."""
    found = await api.context.store.read(lambda tx: audit.lines(tx, 0, 500))
    assert msgspec.json.encode(found)
    return len(found)
