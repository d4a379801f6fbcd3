"""/commands: something to run on many hosts, what it printed, and who would be meant."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import delete, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Stream

from coordinator.api import calls, paging, streams, targeting
from coordinator.api.calls import Caller
from coordinator.api.documented import Creating
from coordinator.api.paging import Field, Grammar
from coordinator.api.problems import documented
from coordinator.domain import commands
from coordinator.domain.refusals import Refusal
from coordinator.domain.run_views import rfc3339
from coordinator.store.database import Tx
from protocol import api, api_commands
from protocol.api_commands import CommandInfo, OutputPage, Preview

TAGS = ["commands"]
FIELD_RULES = {"invalid": "validation_failed"}
After = Annotated[int, QueryParameter(ge=0, le=2**53 - 1, description="Only what comes after.")]


class CommandAnswer(msgspec.Struct, frozen=True):
    """One command."""

    data: CommandInfo
    meta: api.Meta


class CommandList(msgspec.Struct, frozen=True):
    """One page of commands."""

    data: tuple[CommandInfo, ...]
    meta: api.Meta


class PreviewAnswer(msgspec.Struct, frozen=True):
    """The hosts that would be meant."""

    data: Preview
    meta: api.Meta


_GRAMMAR: Grammar[CommandInfo] = Grammar(
    fields=(
        Field("command_text", "text", lambda c: c.command_text, wild=True),
        Field("has_timeout", "flag", lambda c: c.timeout is not None),
        Field("timeout", "number", lambda c: c.timeout, sortable=True, ranges=True),
        Field("has_expires_at", "flag", lambda c: c.expires_at is not None),
        Field("has_expired_at", "flag", lambda c: c.expires_at is not None),
        Field("expires_at", "time", lambda c: c.expires_at, sortable=True, exact=False,
              ranges=True),
        Field("expired_at", "time", lambda c: c.expires_at, sortable=True, exact=False,
              ranges=True),
        Field("inserted_at", "time", lambda c: c.inserted_at, sortable=True, exact=False,
              ranges=True),
        Field("updated_at", "time", lambda c: c.updated_at, sortable=True, exact=False,
              ranges=True),
    ),
    identity=lambda c: c.id,
)  # fmt: skip


@post(
    "/commands",
    tags=TAGS,
    summary="Make a command",
    operation_class=Creating,
    opt=FIELD_RULES,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "conflict", "payload_too_large",
        "validation_failed", "too_many_requests",
    ),
)  # fmt: skip
async def create_command(
    call: Caller, data: JSONBody[api_commands.CreateCommandRequest]
) -> CommandAnswer:
    """Place a command on the hosts that match now; it runs once a decision on it is signed."""
    actor = call.actor

    def make(tx: Tx) -> CommandInfo | Refusal:
        return commands.create(
            tx, actor, data, lambda hosts: targeting.choose(data.targeting, hosts)
        )

    return CommandAnswer(await call.create(CommandInfo, make), call.trace.meta())


@post(
    "/commands/preview",
    status_code=200,
    tags=TAGS,
    summary="Preview a command's hosts",
    opt=FIELD_RULES,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "payload_too_large", "validation_failed"
    ),
)
async def preview_command(
    call: Caller, data: JSONBody[api_commands.PreviewRequest]
) -> PreviewAnswer:
    """Return which hosts a targeting means now, and which of them are away; nothing is made."""
    chosen = await call.read(lambda tx: targeting.choose(data.targeting, commands.targets(tx)))
    nodes = tuple(
        api_commands.PreviewNode(
            one.agent.node_id,
            one.agent.name,
            one.agent.connected,
            rfc3339(one.agent.last_seen_at) if one.agent.last_seen_at else None,
        )
        for one in chosen
    )
    found = Preview(nodes, len(nodes), sum(node.connected for node in nodes))
    return PreviewAnswer(found, call.trace.meta())


@get(
    "/commands",
    tags=TAGS,
    summary="List commands",
    operation_class=paging.operation(_GRAMMAR),
    opt={"query_names": _GRAMMAR.names()},
    responses=documented("bad_request", "unauthorized", "forbidden"),
)
async def list_commands(call: Caller) -> CommandList:
    """Return a page of commands, newest first unless sorted otherwise."""
    query = dict(call.request.query_params.items())
    found = await call.read(commands.listing)
    page = calls.accept(paging.select(_GRAMMAR, query, found))
    return CommandList(page.items, call.trace.meta(page.pagination))


@get(
    "/commands/{command_id:str}",
    tags=TAGS,
    summary="Show a command",
    responses=documented("bad_request", "unauthorized", "forbidden", "not_found"),
)
async def show_command(call: Caller, command_id: FromPath[str]) -> CommandAnswer:
    """Return one command and how many of its executions stand where."""
    found = await call.read(lambda tx: commands.get(tx, command_id))
    return CommandAnswer(found, call.trace.meta())


@delete(
    "/commands/{command_id:str}",
    tags=TAGS,
    summary="Delete a command",
    responses=documented("bad_request", "unauthorized", "forbidden", "not_found", "conflict"),
)
async def delete_command(call: Caller, command_id: FromPath[str]) -> None:
    """Remove a command with its executions, once all of them are over."""
    actor = call.actor
    await call.change(lambda tx: commands.delete(tx, actor, command_id))


@get(
    "/commands/{command_id:str}/output",
    tags=TAGS,
    summary="Read a command's output",
    responses=documented("bad_request", "unauthorized", "forbidden", "not_found"),
)
async def read_output(call: Caller, command_id: FromPath[str], after: After = 0) -> OutputPage:
    """Return the pieces of output of all hosts after a sequence."""
    return await call.read(lambda tx: commands.output_after(tx, command_id, after))


@get(
    "/commands/{command_id:str}/stream",
    tags=TAGS,
    summary="Follow a command's output",
    media_type="text/event-stream",
    responses=documented("bad_request", "unauthorized", "forbidden", "not_found"),
)
async def follow_output(call: Caller, command_id: FromPath[str], after: After = 0) -> Stream:
    """Stream output as hosts say it until the command is over; `Last-Event-ID` or `after` resumes.

    Each event is `output`, its id the piece's sequence.
    """
    await call.read(lambda tx: commands.get(tx, command_id))

    async def look(seq: int) -> streams.Look:
        found = await call.read(lambda tx: commands.output_after(tx, command_id, seq))
        lines = [streams.Line(p.seq, "output", msgspec.json.encode(p)) for p in found.pieces]
        return streams.Look(lines, over=found.over)

    start = streams.resume_point(call, after)
    return streams.stream(call, (f"run:{command_id}",), start, look)


routes = (
    create_command,
    preview_command,
    list_commands,
    show_command,
    delete_command,
    read_output,
    follow_output,
)
