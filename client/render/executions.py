"""What a command did on its hosts: equal answers once, with the hosts that gave them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from client.node_names import label
from client.render.output import Line, Span, line
from client.render.words import counted
from protocol.api_commands import Execution, PreviewNode

# Hosts that one head line names.
MAX_NAMED = 20


class Answers(msgspec.Struct, frozen=True):
    """Hosts that ended alike and printed the same."""

    hosts: tuple[str, ...]
    shown: Execution


def grouped(executions: Sequence[Execution]) -> list[Answers]:
    """Return executions with equal ends and output together: what went well, then the most."""
    found: dict[tuple[object, ...], list[Execution]] = {}
    for one in executions:
        key = (one.status, one.exit_code, one.ending, one.reason, one.message, one.output or "")
        found.setdefault(key, []).append(one)
    groups = [
        Answers(tuple(sorted(label(one.node_name, one.node_id or "") for one in same)), same[0])
        for same in found.values()
    ]
    return sorted(groups, key=lambda one: (not went_well(one.shown), -len(one.hosts), one.hosts))


def went_well(one: Execution) -> bool:
    """Say whether a command ended by itself with exit code 0."""
    return one.status == "completed" and one.exit_code == 0 and one.ending == "exited"


def ended(one: Execution) -> str:
    """Return in words how a command ended on a host."""
    match one.ending:
        case "timeout":
            text = "out of time (124)"
        case "cancelled":
            text = "cancelled (143)"
        case "interrupted":
            text = "interrupted: the agent ended while it ran; it is not run again"
        case "exited" if one.exit_code is not None:
            text = f"exit {one.exit_code}"
        case _:
            said = ": ".join(part for part in (one.reason or "", one.message) if part)
            text = f"{one.status}: {said}" if said else one.status
    return text


def group_lines(executions: Sequence[Execution]) -> list[Line]:
    """Return the answers, each with a head line of its hosts and its output beneath."""
    shown: list[Line] = []
    for group in grouped(executions):
        names = ", ".join(group.hosts[:MAX_NAMED])
        more = len(group.hosts) - MAX_NAMED
        names += f" and {more} more" if more > 0 else ""
        style = "add" if went_well(group.shown) else "remove"
        head = f"{counted(len(group.hosts), 'host')}: {names}"
        shown.append(line(Span(head, "bold"), "  ", Span(ended(group.shown), style)))
        # Indented, so that nothing that a host prints passes for the head of another one's answer.
        shown += [line(f"  {text}") for text in (group.shown.output or "").splitlines()]
        if group.shown.output_artifact is not None:
            rest = f"the rest: GET /api/v1/artifacts/{group.shown.output_artifact}"
            shown.append(line(Span(rest, "dim")))
    return shown


def missing_lines(missing: Sequence[PreviewNode], when: dict[str, str], until: str) -> list[Line]:
    """Return a line for each host that is away: its name, since when, and until when it may run."""
    return [
        line(
            Span("missing", "warn"),
            f"  {label(one.name, one.node_id)}: away, last seen {when[one.node_id]}; "
            f"it runs when the host comes back, {until}",
        )
        for one in missing
    ]
