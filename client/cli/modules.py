"""`standfast modules`: what is stored at the coordinator, and whose signature it carries."""

from __future__ import annotations

import click

from client.cli.globals import YES, GlobalGroup, opened


@click.group(cls=GlobalGroup)
def modules() -> None:
    """Stored modules: list, show, remove."""


@modules.command("list")
@click.pass_context
def list_modules(ctx: click.Context) -> int:
    """List the modules."""
    with opened(ctx) as session:
        found = session.api.modules()
        if session.out.as_json:
            session.out.document(found)
            return 0
        rows = [
            (
                one.name,
                one.sha256[:16] if session.out.terminal else one.sha256,
                "signed" if one.signed_by else "unsigned",
                session.out.when(one.uploaded_at),
                one.uploaded_by,
            )
            for one in found
        ]
        heads = ("NAME", "VERSION", "SIGNED", "UPLOADED", "BY")
        session.out.table(heads, rows, empty="no modules; next: standfast state upload FILE")
        return 0


@modules.command("show")
@click.argument("name")
@click.option("--content", is_flag=True, help="The file itself and nothing else.")
@click.pass_context
def show(ctx: click.Context, name: str, content: bool) -> int:
    """Show one module."""
    from client.failures import UntrustedError
    from protocol.reports import content_digest

    with opened(ctx) as session:
        one = session.api.module(name)
        if one.sha256 and content_digest(one.content.encode()) != one.sha256:
            raise UntrustedError(
                f"module {name} came with other content than its version says",
                next_command="look at who can write to the coordinator",
                code="module_changed",
            )
        if session.out.as_json:
            session.out.document(one)
            return 0
        if not content:
            session.out.fields(
                {
                    "name": one.name,
                    "version": one.sha256,
                    "signed by": ", ".join(one.signed_by) or "nobody",
                    "uploaded": f"{session.out.when(one.uploaded_at)} by {one.uploaded_by}",
                }
            )
            session.out.lines([""])
        session.out.lines(one.content.expandtabs(4).splitlines())
        return 0


@modules.command("remove")
@click.argument("name")
@YES
@click.pass_context
def remove(ctx: click.Context, name: str, yes: bool) -> int:
    """Remove a module; hosts keep what it has applied until the next apply without it."""
    from client.questions import confirm

    with opened(ctx) as session:
        confirm(f"Remove module {name}?", yes=yes)
        session.api.remove_module(name)
        if session.out.as_json:
            session.out.document({"name": name, "removed": True})
        else:
            session.out.lines([f"removed {name}", "next: standfast modules list"])
        return 0
