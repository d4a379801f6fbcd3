"""Looks again, now and then, whether the facts of this host are still the ones that it told."""

from __future__ import annotations

from typing import NoReturn

import trio

from agent import facts
from agent.core import Core

# Distributions are upgraded in minutes and looked at by people: an hour is soon enough.
INTERVAL = 3_600.0


def refresh(core: Core) -> bool:
    """Collect the facts again; True, and a ring of the bell, if they are others."""
    found = facts.collect(core.hostname)
    if found == core.facts:
        return False
    core.facts = found
    core.steps.set_attributes(found.attributes)
    core.facts_bell.ring()
    return True


async def run(core: Core) -> NoReturn:
    """Refresh the facts for ever."""
    while True:
        await trio.sleep(INTERVAL)
        refresh(core)
