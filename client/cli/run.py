"""`standfast run CMD --on SELECTOR`: a command over many hosts, signed in the same step."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import click

from client.cli.globals import NO_WAIT, GlobalCommand, opened

if TYPE_CHECKING:
    from client.session import Session
    from protocol.api_commands import CreateCommandRequest


@click.command(cls=GlobalCommand)
@click.argument("cmd", metavar="[CMD]", required=False)
@click.option("--on", "selector", help="Hosts whose tags match: `role=web`, or `*` for all.")
@click.option("--node", "nodes", multiple=True, metavar="NODE", help="One host; may be repeated.")
@click.option("--script", type=click.File("rb"), help="Run this file's text instead of CMD.")
@click.option("--shell", default="/bin/sh", show_default=True, help="What reads the script.")
@click.option("--user", default="", help="Run as this user; as the agent's own if not given.")
@click.option("--cwd", default="/", show_default=True, help="Run in this directory.")
@click.option("--env", "env", multiple=True, metavar="NAME=VALUE", help="Set a variable.")
@click.option("--stdin", type=click.File("rb"), help="Give this file as input; - is our own.")
@click.option("--rlimit", multiple=True, metavar="NAME=N", help="Limit nofile, as, cpu, ...")
@click.option("--timeout", metavar="SPAN", help="End it after 30s, 5m, 2h.")
@click.option("--expires", metavar="SPAN", help="Hosts that are away may begin for so long: 12h.")
@click.option("--max-parallel", type=click.IntRange(0), default=0, help="Hosts at once; 0: all.")
@click.option("--max-failures", type=click.IntRange(0), help="Stop when more hosts have failed.")
@click.option("--transcript", is_flag=True, help="Show each line of a bash script as it runs.")
@click.option("--preview", is_flag=True, help="Only show which hosts match, and who is away.")
@click.option("--comment", default="", help="Signed with the decision.")
@NO_WAIT
@click.pass_context
def run(  # noqa: PLR0913 - one argument an option, as the command line has them
    ctx: click.Context,
    /,
    cmd: str | None,
    selector: str | None,
    nodes: tuple[str, ...],
    script: BinaryIO | None,
    shell: str,
    user: str,
    cwd: str,
    env: tuple[str, ...],
    stdin: BinaryIO | None,
    rlimit: tuple[str, ...],
    timeout: str | None,
    expires: str | None,
    max_parallel: int,
    max_failures: int | None,
    transcript: bool,
    preview: bool,
    comment: str,
    no_wait: bool,
) -> int:
    """Run CMD on every host that matches; equal answers are shown once.

    Exit code 0 if it went well on all of them, 5 if not, or if a host is away.
    """
    from client.applying import Wish
    from client.commanding import run_command
    from client.planning import resolve_nodes
    from protocol.api_commands import CreateCommandRequest, Targeting

    text = script.read().decode("utf-8") if script is not None else cmd
    if (text is None) == (not preview) or (script is not None and cmd is not None):
        raise click.UsageError("give either CMD or --script, or --preview alone")
    with opened(ctx) as session:
        agents = resolve_nodes(session, nodes, selector)
        if preview:
            return _preview(session, tuple(agent.node_id for agent in agents))
        request = CreateCommandRequest(
            targeting=Targeting("nodes"),
            command_text=text,
            timeout=_span("--timeout", timeout, 1_000),
            expires_at=_moment(session, expires),
            user=user,
            cwd=cwd,
            env=_pairs("--env", env),
            stdin=stdin.read() if stdin is not None else b"",
            shell=shell,
            rlimits=_numbers(rlimit),
            transcript=transcript,
            max_parallel=max_parallel,
            max_failures=max_failures,
        )
        return run_command(session, agents, _fit(request), Wish(comment=comment, wait=not no_wait))


def _fit(request: CreateCommandRequest) -> CreateCommandRequest:
    from protocol import commands
    from protocol.errors import DecodeError

    try:
        commands.check(request.command())
    except DecodeError as error:
        raise click.UsageError(str(error)) from error
    return request


def _preview(session: Session, nodes: tuple[str, ...]) -> int:
    from client import commands_api
    from protocol.api_commands import Targeting

    found = commands_api.preview(session.api, Targeting("nodes", node_ids=nodes))
    if session.out.as_json:
        session.out.document(found)
        return 0
    rows = [
        (
            node.node_id,
            node.name or "",
            "connected" if node.connected else "away",
            session.out.when_text(node.last_seen_at, never="never"),
        )
        for node in found.nodes
    ]
    session.out.table(("NODE", "NAME", "LINK", "LAST SEEN"), rows, empty="no hosts match")
    return 0


def _span(option: str, text: str | None, factor: int) -> int | None:
    from client.render.times import parse_span

    if text is None:
        return None
    seconds = parse_span(text)
    if not seconds:
        raise click.UsageError(f"{option} is a time such as 30s, 5m or 2h")
    return int(seconds * factor)


def _moment(session: Session, text: str | None) -> str | None:
    from client.render.times import iso

    seconds = _span("--expires", text, 1)
    return None if seconds is None else iso(session.now() + seconds)


def _pairs(option: str, texts: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{option} is NAME=VALUE")
        found[name] = value
    return found


def _numbers(texts: tuple[str, ...]) -> dict[str, int]:
    found = _pairs("--rlimit", texts)
    if not all(value.isascii() and value.isdecimal() for value in found.values()):
        raise click.UsageError("--rlimit is NAME=NUMBER")
    return {name: int(value) for name, value in found.items()}
