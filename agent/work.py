"""Doing one step with the state engine, in the worker thread: plan, apply or drift look.

Synchronous and free of the network. Checks of offers are `admission`; what is stored and in which
transaction is `steps`. The engine is imported here at the first step, so that an idle agent does
not carry it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from agent import taking_back
from agent.clock import Clock
from agent.guarding import Guard
from agent.step_outcomes import Done, apply_outcome
from protocol import authority, dsse, reports
from protocol.authority import Work
from protocol.errors import DecodeError, StandfastError
from protocol.ids import DEFAULT_SCOPE
from protocol.messages import ModuleVersion, Offer
from protocol.policy import CapabilityRule
from protocol.reasons import Reason, Refused
from protocol.reports import ApplyResult, DriftRecord, PlanResult
from protocol.roster import Roster
from state_engine.engine.progress import Progress, Resume
from state_engine.model import NodeFacts, ResolvedResource, ResourceKey, Snapshot
from state_engine.ports import Ports, SecretPort
from state_engine.references import SecretValue, Unavailable

# Problems of modules that a refusal shows: ten lines of 100 characters are 1 KiB.
MAX_PROBLEMS = 10
# Resources that a drift record lists as pending: 100 of 300 bytes are a sixth of a journal entry.
MAX_PENDING = 100


class Circumstances(msgspec.Struct, frozen=True):
    """What a step is done with: who we are, whom we trust, what was applied before.

    `rule` is what the host's own policy says of changes; a refusal: its file cannot be understood.
    `secrets` are those that came with the step; a refusal: one of them is not as it was signed.
    `scope` and `tags` are the host's own, as operators signed them (None: nobody has yet).
    `local`: root on this host gave the modules, which are trusted and approved by that.
    """

    facts: NodeFacts
    roster: Roster | None
    snapshot: Snapshot
    rule: CapabilityRule | Refused = CapabilityRule()
    secrets: Mapping[str, SecretValue | Unavailable] | Refused = {}
    scope: str = DEFAULT_SCOPE
    tags: Mapping[str, str] | None = None
    local: bool = False


class Hooks(msgspec.Struct, frozen=True):
    """What a step calls back: each returns once what it says is durable.

    `begin` comes before the first look, `report` around each item of an apply, `cancelled` says
    that the step is no longer wanted. `reached` says whether the coordinator was met anew within so
    many seconds; None: nobody can tell, and nothing is guarded. `window` is how many it has.
    `again` says that the step had begun before.
    """

    begin: Callable[[], None]
    report: Callable[[Progress], None]
    cancelled: Callable[[], bool]
    reached: Callable[[float], bool] | None = None
    window: float = 60.0
    again: bool = False


class Engine:
    """The state engine with this host's ports; belongs to one engine thread."""

    def __init__(
        self,
        state_dir: Path,
        fingerprint_key: bytes,
        *,
        clock: Clock,
        programs_cancelled: Callable[[], bool],
        secrets: SecretPort | None = None,
        artifacts: Callable[[str], bytes] | None = None,
    ) -> None:
        self._state_dir = state_dir
        self._fingerprint_key = fingerprint_key
        self._clock = clock
        self._programs_cancelled = programs_cancelled
        self._secrets = secrets
        self._artifacts = artifacts
        self._ports: Ports | None = None

    @property
    def ports(self) -> Ports:
        """The host, opened at the first use."""
        if self._ports is None:
            from state_engine.host.linux import LinuxPorts

            self._ports = LinuxPorts(
                self._state_dir,
                self._fingerprint_key,
                clock=self._clock,
                cancelled=self._programs_cancelled,
                secrets=self._secrets,
                artifacts=self._artifacts,
            )
        return self._ports

    def plan(self, offer: Offer, around: Circumstances, hooks: Hooks) -> Done | Refused:
        """Make the plan that an offer asks for."""
        from state_engine.engine.cancel import StoppedError
        from state_engine.engine.plan import make_plan

        if offer.rollback_of:
            hooks.begin()
            node = around.facts.node_id
            return taking_back.plan(offer, node, around.snapshot, self.ports)
        resources = resolve(offer, around)
        if isinstance(resources, Refused):
            return resources
        hooks.begin()
        try:
            result = make_plan(
                around.facts.node_id,
                resources,
                around.snapshot,
                self.ports,
                cancelled=hooks.cancelled,
            )
        except StoppedError:
            return Done("cancelled")
        done = Done("succeeded", result, result.digest, pending=pending(resources, around.snapshot))
        unread = unsigned_modules(result)
        if not unread:
            return done
        text = f"checks of {', '.join(unread)} were not run: no trusted signature"
        return msgspec.structs.replace(done, message=text, reason=Reason.MODULE_UNSIGNED)

    def apply(
        self, offer: Offer, around: Circumstances, hooks: Hooks, resume: Resume
    ) -> Done | Refused:
        """Apply what a decision covers; `resume` is how far an interrupted apply had come.

        What may cut this host off goes back unless the coordinator is met anew.
        """
        guard = self._guard(offer, hooks)
        if not hooks.again and self.ports.reverts.lines(offer.operation_id):
            # The way back of one operation must not lead past another that had its name.
            text = f"operation {offer.operation_id} was done before: offer this one by its own name"
            return Done("failed", message=text)
        if offer.rollback_of:
            done = taking_back.apply(
                offer,
                around.facts.node_id,
                around.snapshot,
                around.rule,
                self.ports,
                begin=hooks.begin,
                cancelled=hooks.cancelled,
                at_risk=guard.arm,
            )
        else:
            done = self._apply(offer, around, hooks, resume, guard)
        if isinstance(done, Refused):
            if not guard.undecided:
                return done
            # It fell just before its first act was told: the switch must not stay as it is.
            done = Done("interrupted", message=done.detail, snapshot=around.snapshot)
        return guard.settle(done, around.snapshot, around.facts.node_id, self.ports)

    def undecided(self, offer: Offer, hooks: Hooks) -> bool:
        """Say whether what an apply has done may still go back; raises PortError."""
        return self._guard(offer, hooks).undecided

    def settle(self, done: Done, offer: Offer, around: Circumstances, hooks: Hooks) -> Done:
        """Decide on what an apply has done that did not end by itself; raises Stopped."""
        if offer.step != "state.apply":
            return done
        guard = self._guard(offer, hooks)
        try:
            return guard.settle(done, around.snapshot, around.facts.node_id, self.ports)
        except (OSError, StandfastError) as error:
            text = f"{done.message}; whether it stays is not decided: {type(error).__name__}"
            return msgspec.structs.replace(done, message=text)

    def _guard(self, offer: Offer, hooks: Hooks) -> Guard:
        return Guard(self._state_dir, offer.operation_id, hooks.reached, hooks.window)

    def _apply(
        self, offer: Offer, around: Circumstances, hooks: Hooks, resume: Resume, guard: Guard
    ) -> Done | Refused:
        from state_engine.engine.apply import apply_plan
        from state_engine.engine.progress import recovered

        resources = allowed(offer, around)
        if isinstance(resources, Refused):
            if not resume.started and not resume.finished:
                return resources
            # It had begun, and can no longer be understood: say so, and keep what it did.
            snapshot = recovered(around.snapshot, (), resume)
            return Done("interrupted", message=resources.detail, snapshot=snapshot)
        hooks.begin()
        outcome = apply_plan(
            offer.operation_id,
            around.facts.node_id,
            resources,
            around.snapshot,
            self.ports,
            approved=_approved(offer, around),
            resume=resume,
            progress=hooks.report,
            cancelled=hooks.cancelled,
            removal_limit=offer.removal_limit,
            at_risk=guard.arm,
        )
        result = outcome.result
        name, message, reason = apply_outcome(result)
        after = outcome.snapshot
        left = pending(resources, after)
        return Done(name, result, result.plan_digest, message, after, reason, left)

    def drift(self, record: DriftRecord, around: Circumstances, hooks: Hooks) -> Done:
        """Look at everything and complete the record that was begun for it."""
        from state_engine.engine.cancel import StoppedError

        hooks.begin()
        try:
            found = self.look(around.snapshot, None, hooks.cancelled)
        except StoppedError:
            return Done("cancelled")
        return Done("succeeded", drift_record(record, around.snapshot, found))

    def look(
        self,
        snapshot: Snapshot,
        only: frozenset[ResourceKey] | None,
        cancelled: Callable[[], bool],
        *,
        verify: bool = False,
    ) -> tuple[reports.ResourceDiff, ...]:
        """Return what differs from the snapshot, of some resources or of all.

        `verify` reads every content anew instead of trusting what a file's times and size say.
        """
        from state_engine.engine.drift import find_drift

        return find_drift(
            snapshot, self.ports, only=only, verify_content=verify, cancelled=cancelled
        )

    def repair(
        self,
        operation_id: str,
        around: Circumstances,
        keys: frozenset[ResourceKey],
        hooks: Hooks,
    ) -> tuple[ApplyResult, Snapshot]:
        """Bring some resources back to what was last applied; the snapshot is how they are now."""
        from state_engine.engine.repair import repair

        node, snapshot = around.facts.node_id, around.snapshot
        outcome = repair(
            operation_id,
            node,
            snapshot,
            self.ports,
            keys=keys,
            progress=hooks.report,
            cancelled=hooks.cancelled,
        )
        return outcome.result, outcome.snapshot


def pending(
    resources: tuple[ResolvedResource, ...], snapshot: Snapshot
) -> tuple[reports.ResourceDiff, ...]:
    """Return how what is desired differs from what is applied, without the texts."""
    from state_engine.engine.pending import find_pending

    found = find_pending(resources, snapshot)[:MAX_PENDING]
    return tuple(msgspec.structs.replace(item, changes=()) for item in found)


def drift_record(
    record: DriftRecord, snapshot: Snapshot, found: tuple[reports.ResourceDiff, ...]
) -> DriftRecord:
    """Return a record completed with what a look has found."""
    return msgspec.structs.replace(
        record,
        status="drifted" if found else "in_sync",
        snapshot_operation_id=snapshot.operation_id,
        resources=found,
    )


def unsigned_modules(plan: PlanResult) -> tuple[str, ...]:
    """Return the modules of a plan that hold checks which were not run for want of a signature."""
    names = {
        item.module
        for item in plan.resources
        if item.action == "unknown" and (item.message or "").startswith("unsigned:")
    }
    return tuple(sorted(names))


def resolve(offer: Offer, around: Circumstances) -> tuple[ResolvedResource, ...] | Refused:
    """Return what an offer's modules mean on this host, or why they mean nothing."""
    from state_engine.language import validate
    from state_engine.language.resolve import resolve as resolve_modules
    from state_engine.model import Module

    if isinstance(around.secrets, Refused):
        return around.secrets
    modules: list[Module] = []
    for version in offer.modules:
        module, problems = validate.check_text(version.content, version.name)
        if module is None or any(problem.severity == "error" for problem in problems):
            return _invalid([str(problem) for problem in problems])
        modules.append(module)
    trusted = frozenset(
        version.sha256 for version in offer.modules if around.local or is_trusted(version, around)
    )
    resolved = resolve_modules(modules, around.facts, trusted=trusted, secrets=around.secrets)
    if not resolved.ok:
        return _invalid([str(problem) for problem in resolved.problems])
    return tuple(_as_policy_lets(resource, around.rule) for resource in resolved.resources)


def _as_policy_lets(resource: ResolvedResource, rule: CapabilityRule | Refused) -> ResolvedResource:
    """Return a resource whose code is not run to look, where it would be forbidden to act."""
    from agent import policy_check

    if not resource.trusted or isinstance(rule, Refused):
        return resource
    if policy_check.forbidden((resource,), Snapshot(), rule) is None:
        return resource
    return msgspec.structs.replace(resource, trusted=False)


def _approved(offer: Offer, around: Circumstances) -> frozenset[str] | None:
    # A standing decision covers whatever differs now; its own guard limits removals.
    return None if around.local or offer.standing is not None else frozenset(offer.approved)


def allowed(offer: Offer, around: Circumstances) -> tuple[ResolvedResource, ...] | Refused:
    """Return what an offer's modules mean on this host, if its own policy lets them do it."""
    from agent import policy_check

    if isinstance(around.rule, Refused):
        return around.rule
    resources = resolve(offer, around)
    if isinstance(resources, Refused):
        return resources
    refused = policy_check.forbidden(resources, around.snapshot, around.rule)
    return resources if refused is None else refused


def is_trusted(version: ModuleVersion, around: Circumstances) -> bool:
    """Say whether an operator who may change this host has signed exactly these bytes as a module.

    To look runs the code of such a module without a decision, so role, grants and the list of
    operators in the host's policy hold here as they do for one.
    """
    envelope, roster, rule = version.envelope, around.roster, around.rule
    if envelope is None or roster is None or envelope.payload_type != dsse.MODULE:
        return False
    if isinstance(rule, Refused) or rule.signature == "deny":
        return False
    try:
        if envelope.content() != version.content:
            return False
    except DecodeError:
        return False
    held = authority.holders(envelope, roster)
    if isinstance(held, Refused):
        return False
    able = authority.deciders(held, roster, Work("state.apply", around.scope, around.tags))
    if isinstance(able, Refused):
        return False
    named = {authority.find_id(roster, text) for text in rule.operators}
    return not named or not named.isdisjoint(able)


def _invalid(lines: list[str]) -> Refused:
    more = len(lines) - MAX_PROBLEMS
    shown = lines[:MAX_PROBLEMS] + ([f"and {more} more"] if more > 0 else [])
    return Refused(Reason.MODULE_INVALID, "\n".join(shown)[:4_096])
