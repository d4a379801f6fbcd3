"""The quiet end of a run: all faults are put right, and then every promise has to hold.

Sleeps here are virtual: a run is under trio's MockClock.
"""

from __future__ import annotations

from collections import Counter

import trio

from agent.core import Core
from coordinator.domain import agents
from coordinator.domain.agents import NodeSpec
from coordinator.store import events, journals, ratchets, records
from coordinator.store.audit import hash_at
from coordinator.store.database import Tx
from protocol import api, ids, journal, messages
from protocol.messages import Audit, Body, Finished
from protocol.reports import PlanResult
from protocol.run_table import RUN_FINAL
from tests.simulation.hosts import SimHost
from tests.simulation.workload import Fleet

# Until all are back: the longest pause between two attempts is 75 s, a dead link is seen after 45.
BACK_SECONDS = 600.0
# Until two that hold one key have both come back three times, each after 75 s at most.
EXPOSED_SECONDS = 600.0
# Until what was begun is over: a lease of 60 s, the link that notices, a look of the host's.
OVER_SECONDS = 900.0
POLL = 5.0


def heal(fleet: Fleet) -> None:
    """Put everything right that is wrong."""
    fleet.hostile.on = False
    fleet.network.heal()
    fleet.centre.skew = 0.0
    fleet.centre.faults.heal()
    for host in fleet.machines:
        host.skew = 0.0
        host.faults.heal()


async def expose(fleet: Fleet) -> None:
    """Let copies and originals meet until each copy is found and sent away; then it is taken down.

    One that was seen once and never again is found by nothing but the journal that it wrote to.
    """
    deadline = trio.current_time() + EXPOSED_SECONDS
    left = list(fleet.clones)
    while left and trio.current_time() < deadline:
        await trio.sleep(POLL)
        fleet.desk.resolve_clones(fleet.addresses())
        left = [copy for copy in left if not _is_refused(fleet, copy)]
    for copy in left:
        fleet.trace.violation("I8", f"{copy.name} was never found to be a copy")
    for copy in fleet.clones:
        copy.gone = True
        copy.kill()


def _is_refused(fleet: Fleet, copy: SimHost) -> bool:
    line = fleet.centre.call(lambda tx: ratchets.get(tx, copy.node_id))
    address = fleet.network.routes[copy.name].address
    return line is not None and any(one.address == address for one in line.refused)


async def settle(fleet: Fleet) -> None:
    """Wait until all hosts are back, approved and at rest; say who is not."""
    names = {host.node_id: host.name for host in fleet.hosts}
    deadline = trio.current_time() + BACK_SECONDS
    waiting = {"": "nobody looked"}
    while waiting and trio.current_time() < deadline:
        await trio.sleep(POLL)
        fleet.desk.resolve_clones(fleet.addresses())
        fleet.desk.approve(names)
        found = {host.name: _lacks(fleet, host) for host in fleet.hosts}
        waiting = {name: text for name, text in found.items() if text is not None}
    for name, text in waiting.items():
        fleet.trace.violation("I5", f"{name} is not back after healing: {text}")
    deadline = trio.current_time() + OVER_SECONDS
    while trio.current_time() < deadline:
        fleet.desk.withdraw_all()
        await trio.sleep(POLL)
        if waiting or not (_unfinished(fleet) or any(_lacks(fleet, one) for one in fleet.hosts)):
            return
    fleet.trace.violation("I4", f"not over after healing: {', '.join(_unfinished(fleet))}")


def _lacks(fleet: Fleet, host: SimHost) -> str | None:
    """Return why a host is not back and at rest, or None if it is."""
    core, centre = host.core, fleet.centre
    if core is None or centre.app is None:
        return "not running"
    if core.trust.standing.approval != "approved":
        known = centre.call(lambda tx: agents.approval_of(tx, host.node_id))
        return f"{core.trust.standing.approval}, and here {known}"
    head = centre.call(lambda tx: journals.head(tx, host.node_id))
    # What the last link stored is kept until something newer is acknowledged: that is no lack.
    if head is None or head.seq != core.journal.head:
        stored = 0 if head is None else head.seq
        return f"its journal ends at {core.journal.head}, here at {stored}"
    if not centre.app.links.is_live(host.node_id):
        return "not linked"
    return "its disk counts as full" if core.database.disk_full else None


def _unfinished(fleet: Fleet) -> list[str]:
    from coordinator.domain import runs

    found = fleet.centre.call(lambda tx: runs.list_runs(tx, limit=500))
    shown = [] if found is None else [run for run in found[0] if run.phase not in RUN_FINAL]
    return [f"{run.run_id} {run.phase}" for run in shown]


async def converge(fleet: Fleet) -> None:
    """Apply everything once more, and see that nothing is left to do then (I5)."""
    nodes = [host.node_id for host in fleet.hosts]
    fleet.trace.note("converge")
    for host in fleet.hosts:
        # What a host did with other modules since is not what this asks for.
        host.faults.heal()
    done = await fleet.desk.change(nodes, "yes")
    if done is None or done.phase != "completed":
        planned = None if done is None else fleet.desk.run(done.plan_run_id or "")
        text = f"the last apply is {_shown(done)}; its plan {_shown(planned)}"
        fleet.trace.violation("I5", text)
        return
    request = api.RunRequest("state.plan", tuple(nodes), modules=done.modules)
    run_id = fleet.desk.start(request)
    planned = None if run_id is None else await fleet.desk.wait(run_id, {"queued", "running"})
    if planned is None or planned.phase != "completed":
        fleet.trace.violation("I5", f"the last plan is {_shown(planned)}")
        return
    for step in planned.steps:
        plan = _plan(step)
        left = [item.identity for item in plan.resources if item.action != "none"] if plan else [""]
        if left:
            fleet.trace.violation("I5", f"{step.name} would still change {', '.join(left)}")
    # A look of its own, a minute later at most: what was changed by hand is put right.
    await trio.sleep(90.0)
    for host in fleet.hosts:
        if host.core is not None and (left := _drifted(host.core)):
            text = f"{host.name} sees drift after its last apply: {', '.join(left)}"
            fleet.trace.violation("I5", text)


def _drifted(core: Core) -> list[str]:
    # A script that was cut off is not run again; where it had done its work all the same, a plan
    # finds nothing to do, and the version that was applied before counts as what should be there.
    found = core.steps.engine.look(core.steps.snapshot(), None, lambda: False)
    return [item.identity for item in found if item.type == "file-unix"]


def _plan(step: api.RunStep) -> PlanResult | None:
    import msgspec

    return None if step.result is None else msgspec.convert(step.result, PlanResult)


def _shown(run: api.Run | None) -> str:
    if run is None:
        return "not there"
    steps = ", ".join(f"{s.name} {s.phase} {s.reason or ''} {s.message[:200]}" for s in run.steps)
    return f"{run.run_id} {run.phase}: {steps}"


def judge(fleet: Fleet) -> None:
    """Check what must hold at the end (I4, I6, I7, I8)."""
    app = fleet.centre.app
    if app is None:
        fleet.trace.violation("I5", "the coordinator is not up at the end")
        return
    app.store.read_now(lambda tx: _log(fleet, tx))
    for host in fleet.hosts:
        app.store.read_now(lambda tx, one=host: _receipts(fleet, tx, one))
        app.store.read_now(lambda tx, one=host: _holder(fleet, tx, one))
        wrong = host.within_bounds()
        if wrong is not None:
            fleet.trace.violation("I7", f"{host.name}: {wrong}")


def bodies(tx: Tx, node_id: str) -> list[Body]:
    """Return what a host has reported, in order."""
    found: list[Body] = []
    after = 0
    while page := [one for one in journals.page(tx, node_id, after, 256) if one.node_id == node_id]:
        after = page[-1].seq
        for one in page:
            if one.kind != "artifact" and one.body is not None:
                kind: journal.EntryKind = one.kind  # type: ignore[assignment]  # stored as such
                entry = journal.Entry(one.seq, one.prev, one.at, kind, one.body, one.sig)
                found.append(messages.decode_body(entry))
    return found


def _receipts(fleet: Fleet, tx: Tx, host: SimHost) -> None:
    told = bodies(tx, host.node_id)
    ends = Counter(body.run_id for body in told if isinstance(body, Finished))
    for done in fleet.oracle.executions:
        if done.machine == host.name and ends[done.run_id] != 1:
            text = f"{host.name} has {ends[done.run_id]} receipts for {done.run_id}"
            fleet.trace.violation("I4", text)
    audits = {body.event for body in told if isinstance(body, Audit)}
    shown = [at for one, at in fleet.shown if one is host and not host.ended_after(at)]
    if shown and "audit.contradicted" not in audits:
        fleet.trace.violation("I6", f"{host.name} was shown two histories and did not say so")


def _log(fleet: Fleet, tx: Tx) -> None:
    broken = events.broken_at(tx)
    if broken is not None:
        fleet.trace.violation("I6", f"the event log breaks at {broken}")
    for host in fleet.hosts:
        head = None if host.core is None else host.core.audit_heads.newest()
        if head is not None and hash_at(tx, head.seq) != head.hash:
            fleet.trace.violation("I6", f"{host.name} remembers another line {head.seq}")


def _holder(fleet: Fleet, tx: Tx, host: SimHost) -> None:
    record = records.get_by_uid(tx, agents.KIND, host.node_id)
    if record is None:
        fleet.trace.violation("I8", f"{host.name} is not known")
        return
    public = bytes.fromhex(record.spec_as(NodeSpec).public_key)
    if public != host.identity.key.public or ids.node_id(public) != host.node_id:
        fleet.trace.violation("I8", f"{host.name} is held by another key")
    line = ratchets.get(tx, host.node_id)
    own = fleet.network.routes[host.name].address
    if [holder.address for holder in line.holders] != [own]:
        text = f"{host.name} is held by {[holder.address for holder in line.holders]}"
        fleet.trace.violation("I8", text)
