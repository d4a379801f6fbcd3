"""Calls about commands and their executions. Nothing here decides whether to believe an answer."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from client.api import Api
from protocol import api
from protocol.api_commands import (
    CommandInfo,
    CreateCommandRequest,
    Execution,
    OutputPage,
    Preview,
    PreviewRequest,
    Targeting,
)

# As many as one command has executions, and one page of commands more.
MAX_PAGES = 100
PAGE = 100


class _Command(msgspec.Struct, frozen=True):
    data: CommandInfo


class _Commands(msgspec.Struct, frozen=True):
    data: tuple[CommandInfo, ...]


class _Execution(msgspec.Struct, frozen=True):
    data: Execution


class _Executions(msgspec.Struct, frozen=True):
    data: tuple[Execution, ...]
    meta: api.Meta


class _Preview(msgspec.Struct, frozen=True):
    data: Preview


def create(calls: Api, request: CreateCommandRequest) -> CommandInfo:
    """Make a command, which then waits for its signature."""
    return calls.ask("POST", "/commands", _Command, request).data


def preview(calls: Api, targeting: Targeting) -> Preview:
    """Return the hosts that a targeting means now."""
    return calls.ask("POST", "/commands/preview", _Preview, PreviewRequest(targeting)).data


def command(calls: Api, command_id: str) -> CommandInfo:
    """Return one command."""
    return calls.ask("GET", f"/commands/{quote(command_id, safe='')}", _Command).data


def commands(calls: Api) -> tuple[CommandInfo, ...]:
    """Return the newest commands, one page of them."""
    return calls.ask("GET", "/commands", _Commands, params={"page_size": str(PAGE)}).data


def executions(calls: Api, command_id: str) -> tuple[Execution, ...]:
    """Return all executions of a command, with their output, by the time they were made."""
    found: list[Execution] = []
    for page in range(1, MAX_PAGES + 1):
        params = {
            "command_id": command_id,
            "page": str(page),
            "page_size": str(PAGE),
            "sort": "inserted_at",
        }
        part = calls.ask("GET", "/command_executions", _Executions, params=params)
        found += part.data
        if part.meta.pagination is None or not part.meta.pagination.has_next:
            break
    return tuple(found)


def output(calls: Api, command_id: str, after: int) -> OutputPage:
    """Return the pieces of output after a sequence."""
    path = f"/commands/{quote(command_id, safe='')}/output"
    return calls.ask("GET", path, OutputPage, params={"after": str(after)})


def cancel(calls: Api, execution_id: str) -> Execution:
    """Stop a command on one host."""
    path = f"/command_executions/{quote(execution_id, safe='')}/cancel"
    return calls.ask("POST", path, _Execution).data
