"""`standfast artifacts`: bytes that modules name by digest."""

from __future__ import annotations

import click

from client.cli.globals import GlobalGroup, opened


@click.group(cls=GlobalGroup)
def artifacts() -> None:
    """Bytes that modules name by digest: upload, list, show.

    A module names one as `source: artifact:SHA256`. A host gets the bytes of those alone that stand
    in a signed module which it was offered.
    """


@artifacts.command("upload")
@click.argument("file")
@click.option("--name", help="What people call it, in place of the file's own name.")
@click.pass_context
def upload(ctx: click.Context, file: str, name: str | None) -> int:
    """Upload FILE, of at most 64 MiB; the same bytes again change nothing."""
    from client import artifacts_api

    with opened(ctx) as session:
        stored = artifacts_api.upload(session.api, file, name)
        if session.out.as_json:
            session.out.document(stored)
        else:
            lines = [
                f"uploaded {stored.name or file}, {stored.size} bytes",
                f"source: artifact:{stored.sha256}",
            ]
            session.out.lines(lines)
        return 0


@artifacts.command("list")
@click.pass_context
def list_artifacts(ctx: click.Context) -> int:
    """List what was uploaded, newest first."""
    from client import artifacts_api

    with opened(ctx) as session:
        found = artifacts_api.listing(session.api)
        if session.out.as_json:
            session.out.document(found)
            return 0
        rows = [
            (
                one.sha256,
                str(one.size),
                one.name,
                session.out.when(one.uploaded_at),
                one.uploaded_by,
            )
            for one in found
        ]
        heads = ("SHA256", "SIZE", "NAME", "UPLOADED", "BY")
        session.out.table(heads, rows, empty="none; next: standfast artifacts upload FILE")
        return 0


@artifacts.command("show")
@click.argument("sha256")
@click.pass_context
def show(ctx: click.Context, sha256: str) -> int:
    """Show who uploaded an artifact, and when."""
    from client import artifacts_api

    with opened(ctx) as session:
        one = artifacts_api.show(session.api, sha256)
        if session.out.as_json:
            session.out.document(one)
            return 0
        session.out.fields(
            {
                "name": one.name,
                "sha256": one.sha256,
                "size": f"{one.size} bytes",
                "uploaded": f"{session.out.when(one.uploaded_at)} by {one.uploaded_by}",
            }
        )
        return 0
