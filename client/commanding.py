"""From a command line to a signed command and its answers: place, compare, sign, follow, tell.

What is signed is computed here from the document that the person gave; the coordinator's own claims
are compared with it and never used.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from client import commands_api
from client.applying import Wish, tell_waiting
from client.failures import ClientError, ExitCode, UntrustedError
from client.node_names import label
from client.questions import confirm
from client.render.executions import ended, group_lines, missing_lines, went_well
from client.render.times import parse_iso
from client.render.words import counted
from client.session import Session
from client.sign import Statement, check_decision, decide, has_signed
from protocol import commands, decisions, dsse, ids
from protocol.api import Agent, Run
from protocol.api_commands import (
    CommandInfo,
    CreateCommandRequest,
    Execution,
    PreviewNode,
    Targeting,
)
from protocol.errors import DecodeError

# Between two looks at a command that runs; the first ones come quickly.
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 0.5
# Our waiting ends then, the command goes on; its own timeout is added.
PATIENCE = 1_800.0
# One host has 100,000 pieces at most, 256 a page: what is longer was made up on the way.
MAX_PAGES = 400
OPEN = frozenset({"pending", "sent"})


class Followed(msgspec.Struct, frozen=True):
    """Where a command stood when we stopped looking; `missing` are hosts that are away."""

    executions: tuple[Execution, ...]
    missing: tuple[PreviewNode, ...]


def run_command(
    session: Session, agents: Sequence[Agent], request: CreateCommandRequest, wish: Wish
) -> int:
    """Place a command on these hosts, sign it, and follow it; return the exit code."""
    nodes = tuple(sorted(agent.node_id for agent in agents))
    targeting = Targeting("nodes", node_ids=nodes)
    info = commands_api.create(session.api, msgspec.structs.replace(request, targeting=targeting))
    made = _checked(session, info, request, nodes)
    run = _give(session, session.api.run(info.id), made, wish)
    if run.phase == "waiting_approval":
        return tell_waiting(session, run, made, msgspec.structs.replace(wish, apply=True))
    if not wish.wait:
        return _left(session, info)
    return _tell(session, info, _follow(session, info, len(nodes) == 1), len(nodes))


def _checked(
    session: Session, info: CommandInfo, request: CreateCommandRequest, nodes: tuple[str, ...]
) -> Statement:
    # Until when it may begin is signed too, so that is what was typed as well.
    made = _statement(session, info, nodes, request.expires_at)
    own = decisions.canonical_hash(commands.action(request.command()))
    if own != made.action_hash:
        raise _lie(f"command {info.id} is another one than was asked for")
    return made


def _statement(
    session: Session, info: CommandInfo, nodes: tuple[str, ...], expires_at: str | None
) -> Statement:
    """Return what is to be signed for a command, if its run is over just these hosts."""
    try:
        own = decisions.canonical_hash(commands.action(info.command))
    except DecodeError as error:
        raise _lie(f"command {info.id} is none: {error}") from error
    run = session.api.run(info.id)
    placed = tuple(sorted(step.node_id for step in run.steps))
    if len(set(placed)) != len(placed) or placed != nodes:
        raise _lie(f"command {info.id} is for other hosts than were asked for")
    if (run.step, run.action_hash, run.scope) != ("command.run", own, session.profile.scope):
        raise _lie(f"run {info.id} asks for a signature over something else than the command")
    ends = parse_iso(expires_at or "")
    seconds = 0 if ends is None else max(0, int(ends - session.now()) + 1)
    return Statement(placed, "", 0, own, "command.run", seconds)


def _lie(message: str) -> UntrustedError:
    return UntrustedError(
        f"{message}; nothing was signed",
        next_command="look at who can write to the coordinator: standfast audit list",
        code="command_changed",
    )


def _give(session: Session, run: Run, made: Statement, wish: Wish) -> Run:
    if run.phase != "waiting_approval":
        # Hosts whose own policy lets the coordinator sign need nothing of ours.
        return run
    trusted, now = session.trusted(), session.now()
    scope = session.profile.scope
    if run.decision is None:
        envelope = decide(
            made,
            "approve",
            session.key,
            scope=scope,
            roster=trusted.roster,
            now=now,
            entropy=session.entropy(),
            comment=wish.comment,
            seconds=made.seconds,
        )
        return session.api.decide(run.run_id, envelope)
    check_decision(run.decision, made, scope=scope, roster=trusted.roster, now=now)
    if has_signed(run.decision, session.key):
        return session.api.decide(run.run_id, run.decision)
    own = ids.operator_id(session.key.public)
    return session.api.decide(run.run_id, dsse.add_signature(run.decision, session.key, own))


def decide_command(session: Session, run: Run, wish: Wish, *, deny: bool) -> int:
    """Show a command that waits for signatures, ask, and sign; return the exit code.

    Raises:
        ClientError: it waits for none.
    """
    if run.phase != "waiting_approval":
        raise ClientError(
            f"command {run.run_id} does not wait for approval, it is {run.phase}",
            next_command=f"standfast commands show {run.run_id}",
            code="run_not_waiting",
        )
    info = commands_api.command(session.api, run.run_id)
    # The hosts of the run that is shown below: it is read a second time to be compared.
    nodes = tuple(sorted(step.node_id for step in run.steps))
    made = _statement(session, info, nodes, info.expires_at)
    if not session.out.as_json:
        session.out.lines(_shown(info, run))
    question = "Deny" if deny else f"Sign sha256:{made.action_hash} for"
    confirm(f"{question} this command on {counted(len(made.nodes), 'host')}?", yes=wish.yes)
    if deny:
        envelope = decide(
            made,
            "deny",
            session.key,
            scope=session.profile.scope,
            roster=session.trusted().roster,
            now=session.now(),
            entropy=session.entropy(),
            comment=wish.comment,
        )
        run = session.api.decide(run.run_id, envelope)
        session.out.lines([f"denied command {run.run_id}; it is {run.phase}"])
        return ExitCode.OK
    run = _give(session, run, made, wish)
    if run.phase == "waiting_approval":
        return tell_waiting(session, run, made, wish)
    if not wish.wait:
        return _left(session, info)
    asked = len(made.nodes)
    return _tell(session, info, _follow(session, info, live=asked == 1), asked)


def _shown(info: CommandInfo, run: Run) -> list[str]:
    document = info.command
    fields = {
        "user": document.user or "the agent's own",
        "cwd": document.cwd,
        "shell": document.shell if document.script else "",
        "timeout": f"{document.timeout_ms} ms" if document.timeout_ms is not None else "",
        "env": " ".join(f"{name}={value}" for name, value in sorted(document.env.items())),
        "rlimits": " ".join(f"{name}={value}" for name, value in document.rlimits.items()),
        "expires": info.expires_at or "",
        "stdin": f"{len(document.stdin)} bytes" if document.stdin else "",
        "by": info.created_by,
        "on": ", ".join(label(step.name, step.node_id) for step in run.steps),
    }
    told = [f"{name}: {value}" for name, value in fields.items() if value]
    given = document.stdin.decode("utf-8", "backslashreplace")
    # Indented, so that no line of theirs passes for one of the fields.
    return [*_indented(document.text), *told, *_indented(given)]


def _indented(text: str) -> list[str]:
    return [f"  {one}" for one in text.splitlines()]


def _follow(session: Session, info: CommandInfo, live: bool) -> Followed:
    from client import clock

    timeout = (info.command.timeout_ms or 0) / 1_000
    end = session.now() + PATIENCE + timeout
    pause, seq = FIRST_PAUSE, 0
    told: set[str] = set()
    while True:
        if live and not session.out.as_json:
            seq = _print(session, info.id, seq)
        found = commands_api.executions(session.api, info.id)
        if not live:
            _note_ended(session, found, told)
        waiting = [one for one in found if one.status in OPEN]
        away = _away(session, waiting)
        if len(away) == len(waiting) or session.now() >= end:
            if live and not session.out.as_json:
                _print(session, info.id, seq)
            return Followed(found, away)
        clock.pause(min(pause, LONGEST_PAUSE))
        pause *= 1.5


def _print(session: Session, command_id: str, seq: int) -> int:
    for _ in range(MAX_PAGES):
        page = commands_api.output(session.api, command_id, seq)
        if not page.pieces or page.pieces[-1].seq <= seq:
            break
        for piece in page.pieces:
            if piece.omitted:
                session.out.note(f"[{piece.omitted} bytes left out]")
            session.out.text(piece.text)
        seq = page.pieces[-1].seq
    return seq


def _note_ended(session: Session, found: Sequence[Execution], told: set[str]) -> None:
    for one in found:
        if one.status not in OPEN and one.id not in told:
            told.add(one.id)
            done = f"{len(told)} of {len(found)}"
            session.out.note(f"{done}: {label(one.node_name, one.node_id or '')}: {ended(one)}")


def _away(session: Session, waiting: Sequence[Execution]) -> tuple[PreviewNode, ...]:
    if not waiting:
        return ()
    named = Targeting("nodes", node_ids=tuple(one.node_id or "" for one in waiting))
    nodes = commands_api.preview(session.api, named).nodes
    return tuple(node for node in nodes if not node.connected)


def _left(session: Session, info: CommandInfo) -> int:
    following = f"standfast commands show {info.id}"
    if session.out.as_json:
        session.out.document({"command_id": info.id, "next": following})
    else:
        session.out.lines([f"signed command {info.id}", f"next: {following}"])
    return ExitCode.OK


def _tell(session: Session, info: CommandInfo, followed: Followed, asked: int) -> int:
    found = followed.executions
    # Each host once, so that an answer that is left out is not taken for one that went well.
    good = len({one.node_id for one in found if went_well(one)})
    if session.out.as_json:
        session.out.document({"command_id": info.id, "hosts": found, "missing": followed.missing})
    else:
        away = {node.node_id for node in followed.missing}
        over = [one for one in found if one.node_id not in away]
        if len(found) == 1 and over:
            # Its output was shown as it came.
            session.out.note(ended(over[0]))
        else:
            session.out.lines(group_lines(over))
        when = {
            node.node_id: session.out.when_text(node.last_seen_at, never="never")
            for node in followed.missing
        }
        until = f"until {info.expires_at}" if info.expires_at else "for a day"
        session.out.lines(missing_lines(followed.missing, when, until))
        if asked > 1 or followed.missing:
            total = f"command {info.id}: {good} of {counted(asked, 'host')} went well"
            missing = f", {len(followed.missing)} missing" if followed.missing else ""
            session.out.lines([total + missing])
    complete = good == asked and all(went_well(one) for one in found)
    return ExitCode.OK if complete else ExitCode.RESOURCE_FAILED


def tell_command(session: Session, command_id: str) -> int:
    """Print a command and what became of it on each host; return the exit code."""
    info = commands_api.command(session.api, command_id)
    found = commands_api.executions(session.api, command_id)
    waiting = [one for one in found if one.status in OPEN]
    if session.out.as_json:
        session.out.document({"command": info, "hosts": found})
        return ExitCode.OK
    session.out.lines([*info.command_text.splitlines(), ""])
    session.out.lines(group_lines(found))
    away = _away(session, waiting)
    when = {one.node_id: session.out.when_text(one.last_seen_at, never="never") for one in away}
    until = f"until {info.expires_at}" if info.expires_at else "for a day"
    session.out.lines(missing_lines(away, when, until))
    return ExitCode.OK
