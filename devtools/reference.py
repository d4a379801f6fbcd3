"""Writes `docs/reference/` from the code, so that the reference cannot say something else.

`./dev docs --write` writes the pages; a habit test fails when a page is not what the code says.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from devtools import attack_pages, kind_pages

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "reference"
NOTE = "<!-- Written by `./dev docs --write` from the code; edit the code. -->\n"

API_HEAD = """\
# API reference

JSON in and out, `Authorization: Bearer TOKEN`. The whole contract with every field is the OpenAPI
3.1 document: `./dev openapi`, or `/schema/openapi.json` of a running coordinator, with browsable
pages under `/schema`. Errors have one shape:
`{"error": {"code", "message", "details?"}, "meta": {"request_id", "timestamp"}}`.
"""
CLI_HEAD = """\
# Command-line reference

Exit codes everywhere: 0 ok, 1 error, 2 usage, 3 not logged in or not allowed, 4 not found, 5 some
resource failed, 6 changes pending or drift (only with `--detailed-exitcode`), 130 interrupted.
"""


def pages() -> dict[str, str]:
    """Return every generated page: file name and text."""
    return {
        "api.md": api_page(),
        "attacks.md": attack_pages.page(NOTE),
        "cli.md": cli_page(),
        "config.md": config_page(),
        "reasons.md": reasons_page(),
    } | kind_pages.pages(NOTE)


def write() -> None:
    """Write the pages that differ."""
    PAGES.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        path = PAGES / name
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"wrote {path.relative_to(ROOT)}")


# --- API ------------------------------------------------------------------------------------------


def api_page() -> str:
    """Return the page of endpoints, from the OpenAPI document."""
    command = [sys.executable, "-m", "coordinator.openapi"]
    document = json.loads(subprocess.run(command, capture_output=True, check=True, cwd=ROOT).stdout)
    lines = [NOTE, API_HEAD]
    for path, methods in sorted(document["paths"].items()):
        for method, operation in methods.items():
            lines += [f"## {method.upper()} {path}\n", _operation(operation)]
    return "\n".join(lines)


def _operation(operation: dict[str, object]) -> str:
    """Return the text under one endpoint's heading."""
    text = str(operation.get("summary") or "")
    description = str(operation.get("description") or "")
    parts = [text if text.endswith(".") or not text else f"{text}.", description]
    parameters = operation.get("parameters")
    if parameters:
        shown = [f"`{name}` ({place})" for name, place in _named(parameters)]
        parts.append("Parameters: " + ", ".join(shown) + ".")
    responses = operation.get("responses")
    if responses:
        answers = msgspec.convert(responses, dict[str, object])
        parts.append("Answers: " + ", ".join(sorted(answers)) + ".")
    return "\n\n".join(part for part in parts if part) + "\n"


def _named(parameters: object) -> Iterator[tuple[str, str]]:
    for parameter in msgspec.convert(parameters, list[dict[str, object]]):
        yield str(parameter["name"]), str(parameter["in"])


# --- command line ---------------------------------------------------------------------------------


def programs() -> dict[str, click.Command]:
    """Return the console programs by name."""
    import agent.main
    import client.cli.main
    import coordinator.main
    import state_engine.cli.main

    return {
        "standfast": client.cli.main.cli,
        "standfast-agent": agent.main.cli,
        "standfast-coordinator": coordinator.main.main,
        "standfast-state": state_engine.cli.main.group,
    }


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its full name, groups before their commands."""
    for name, command in programs().items():
        yield from _walk(name, command)


def _walk(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for child in sorted(command.list_commands(context)):
            found = command.get_command(context, child)
            if found is not None and not found.hidden:
                yield from _walk(f"{name} {child}", found)


def cli_page() -> str:
    """Return the page of commands."""
    lines = [NOTE, CLI_HEAD]
    for name, command in commands():
        lines += [f"## {name}\n"]
        context = click.Context(command, info_name=name)
        with context.scope():
            text = (command.help or "").strip()
            lines += [f"{text}\n", f"```text\n{command.get_usage(context)}\n```\n"]
            lines.extend(_options(command, context))
    return "\n".join(lines)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    rows = [
        record
        for parameter in command.params
        if (record := parameter.get_help_record(context)) is not None
    ]
    if rows:
        yield "| Option | Meaning |\n|---|---|"
        for option, meaning in rows:
            yield f"| `{option.replace('|', '/')}` | {meaning.replace('|', '/')} |"
        yield ""


# --- configuration, reasons ----------------------------------------------------------------


def config_page() -> str:
    """Return the page of configuration keys."""
    from agent.config import AgentConfig
    from coordinator.config import CoordinatorConfig

    lines = [
        NOTE,
        "# Configuration reference\n",
        "Both files are TOML. An unknown key is an error that names the nearest right one.\n",
    ]
    for title, struct in (("agent", AgentConfig), ("coordinator", CoordinatorConfig)):
        lines.append(f"# `{title}.toml`\n")
        lines.extend(_keys(struct, ""))
    return "\n".join(lines)


def _keys(struct: type[msgspec.Struct], prefix: str) -> Iterator[str]:
    info = msgspec.inspect.type_info(struct)
    assert isinstance(info, msgspec.inspect.StructType)  # noqa: S101  # a struct has a struct's info
    for field in info.fields:
        kind, note = _plain(field.type)
        if isinstance(kind, msgspec.inspect.StructType):
            yield from _keys(kind.cls, f"{prefix}{field.encode_name}.")
            continue
        yield f"## {prefix}{field.encode_name}\n"
        yield f"{note or kind.__class__.__name__.removesuffix('Type').lower()}{_default(field)}\n"


def _plain(kind: msgspec.inspect.Type) -> tuple[msgspec.inspect.Type, str]:
    note = ""
    if isinstance(kind, msgspec.inspect.Metadata):
        schema: object = getattr(kind, "extra_json_schema", None)
        extra = msgspec.convert(schema or {}, dict[str, object])
        note = str(extra.get("description", ""))
        kind = kind.type
    return kind, note


def _default(field: msgspec.inspect.Field) -> str:
    if field.required:
        return " Required."
    if field.default is msgspec.NODEFAULT:
        return " Default: empty."
    return f" Default: `{json.dumps(field.default, default=str)}`."


def reasons_page() -> str:
    """Return the page of refusal reasons."""
    from protocol.reasons import EXPLAIN

    lines = [
        NOTE,
        "# Reasons of refusal\n",
        "The same words in agent, API, `standfast why` and the event log.\n",
    ]
    for reason, explanation in sorted(EXPLAIN.items()):
        text = f"Means: {explanation.meaning}.\n\nNext: `{explanation.next}`\n"
        lines += [f"## {reason.value}\n", text]
    return "\n".join(lines)


if __name__ == "__main__":
    write()
