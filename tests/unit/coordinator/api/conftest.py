"""The running application for the tests of its families."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from tests.fakes.api_site import Site, site


@pytest.fixture(name="api")
async def _api() -> AsyncGenerator[Site]:
    async with site() as running:
        yield running
