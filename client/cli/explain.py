"""`standfast explain CODE|RUN`: what a refusal means, why it came, and what to type next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from client.cli.globals import GlobalCommand, opened

if TYPE_CHECKING:
    from client.session import Session
    from protocol.api import Run


@click.command(cls=GlobalCommand)
@click.argument("what", metavar="CODE|RUN")
@click.pass_context
def explain(ctx: click.Context, what: str) -> int:
    """Explain a code, as errors and refusals name them, or why a run is as it is."""
    from protocol import explanations
    from protocol.api_why import Explained

    known = explanations.explain(what)
    with opened(ctx) as session:
        if known is None:
            return _run(session, _found(session, what))
        if session.out.as_json:
            session.out.document(Explained(what, known.meaning, known.next))
        else:
            session.out.lines([f"{what}: {known.meaning}"])
            session.out.lines([f"  next: {known.next}"] if known.next else [])
        return 0


def _found(session: Session, what: str) -> Run:
    import difflib

    from client.failures import NotFoundError
    from protocol import explanations

    looks_like_a_run = any(c.isdigit() for c in what)
    if looks_like_a_run:
        return session.api.run(what)
    near = difflib.get_close_matches(what, explanations.codes(), 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise NotFoundError(
        f"{what!r} is no code and no run{hint}",
        next_command="standfast runs list",
        code="code_not_found",
    )


def _run(session: Session, run: Run) -> int:
    lines = _lines(session, run)
    if session.out.as_json:
        session.out.document({"run_id": run.run_id, "phase": run.phase, "lines": lines})
    else:
        session.out.lines([f"run {run.run_id} ({run.step}) is {run.phase}"])
        session.out.lines([f"  {line}" for line in lines])
    return 0


def _lines(session: Session, run: Run) -> list[str]:
    from client import approvals_api
    from client.applying import waiting_text
    from client.node_names import label
    from protocol import explanations

    lines: list[str] = []
    if run.phase == "waiting_approval":
        found = approvals_api.approval(session.api, run.run_id)
        lines += [
            f"it waits for {waiting_text(found)}",
            f"next: standfast approve {run.run_id}",
        ]
    for step in run.steps:
        known = explanations.explain(step.reason) if step.reason else None
        said = f": {step.message}" if step.message else ""
        if known is None and not (said and step.phase not in {"succeeded", "pending"}):
            continue
        lines.append(f"{label(step.name, step.node_id)}: {step.phase}{said}")
        if known is not None:
            lines.append(f"  {step.reason}: {known.meaning}")
            following = known.next.replace("RUN", run.run_id)
            lines.append(f"  next: {following.replace('NODE', label(step.name, step.node_id))}")
    return lines or [f"next: standfast runs show {run.run_id}"]
