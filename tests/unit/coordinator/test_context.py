"""The parts of a running coordinator."""

from __future__ import annotations

import dataclasses

import pytest

from tests.fakes.api_site import site


async def test_the_parts_cannot_be_exchanged_while_it_runs() -> None:
    async with site() as running:
        with pytest.raises(dataclasses.FrozenInstanceError):
            running.context.tls_fingerprint = "x"  # type: ignore[misc]  # that is the point
