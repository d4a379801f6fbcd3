"""Taking an apply back: the plan of the reverse is shown and signed as any plan."""

from __future__ import annotations

from client.applying import Wish, approve_plan
from client.failures import ExitCode
from client.node_names import find
from client.planning import Planned, make_plan, tell_plan
from client.session import Session


def take_back(
    session: Session, operation_id: str, *, only_plan: bool, comment: str, yes: bool, wait: bool
) -> int:
    """Plan the reverse of an operation on its host, and have it done; return the exit code.

    What the operation made is removed by taking it back: that many removals are allowed, and the
    plan that is signed names each of them.
    """
    operation = session.api.operation(operation_id)
    agent = find(session.api.agents(), operation.node_id)
    planned = make_plan(session, (agent,), (), rollback_of=operation.operation_id)
    if not session.out.as_json:
        session.out.lines(staying(planned))
    if only_plan:
        tell_plan(session, planned)
        return ExitCode.RESOURCE_FAILED if planned.missing else ExitCode.OK
    wish = Wish(planned.removals, yes, comment, wait=wait, apply=True)
    return approve_plan(session, planned, wish, None)


def staying(planned: Planned) -> list[str]:
    """Return a line for each resource that is not taken back, with why; errors show themselves."""
    return [
        f"= {item.type}  {item.identity}  [{item.module}]  {item.message}"
        for host in planned.plans
        for item in host.plan.resources
        if item.action == "none" and item.message
    ]
