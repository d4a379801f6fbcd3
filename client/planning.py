"""From nodes and modules to plans that were checked: start a plan run, wait, collect, show."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from client import clock, vouching
from client.failures import BadUsageError, ClientError, NotFoundError, UntrustedError
from client.follow import OPEN, follow
from client.node_names import find_all, label
from client.render.grouping import masked, totals
from client.render.plan import plan_lines
from client.render.words import counted
from client.session import Session
from client.sign import DECISION_SECONDS, HostPlan, Statement, check_plan, shown_statement
from protocol import receipts
from protocol.api import Agent, Run, RunRequest, RunStep
from protocol.canonical import Json
from protocol.errors import MALFORMED, DecodeError
from protocol.reports import PlanResult, ResourceDiff

# A plan reads; a host that needs longer than this for it is told of, not waited for.
PLAN_PATIENCE = 120.0


class Missing(msgspec.Struct, frozen=True):
    """A host of which there is no plan, and why."""

    node_id: str
    name: str | None
    phase: str
    reason: str


class Planned(msgspec.Struct, frozen=True):
    """The plans of a run, every digest checked, and the hosts that gave none."""

    run: Run
    plans: tuple[HostPlan, ...]
    missing: tuple[Missing, ...]

    @property
    def has_changes(self) -> bool:
        """Whether a decision would bind anything."""
        return any(host.has_changes for host in self.plans)

    @property
    def removals(self) -> int:
        """The most resources that one host would remove."""
        return max((host.removals for host in self.plans), default=0)


def resolve_nodes(session: Session, texts: Sequence[str], selector: str | None) -> list[Agent]:
    """Return the approved agents that names, ids and a tag selector mean, each once.

    Raises:
        BadUsageError: neither is given.
        NotFoundError: nothing matches.
    """
    if not texts and not selector:
        raise BadUsageError("no node is named", next_command="give NODE, or --on SELECTOR")
    found = find_all(session.api.agents(), texts) if texts else []
    if selector:
        found += session.api.agents(status="approved", selector=selector)
    nodes = {agent.node_id: agent for agent in found}
    if not nodes:
        raise NotFoundError(
            f"no approved node matches {selector!r}",
            next_command="standfast agents list",
            code="selector_empty",
        )
    return list(nodes.values())


def choose_modules(
    session: Session, agents: Sequence[Agent], modules: Sequence[str], *, nothing: bool
) -> tuple[str, ...]:
    """Return the modules to plan: those named, else those that the agents hold now.

    A plan of no modules removes everything that was applied, so that must be said (`nothing`).

    Raises:
        BadUsageError: none is named, and the agents hold none, or not the same ones.
    """
    if modules and nothing:
        raise BadUsageError("--no-modules and --module exclude each other")
    if modules or nothing:
        return tuple(dict.fromkeys(modules))
    held: set[tuple[str, ...]] = set()
    for agent in agents:
        state = session.api.machine_state(agent.node_id)
        held.add(tuple(sorted({one.module for one in (*state.applied, *state.unapplied)})))
    if len(held) != 1 or held == {()}:
        why = "the hosts do not hold the same ones" if len(held) > 1 else "nothing was applied yet"
        raise BadUsageError(
            f"no module is named, and {why}",
            next_command="the same command with --module M; standfast modules list names them",
            code="no_modules",
        )
    found = held.pop()
    session.out.note(f"no module is named; what was applied last: {', '.join(found)}")
    return found


def make_plan(
    session: Session,
    agents: Sequence[Agent],
    modules: Sequence[str],
    rollback_of: str | None = None,
) -> Planned:
    """Start a plan run on the agents, wait for it, and return what was checked of it.

    With `rollback_of` it is a plan of taking that operation back, and there are no modules.
    """
    nodes = tuple(agent.node_id for agent in agents)
    named = tuple(dict.fromkeys(modules))
    asked_for = RunRequest("state.plan", nodes, modules=named, rollback_of=rollback_of)
    run = session.api.create_run(asked_for)
    run = wait_for_connected(session, run.run_id, agents, PLAN_PATIENCE)
    asked = {agent.node_id: agent.name for agent in agents}
    if {step.node_id for step in run.steps} != set(asked):
        raise UntrustedError(
            f"run {run.run_id} planned other hosts than were asked for",
            next_command=f"standfast runs show {run.run_id}",
            code="node_added",
        )
    return collect(session, run)


def collect(session: Session, run: Run) -> Planned:
    """Return the plans of a finished plan run.

    Raises:
        ClientError: it is no plan run, or has not ended.
        UntrustedError: a digest does not follow from the plan that it comes with.
    """
    if run.step != "state.plan":
        raise ClientError(f"run {run.run_id} is a {run.step}, not a plan", code="run_kind")
    plans: list[HostPlan] = []
    missing: list[Missing] = []
    for step in run.steps:
        document = proven_document(session, run, step) if step.phase == "succeeded" else None
        if document is None:
            reason = ": ".join(part for part in (step.reason or "", step.message) if part)
            missing.append(Missing(step.node_id, step.name, step.phase, reason))
            continue
        plans.append(check_plan(step.node_id, step.name, _plan(document, step)))
    return Planned(run, tuple(plans), tuple(missing))


def proven_document(session: Session, run: Run, step: RunStep) -> Json:
    """Return the result document that the host itself signed for its step of a run.

    What a person reads before signing is more than its digests: the text of a diff is bound by
    nothing but the host's own signature over the document's bytes.

    Raises:
        UntrustedError: there is no such signature, or it is for something else.
    """
    name = label(step.name, step.node_id)
    if step.receipt is None:
        raise _unproven(name, "it comes without the host's signature", "receipt_missing")
    try:
        vouched = vouching.vouched_key(session, step.node_id, step.receipt.public_key)
        said = receipts.check(step.receipt, step.node_id, run.run_id, vouched)
    except DecodeError as error:
        raise _unproven(name, str(error), "receipt_invalid") from error
    if said.artifact is None:
        return None
    return _decoded(session, said.artifact)


def step_document(session: Session, step: RunStep) -> Json:
    """Return the result document of a step, from the run itself or by its artifact."""
    if step.result is not None or step.artifact is None:
        return step.result
    return _decoded(session, step.artifact)


def with_documents(session: Session, run: Run) -> Run:
    """Return a run with each step's result document in it."""
    steps = tuple(
        msgspec.structs.replace(step, result=step_document(session, step)) for step in run.steps
    )
    return msgspec.structs.replace(run, steps=steps)


def wait(
    session: Session,
    run_id: str,
    patience: float,
    changed: Callable[[Run], None] = lambda _run: None,
) -> Run:
    """Return a run once it stands still, or raise after `patience` seconds."""
    return follow(
        lambda: session.api.run(run_id),
        now=clock.now,
        pause=clock.pause,
        patience=patience,
        changed=changed,
    )


def wait_for_connected(
    session: Session, run_id: str, agents: Sequence[Agent], patience: float
) -> Run:
    """Return a reading run once every host that is connected has answered, or time is up.

    Who is away is told of at once and not waited for: the run itself goes on.
    """
    away = {agent.node_id for agent in agents if not agent.connected}
    for agent in agents:
        if agent.node_id in away:
            seen = session.out.when(agent.last_seen_at or agent.connected_at)
            session.out.note(f"{label(agent.name, agent.node_id)} is away, last seen {seen}")
    end = clock.now() + patience

    def enough(run: Run) -> bool:
        waited = any(step.phase in OPEN and step.node_id not in away for step in run.steps)
        return not waited or clock.now() >= end

    return follow(
        lambda: session.api.run(run_id),
        now=clock.now,
        pause=clock.pause,
        patience=patience,
        changed=lambda _run: None,
        enough=enough,
    )


def show_plan(session: Session, planned: Planned, removal_limit: int) -> Statement:
    """Print the plans as a person reads them; return what a signature would cover."""
    made = shown_statement(planned.plans, removal_limit)
    out = session.out
    out.lines(plan_lines(by_label(planned.plans)))
    for host in planned.missing:
        reason = f": {host.reason}" if host.reason else ""
        name = label(host.name, host.node_id)
        out.lines([f"! {name} gave no plan ({host.phase}{reason}); next: standfast why {name}"])
    return made


def tell_plan(session: Session, planned: Planned) -> None:
    """Print a plan whole: the changes, the digest that a yes would sign, and the next command."""
    following = next_command(planned)
    if session.out.as_json:
        made = shown_statement(planned.plans, planned.removals)
        session.out.document(plan_document(planned, made, following))
        return
    modules = ", ".join(planned.run.modules) or "no modules"
    whom = [label(step.name, step.node_id) for step in planned.run.steps]
    host = whom[0] if len(whom) == 1 else counted(len(whom), "host")
    session.out.lines([f"{host}: {modules}", ""])
    made = show_plan(session, planned, planned.removals)
    if planned.has_changes:
        session.out.lines(
            [
                f"Digest:  sha256:{made.action_hash}",
                f"Expires: {DECISION_SECONDS // 60} min after it is signed, or when a host changes",
                f"Next:    {following}",
            ]
        )


def plan_document(planned: Planned, made: Statement, following: str) -> dict[str, object]:
    """Return a plan in its stable JSON shape, sensitive values masked."""
    sums = totals(by_label(planned.plans))
    hosts = [
        {
            "node_id": host.node_id,
            "name": host.name,
            "digest": host.plan.digest,
            "plan": msgspec.structs.replace(
                host.plan, resources=tuple(map(masked, host.plan.resources))
            ),
            "error": None,
        }
        for host in planned.plans
    ]
    lost = [
        {
            "node_id": host.node_id,
            "name": host.name,
            "digest": None,
            "plan": None,
            "error": f"{host.phase}: {host.reason}".rstrip(": "),
        }
        for host in planned.missing
    ]
    return {
        "run_id": planned.run.run_id,
        "modules": planned.run.modules,
        "summary": sums,
        "changes": planned.has_changes,
        "plan_root": made.root if planned.has_changes else None,
        "action_hash": made.action_hash if planned.has_changes else None,
        "removal_limit": made.removal_limit,
        "hosts": hosts + lost,
        "next": following if planned.has_changes else None,
    }


def by_label(plans: Sequence[HostPlan]) -> dict[str, tuple[ResourceDiff, ...]]:
    """Return each host's resources under the label that it is shown by; labels never clash."""
    names = [host.name for host in plans]
    return {
        host.name
        if host.name and names.count(host.name) == 1
        else f"{host.name or ''} {host.node_id}".strip(): host.plan.resources
        for host in plans
    }


def next_command(planned: Planned) -> str:
    """Return the command that approves a plan, ready to paste."""
    limit = f" --removal-limit {planned.removals}" if planned.removals else ""
    return f"standfast approve {planned.run.run_id}{limit}"


def _decoded(session: Session, artifact: str) -> Json:
    try:
        decoded: Json = msgspec.json.decode(session.api.artifact(artifact))
    except MALFORMED as error:
        raise ClientError(f"artifact {artifact}: {error}", code="answer_invalid") from error
    return decoded


def _unproven(name: str, detail: str, code: str) -> UntrustedError:
    return UntrustedError(
        f"the plan of {name} is not proven to be that host's: {detail}",
        next_command="if the host was installed anew: standfast agents vouch NODE --fingerprint "
        "FINGERPRINT; if not, plan again, and look at who can write to the coordinator",
        code=code,
    )


def _plan(document: Json, step: RunStep) -> PlanResult:
    try:
        return msgspec.convert(document, PlanResult)
    except msgspec.ValidationError as error:
        name = label(step.name, step.node_id)
        raise ClientError(f"the plan of {name}: {error}", code="answer_invalid") from error
