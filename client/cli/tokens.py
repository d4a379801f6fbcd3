"""`standfast tokens`: named tokens for programs that have no operator's key."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from client.cli.globals import YES, GlobalGroup, opened

if TYPE_CHECKING:
    from protocol.api_tokens import Token, TokenCapability
    from protocol.roster import Role

# Said here so that `--help` imports nothing; a test holds them against the protocol's.
ROLES = ("admin", "operator", "automation", "viewer")
CAPABILITIES = (
    "read",
    "state.run",
    "commands.run",
    "decisions",
    "modules.write",
    "artifacts.write",
    "tags.write",
    "agents.admit",
    "enrolment-keys",
    "secrets.write",
    "audit.read",
    "write",
)
DEFAULT_DAYS = 90


@click.group(cls=GlobalGroup)
def tokens() -> None:
    """API tokens for programs: create, list, revoke.

    A program finds its token in the environment variable STANDFAST_TOKEN. A token signs nothing:
    what hosts do is still decided by operators' keys.
    """


@tokens.command("create")
@click.argument("name")
@click.option(
    "--role", type=click.Choice(ROLES), default="automation", show_default=True, help="At most."
)
@click.option(
    "--capability",
    "capabilities",
    multiple=True,
    type=click.Choice(CAPABILITIES),
    help="May be repeated; all that the role may if not given.",
)
@click.option("--scope", default="*", show_default=True, help="org/project/environment, or org/*.")
@click.option(
    "--expires",
    default=f"{DEFAULT_DAYS}d",
    show_default=True,
    metavar="SPAN|TIME|never",
    help="`12h`, `7d`, or RFC 3339.",
)
@click.pass_context
def create(
    ctx: click.Context,
    /,
    name: str,
    role: str,
    capabilities: tuple[str, ...],
    scope: str,
    expires: str,
) -> int:
    """Make a token. It is shown now and never again."""
    from protocol.api_tokens import CreatedToken, CreateTokenRequest

    with opened(ctx) as session:
        request = CreateTokenRequest(
            name=name,
            role=cast("Role", role),
            capabilities=cast("tuple[TokenCapability, ...]", capabilities),
            scope=scope,
            expires_at=_expiry(expires, session.now()),
        )
        made = session.api.ask("POST", "/tokens", CreatedToken, request)
        out = session.out
        if out.as_json:
            out.document({"token": made, "next": "STANDFAST_TOKEN=… standfast status"})
        elif not out.terminal:
            out.lines([made.token])
        else:
            out.lines([made.token, "", "It is shown only now; the coordinator keeps its hash."])
            out.lines(["next: give it to the program as STANDFAST_TOKEN"])
        return 0


@tokens.command("list")
@click.pass_context
def list_tokens(ctx: click.Context) -> int:
    """List the tokens, without their secrets."""
    from protocol.api_tokens import Tokens

    with opened(ctx) as session:
        found = session.api.ask("GET", "/tokens", Tokens).items
        out = session.out
        if out.as_json:
            out.document(found)
            return 0
        rows = [
            (
                one.name,
                one.role,
                _allowed(one),
                one.scope,
                one.created_by,
                out.when(one.expires_at) if one.expires_at is not None else "never",
                out.when(one.last_used_at) if one.last_used_at is not None else "never",
            )
            for one in found
        ]
        heads = ("NAME", "ROLE", "CAPABILITIES", "SCOPE", "BY", "ENDS", "LAST USED")
        out.table(heads, rows, empty="no tokens; next: standfast tokens create NAME")
        return 0


@tokens.command("revoke")
@click.argument("name")
@YES
@click.pass_context
def revoke(ctx: click.Context, name: str, yes: bool) -> int:
    """End a token; its next call is refused."""
    from urllib.parse import quote

    from client.questions import confirm

    with opened(ctx) as session:
        confirm(f"Revoke token {name}?", yes=yes)
        session.api.end(f"/tokens/{quote(name, safe='')}")
        if session.out.as_json:
            session.out.document({"name": name, "revoked": True})
        else:
            session.out.lines([f"revoked {name}", "next: standfast tokens list"])
        return 0


def _allowed(one: Token) -> str:
    return ",".join(one.capabilities) or "all of the role"


def _expiry(text: str, now: float) -> int | None:
    from client.failures import BadUsageError
    from client.render.times import parse_iso, parse_span

    if text == "never":
        return None
    span = parse_span(text)
    moment = now + span if span is not None else parse_iso(text)
    if moment is None or moment <= now:
        raise BadUsageError(
            f"--expires {text!r}: write a span as `90d`, a later RFC 3339 time, or `never`"
        )
    return int(moment)
