"""Stored steps are done, whether a bell rang or the agent was just started."""

from __future__ import annotations

from pathlib import Path

import trio

from agent.services import reconcile
from protocol.messages import Offer, Welcome
from tests.fakes.agent import make_core
from tests.fakes.operators import SCOPE, Operator, module
from tests.fakes.sites import site

ADA = Operator()


async def test_what_is_stored_is_done_and_what_comes_later_too(tmp_path: Path) -> None:
    """A restart is no special case."""
    core = make_core(tmp_path / "state")
    core.attach()
    core.trust.welcome(Welcome("n", "approved", 0, 1, 0.0, SCOPE))
    version = module("site", site(tmp_path), ADA)
    core.on_offer(Offer("stored", "state.plan", "l", 1, "op", (version,)))
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reconcile.run, core)
            while core.steps.leases():
                await core.journal_bell.heard(core.journal_bell.count)
            core.on_offer(Offer("later", "state.plan", "l", 1, "op", (version,)))
            while core.steps.leases():
                await core.journal_bell.heard(core.journal_bell.count)
            nursery.cancel_scope.cancel()
    kinds = [entry.kind for entry in core.journal.after(0)]
    assert kinds.count("finished") == 2
    core.database.close()
