"""`standfast secrets`: values that are encrypted here, to hosts and operators, and read there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from client.cli.globals import YES, GlobalGroup, opened

if TYPE_CHECKING:
    from client.sealing import Sealed
    from client.session import Session
    from client.setting import Answer


@click.group(cls=GlobalGroup)
def secrets() -> None:
    """Secrets that the coordinator cannot read: set, list, show, restrict, reseal, rm."""


@secrets.command("set")
@click.argument("name")
@click.option("--file", "path", type=click.Path(dir_okay=False), help="Read the value from a file.")
@click.option(
    "--value",
    help="The value itself. Every user of this machine can read it in the list of processes, and"
    " the shell keeps it: prefer the prompt, a pipe or --file.",
)
@click.option("--description", help="What it is for; not secret.")
@click.option("--restrict-tags", metavar="SELECTOR", help="Only hosts whose signed tags match.")
@click.option("--restrict-nodes", metavar="ID,ID", help="Only these hosts.")
@click.option("--expires", metavar="DATE", help="YYYY-MM-DD or RFC 3339; hosts refuse it after.")
@click.option("--clear-expires", is_flag=True, help="It does not end any more.")
@click.pass_context
def set_secret(  # noqa: PLR0913 - the options of the published command
    ctx: click.Context,
    /,
    name: str,
    path: str | None,
    value: str | None,
    description: str | None,
    restrict_tags: str | None,
    restrict_nodes: str | None,
    expires: str | None,
    clear_expires: bool,
) -> int:
    """Create secret NAME or give it a new value, from a prompt, a pipe or a file."""
    from msgspec import UNSET

    from client import setting
    from client.secret_input import read_value

    with opened(ctx) as session:
        wanted = setting.Wanted(
            name,
            read_value(session.out, name, path, value),
            setting.parse_restriction(restrict_tags, restrict_nodes),
            setting.parse_end(expires, clear=clear_expires),
            UNSET if description is None else description or None,
        )
        answer = setting.set_secret(session, wanted)
        return _told(session, answer, "set")


@secrets.command("list")
@click.pass_context
def list_secrets(ctx: click.Context) -> int:
    """List the secrets, never their values."""
    from client import secrets_api

    with opened(ctx) as session:
        found = secrets_api.listing(session.api)
        if session.out.as_json:
            session.out.document(found)
            return 0
        rows = [
            (
                one.name,
                f"v{one.version}",
                str(one.recipients),
                "EXPIRED" if one.expired else (one.expires_at or ""),
                one.updated_by,
                one.description or "",
            )
            for one in found
        ]
        heads = ("NAME", "VERSION", "RECIPIENTS", "EXPIRES", "BY", "DESCRIPTION")
        session.out.table(heads, rows, empty="no secrets; next: standfast secrets set NAME")
        return 0


@secrets.command("show")
@click.argument("name")
@click.pass_context
def show(ctx: click.Context, name: str) -> int:
    """Show what is signed about a secret and which hosts have it, never its value."""
    from client import sealing, secrets_api

    with opened(ctx) as session:
        one = secrets_api.show(session.api, name)
        document = sealing.verified(session, one, name)
        if session.out.as_json:
            session.out.document(one)
            return 0
        restriction = document.restriction
        session.out.fields(
            {
                "name": document.name,
                "version": f"{document.version}.{document.revision}",
                "description": one.description or "",
                "tags": restriction.tags or "any",
                "nodes": ", ".join(restriction.node_ids) or "any",
                "expires": one.expires_at or "never",
                "set": f"{session.out.when(document.created_at)} by {one.updated_by}",
            }
        )
        rows = [
            (
                host.name or host.node_id,
                "sealed" if host.sealed else "not sealed",
                f"v{host.delivered_version}" if host.delivered_version else "",
                "pending" if host.pending else "",
            )
            for host in one.hosts
        ]
        session.out.lines([""])
        session.out.table(("HOST", "KEY", "HAS", ""), rows, empty="sealed to no host")
        return 0


@secrets.command("rm")
@click.argument("name")
@YES
@click.pass_context
def rm(ctx: click.Context, name: str, yes: bool) -> int:
    """Destroy a secret; hosts keep what they have applied until the next apply."""
    from client import secrets_api
    from client.questions import confirm

    with opened(ctx) as session:
        confirm(f"Destroy secret {name}? Its value cannot be brought back.", yes=yes)
        secrets_api.remove(session.api, name)
        if session.out.as_json:
            session.out.document({"name": name, "removed": True})
        else:
            session.out.lines([f"removed {name}", "next: standfast secrets list"])
        return 0


@secrets.command("restrict")
@click.argument("name")
@click.option("--tags", metavar="SELECTOR", help="Only hosts whose signed tags match.")
@click.option("--nodes", metavar="ID,ID", help="Only these hosts.")
@click.option("--any-host", "wide", is_flag=True, help="Any host: take the restriction away.")
@click.pass_context
def restrict(ctx: click.Context, name: str, tags: str | None, nodes: str | None, wide: bool) -> int:
    """Say anew which hosts may have a secret, and seal it to them alone."""
    from msgspec import UNSET

    from client import setting
    from client.failures import BadUsageError
    from protocol.secrets import Restriction

    with opened(ctx) as session:
        wanted = setting.parse_restriction(tags, nodes)
        if (wanted is UNSET) != wide:
            raise BadUsageError(
                "say which hosts: --tags, --nodes, or --any-host for all of them",
                next_command=f"standfast secrets restrict {name} --tags SELECTOR",
            )
        restriction = Restriction() if wanted is UNSET else wanted
        answer = setting.restrict_secret(session, name, restriction)
        code = _told(session, answer, "restricted")
        session.out.note(
            "a host that had it before may know the value: set a new one if that matters"
        )
        return code


@secrets.command("reseal")
@click.argument("names", nargs=-1)
@click.option("--node", help="Only for this host.")
@click.pass_context
def reseal(ctx: click.Context, names: tuple[str, ...], node: str | None) -> int:
    """Seal secrets (all, if none is named) to the hosts that may have them now."""
    from client import sealing, secrets_api
    from client.failures import ClientError
    from client.node_names import find

    with opened(ctx) as session:
        node_id = None if node is None else find(session.api.agents(), node).node_id
        chosen = names or tuple(one.name for one in secrets_api.listing(session.api))
        done: dict[str, int] = {}
        failed: dict[str, str] = {}
        for name in chosen:
            try:
                done[name] = sealing.reseal(session, name, node_id)[1]
            except ClientError as error:
                failed[name] = str(error)
        if session.out.as_json:
            session.out.document({"sealed": done, "failed": failed})
        else:
            session.out.lines([f"{name}: sealed to {count}" for name, count in done.items()])
            session.out.lines([f"{name}: {reason}" for name, reason in failed.items()])
        return 1 if failed else 0


# The published names of the two.
secrets.add_command(show, "get")
secrets.add_command(rm, "remove")


def _told(session: Session, answer: Answer, verb: str) -> int:
    secret, sealed = answer.secret, answer.sealed
    if session.out.as_json:
        session.out.document(
            {
                "secret": secret,
                "hosts": sealed.hosts,
                "operators": sealed.operators,
                "left_out": sealed.left_out,
                "behind": answer.behind,
            }
        )
        return 0
    lines = [f"{verb} {secret.name}, version {secret.version}.{secret.revision}"]
    lines += _to_whom(sealed)
    if answer.behind:
        lines.append(
            f"an older value is in use on {', '.join(answer.behind)}: plan and apply there"
        )
        lines.append(f"next: standfast state plan {answer.behind[0]} --module MODULE")
    else:
        lines.append(f"next: standfast secrets show {secret.name}")
    session.out.lines(lines)
    return 0


def _to_whom(sealed: Sealed) -> list[str]:
    hosts = ", ".join(sealed.hosts) or "no host yet"
    lines = [f"sealed to {hosts}; operators: {', '.join(sealed.operators)}"]
    lines += [f"not to {label}: {reason}" for label, reason in sorted(sealed.left_out.items())]
    return lines
