"""Does the accepted steps one after the other; its only input is what is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import trio

from agent import lean
from agent.core import Core
from agent.database import StorageError

# After a disk that would not take a result: long enough to be no load, short enough to go on.
RETRY_SECONDS = 5.0


async def run(core: Core, rest: Callable[[], None] = lean.give_back) -> NoReturn:
    """Work for ever: woken by a bell, and by nothing else while there is nothing to do.

    `rest` is called when what there was to do is done.
    """
    while True:
        known = core.work_bell.count
        worked = False
        try:
            while await core.steps.run_next():
                worked = True
        except StorageError as error:
            core.log.failure("step not recorded", error=str(error))
            await trio.sleep(RETRY_SECONDS)
            continue
        if worked:
            rest()
        await core.work_bell.heard(known)
