"""Taking an operation back as operators approved it: planned and carried out by the engine.

The plan is approved by its digests, as any plan; here is what differs from a plan of modules.
Imported with the engine, at the first step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.step_outcomes import Done
from protocol.reasons import Reason, Refused
from state_engine.model import Snapshot

if TYPE_CHECKING:
    from agent.work import Circumstances, Hooks
    from protocol.messages import Offer
    from state_engine.ports import Ports


def plan(offer: Offer, around: Circumstances, hooks: Hooks, ports: Ports) -> Done | Refused:
    """Return what taking the operation back would do, with what cannot be and why."""
    from state_engine.engine.rollback import RollbackError, plan_rollback
    from state_engine.ports import PortError

    hooks.begin()
    node = around.facts.node_id
    try:
        result = plan_rollback(offer.rollback_of, node, around.snapshot, ports)
    except (RollbackError, PortError) as error:
        return Refused(Reason.ROLLBACK_UNKNOWN, str(error))
    return Done("succeeded", result, result.digest)


def apply(
    offer: Offer, around: Circumstances, hooks: Hooks, ports: Ports, at_risk: Callable[[], None]
) -> Done | Refused:
    """Take back what was approved of it, and nothing else; again after a crash, it goes on."""
    from agent.work import apply_outcome
    from state_engine.engine.rollback import RollbackError, apply_rollback
    from state_engine.ports import PortError

    try:
        refused = _forbidden(offer, around, ports)
        if refused is not None:
            return refused
        hooks.begin()
        outcome = apply_rollback(
            offer.operation_id,
            offer.rollback_of,
            around.facts.node_id,
            around.snapshot,
            ports,
            approved=frozenset(offer.approved),
            cancelled=hooks.cancelled,
            at_risk=at_risk,
        )
    except (RollbackError, PortError) as error:
        return Refused(Reason.ROLLBACK_UNKNOWN, str(error))
    result = outcome.result
    name, message, reason = apply_outcome(result)
    return Done(name, result, result.plan_digest, message, outcome.snapshot, reason)


def _forbidden(offer: Offer, around: Circumstances, ports: Ports) -> Refused | None:
    from agent import policy_check
    from state_engine.engine.rollback import touched

    if isinstance(around.rule, Refused):
        return around.rule
    resources = touched(offer.rollback_of, around.snapshot, ports)
    # Nothing else leaves: what was applied besides stays as it is.
    return policy_check.forbidden(resources, Snapshot(), around.rule)
