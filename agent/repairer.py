"""Puts drifted resources right whose signed module says so: asks the host's policy, counts, acts.

It does what the last apply was approved for and nothing else. What it may do is the engine's and
the policy's to say, when it has to stop that of `repairing`; `services.drift` calls it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agent import step_store
from agent.core import Core
from agent.database import Tx, get_bytes, put
from agent.drift_account import key_of, name_of
from agent.repairing import Record, Repairs, fight
from protocol import ids, windows
from protocol.messages import Audit
from protocol.policy import CapabilityRule
from protocol.reasons import Refused
from protocol.reports import ApplyResult, ResourceDiff, ResourceResult
from state_engine.engine import progress as engine_progress
from state_engine.model import ResolvedResource, ResourceKey, Snapshot

_STORED = "repairs"
# Under this name the progress of a repair is kept beside that of steps, whose names are longer.
_RUN = "repair"
_REPAIRED = frozenset({"create", "update", "run"})


class Repairer:
    """The repairs of one host; its account survives a crash, which would begin a fight anew."""

    def __init__(self, core: Core) -> None:
        self._core = core
        stored = core.database.read(lambda tx: get_bytes(tx, _STORED))
        records = {} if stored is None else msgspec.json.decode(stored, type=dict[str, Record])
        self._repairs = Repairs(records)

    def recover(self) -> None:
        """Take in what a repair had done when the agent ended; call it before the first look."""
        core = self._core
        names = self._repairs.interrupted()
        told = core.database.read(lambda tx: step_store.progress(tx, _RUN))
        if not names and not told:
            return
        snapshot = core.steps.snapshot()
        resources = tuple(held.resource for held in snapshot.applied)
        wanted = {resource.key: resource for resource in resources}
        # A repair changes nothing of what is wanted. What says otherwise was left behind before an
        # apply, and must not bring back what that has replaced.
        told = [one for one in told if one.applied and one.applied.resource == wanted.get(one.key)]
        after = engine_progress.recovered(snapshot, resources, engine_progress.fold(told))
        now = core.clock()
        shown = names or tuple(sorted({name_of(one.key) for one in told}))
        for name in names:
            if not _is_idempotent(name):
                # What cannot be done twice is not silently done again.
                self._repairs.give_up(name, now)
        self._repairs.end(names)
        text = f"the agent ended while it repaired {', '.join(map(_shown, shown))}"
        self._store(after, (Audit("drift.repair_interrupted", text[:1_024], severity="warning"),))

    def start_afresh(self) -> None:
        """Forget all fights: an operator has applied."""
        if self._repairs.records:
            self._repairs.start_afresh()
            self._core.database.write(self._put)
        self._core.problems.clear("drift_fight")

    def choose(self, snapshot: Snapshot, items: Sequence[ResourceDiff]) -> frozenset[ResourceKey]:
        """Return what is to be repaired now, counted durably; a fight is told instead."""
        wished = {
            held.resource.key: held.resource
            for held in snapshot.applied
            if held.resource.on_drift == "repair" and held.resource.trusted
        }
        found = [item for item in items if key_of(item) in wished and item.action in _REPAIRED]
        rule = self._rule() if found else None
        if rule is None:
            return frozenset()
        now = self._core.clock()
        chosen: set[ResourceKey] = set()
        fights: list[Audit] = []
        for item in found:
            key = key_of(item)
            name = name_of(key)
            if not self._repairs.may(name, now) or not _allows(rule, wished[key], snapshot):
                continue
            if self._repairs.begin(name, now):
                chosen.add(key)
            else:
                fights.append(Audit("drift.fight", fight(item)[:1_024], severity="critical"))
        if fights:
            self._core.problems.put("drift_fight", fights[-1].message[:200])
        if chosen or fights:
            self._store(None, tuple(fights))
        return frozenset(chosen)

    def _rule(self) -> CapabilityRule | None:
        """Return what the host's policy says of changes of state; None if now there may be none."""
        core = self._core
        if core.trust.standing.approval != "approved" or core.steps.stopping.is_set():
            return None
        rule = core.admission.rule()
        # A file that cannot be understood forbids: it is there to forbid something.
        if isinstance(rule, Refused) or not rule.repair or rule.signature == "deny":
            return None
        return rule if windows.any_holds(rule.windows, core.clock()) else None

    async def repair(
        self, snapshot: Snapshot, items: Sequence[ResourceDiff], keys: frozenset[ResourceKey]
    ) -> tuple[ResourceResult, ...]:
        """Repair what was chosen and return what became of it; nothing if it was applied anew."""
        core = self._core
        operation = ids.ulid(core.clock(), core.entropy(10))

        def job() -> tuple[ApplyResult, Snapshot] | None:
            if core.steps.snapshot() != snapshot or core.steps.stopping.is_set():
                return None
            done = core.steps.repair(operation, keys, self._report)
            # Here, before the next job has its turn: an apply may follow at once.
            core.database.write(lambda tx: _keep(tx, done[1]), urgent=True)
            return done

        try:
            done = await core.thread.run(job)
        finally:
            self._repairs.end(map(name_of, keys))
        authors = {item.address: item for item in items}
        if done is None:
            self._store(None, ())
            return ()
        result = done[0]
        audits = [
            _audit(one, authors.get(f"{one.module}/{one.identity}")) for one in result.resources
        ]
        self._store(None, tuple(audits))
        return result.resources

    def _report(self, message: engine_progress.Progress) -> None:
        self._core.database.write(
            lambda tx: step_store.add_progress(tx, _RUN, message), urgent=True
        )

    def _store(self, snapshot: Snapshot | None, audits: tuple[Audit, ...]) -> None:
        core = self._core

        def job(tx: Tx) -> None:
            self._put(tx)
            if snapshot is not None:
                _keep(tx, snapshot)
            for audit in audits:
                core.journal.append(tx, audit)

        core.database.write(job, urgent=True)
        core.journal_bell.ring()

    def _put(self, tx: Tx) -> None:
        put(tx, _STORED, msgspec.json.encode(self._repairs.records))


def _keep(tx: Tx, snapshot: Snapshot) -> None:
    put(tx, "snapshot", msgspec.msgpack.encode(snapshot))
    step_store.forget(tx, _RUN)


def _allows(rule: CapabilityRule, resource: ResolvedResource, snapshot: Snapshot) -> bool:
    """Say whether the policy lets a resource be touched, and all that react to its change."""
    from agent import policy_check

    touched = {resource.key: resource}
    for held in snapshot.applied:
        # In the order of the apply, so that what reacts to a reaction comes after it.
        on = {key for trigger in held.resource.triggers for key in trigger.on}
        if on & touched.keys():
            touched[held.resource.key] = held.resource
    return policy_check.forbidden(touched.values(), Snapshot(), rule) is None


def _is_idempotent(name: str) -> bool:
    from state_engine.resources.registry import KINDS

    kind = KINDS.get(name.split("\0")[1])
    return kind is not None and kind.idempotent


def _shown(name: str) -> str:
    _, kind, identity = name.split("\0")
    return f"{kind} {identity}"


def _audit(result: ResourceResult, item: ResourceDiff | None) -> Audit:
    what = f"{result.type} {result.identity}"
    if result.status not in {"changed", "unchanged"}:
        text = f"{what} could not be repaired: {result.error or result.status}"
        return Audit("drift.repair_failed", text[:1_024], severity="warning")
    by = "" if item is None or item.changed_by is None else f" by {item.changed_by}"
    text = f"{what} was changed{by} and is put right"
    return Audit("drift.repaired", text[:1_024])
