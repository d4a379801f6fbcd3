"""Taking an operation back as operators approved it: planned and carried out by the engine.

The plan is approved by its digests, as any plan; here is what differs from a plan of modules.
Imported with the engine, at the first step.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.step_outcomes import Done, apply_outcome
from protocol.messages import Offer
from protocol.policy import CapabilityRule
from protocol.reasons import Reason, Refused
from state_engine.model import Snapshot
from state_engine.ports import PortError, Ports


def plan(offer: Offer, node_id: str, snapshot: Snapshot, ports: Ports) -> Done | Refused:
    """Return what taking the operation back would do, with what cannot be and why."""
    from state_engine.engine.rollback import RollbackError, plan_rollback

    try:
        result = plan_rollback(offer.rollback_of, node_id, snapshot, ports)
    except (RollbackError, PortError) as error:
        return Refused(Reason.ROLLBACK_UNKNOWN, str(error))
    return Done("succeeded", result, result.digest)


def apply(
    offer: Offer,
    node_id: str,
    snapshot: Snapshot,
    rule: CapabilityRule | Refused,
    ports: Ports,
    *,
    begin: Callable[[], None],
    cancelled: Callable[[], bool],
    at_risk: Callable[[], None],
) -> Done | Refused:
    """Take back what was approved of it, and nothing else; again after a crash, it goes on."""
    from state_engine.engine.rollback import RollbackError, apply_rollback

    try:
        refused = _forbidden(offer, snapshot, rule, ports)
        if refused is not None:
            return refused
        begin()
        outcome = apply_rollback(
            offer.operation_id,
            offer.rollback_of,
            node_id,
            snapshot,
            ports,
            approved=frozenset(offer.approved),
            cancelled=cancelled,
            at_risk=at_risk,
        )
    except (RollbackError, PortError) as error:
        return Refused(Reason.ROLLBACK_UNKNOWN, str(error))
    result = outcome.result
    name, message, reason = apply_outcome(result)
    return Done(name, result, result.plan_digest, message, outcome.snapshot, reason)


def _forbidden(
    offer: Offer, snapshot: Snapshot, rule: CapabilityRule | Refused, ports: Ports
) -> Refused | None:
    from agent import policy_check
    from state_engine.engine.rollback import touched

    if isinstance(rule, Refused):
        return rule
    resources = touched(offer.rollback_of, snapshot, ports)
    # Nothing else leaves: what was applied besides stays as it is.
    return policy_check.forbidden(resources, Snapshot(), rule)
