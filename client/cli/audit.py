"""`standfast audit`: the event log, and whether it is still the one that was signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from client.cli.globals import YES, GlobalGroup, opened

if TYPE_CHECKING:
    from client.audit_check import Report
    from client.session import Session
    from protocol.api_audit import AuditEvent, Retention

TAIL_SECONDS = 2.0


@click.group(cls=GlobalGroup)
def audit() -> None:
    """The event log: list, verify, export, prune.

    Each line covers the one before it, the coordinator signs where the log ends, and your client
    and every host remember that. Who rewrites or cuts the log contradicts what they hold.
    """


@audit.command("list")
@click.option("--agent", metavar="NODE", help="Of or about this host (id or name).")
@click.option("--operator", metavar="WHO", help="Of or about this operator (id or username).")
@click.option("--type", "event_type", metavar="TYPE", help="Exactly this type: agent.approved.")
@click.option("--category", metavar="WORD", help="Types that begin so: agent, state, auth.")
@click.option("--after", metavar="TIME", help="At this time or later (RFC 3339).")
@click.option("--before", metavar="TIME", help="Earlier than this time (RFC 3339).")
@click.option("--cursor", metavar="ID", help="Go on with what is older than this event.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.pass_context
def list_events(ctx: click.Context, /, limit: int, **filters: str | None) -> int:
    """List events, newest first."""
    from protocol.api_audit import AuditPage

    with opened(ctx) as session:
        given = {name: value for name, value in filters.items() if value is not None}
        params = given | {"limit": str(limit)}
        page = session.api.ask("GET", "/audit", AuditPage, params=params)
        if session.out.as_json:
            session.out.document(page)
            return 0
        _show(session, page.events)
        if page.has_more:
            session.out.note(f"older: standfast audit list --cursor {page.next_cursor}")
        return 0


@audit.command("tail")
@click.option("--lines", "-n", type=click.IntRange(1, 500), default=20, show_default=True)
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until interrupted.")
@click.pass_context
def tail(ctx: click.Context, lines: int, follow: bool) -> int:
    """Show the newest events, oldest of them first."""
    from client import clock
    from protocol.api_audit import AuditPage

    with opened(ctx) as session:
        last = 0
        count = lines
        while True:
            params = {"limit": str(count)}
            found = session.api.ask("GET", "/audit", AuditPage, params=params).events
            fresh = tuple(one for one in reversed(found) if one.seq > last)
            _show(session, fresh)
            last = fresh[-1].seq if fresh else last
            if not follow:
                return 0
            clock.pause(TAIL_SECONDS)
            count = 500


@audit.command("verify")
@click.argument("directory", required=False, type=click.Path())
@click.option("--live", is_flag=True, help="The coordinator's own log, from its first line.")
@click.option("--coordinator-key", metavar="HEX", help="Whose signatures count; the profile's.")
@click.pass_context
def verify(
    ctx: click.Context, directory: str | None, live: bool, coordinator_key: str | None
) -> int:
    """Check the log (or an export) line by line against every signature that is remembered."""
    from pathlib import Path

    from client import audit as memory
    from client import audit_check
    from client.failures import BadUsageError, ExitCode
    from protocol.ids import check_hex64

    with opened(ctx) as session:
        if live == (directory is not None):
            raise BadUsageError("give either --live or the directory of an export")
        if directory is None:
            report, shown, held = audit_check.live(session)
            if report.ok:
                memory.remember(session, held, shown)
            else:
                messages = tuple(one.message for one in report.findings)
                path = memory.write_proof(session, held, shown, messages)
                session.out.note(f"proof: {path}")
        else:
            key = coordinator_key or session.profile.coordinator_key
            check_hex64(key, "the coordinator's key")
            own = coordinator_key is None
            kept = memory.load(session.directory, session.profile).all() if own else ()
            path = Path(directory)
            folder = path.parent if path.is_file() else path
            report = audit_check.exported(folder, key, kept)
        _tell(session, report)
        return ExitCode.OK if report.ok else ExitCode.AUTH


@audit.command("export")
@click.argument("directory", type=click.Path())
@click.pass_context
def export(ctx: click.Context, directory: str) -> int:
    """Write the log, the hosts' journals and a manifest into a new directory."""
    from pathlib import Path

    from client import audit_check

    with opened(ctx) as session:
        made = audit_check.export(session, Path(directory))
        if session.out.as_json:
            session.out.document(made)
        else:
            counts = f"{made.events.lines} events and {made.journals.lines} journal entries"
            following = f"next: standfast audit verify {directory}"
            session.out.lines([f"wrote {counts} to {directory}", following])
        return 0


@audit.command("prune")
@click.option("--before", required=True, metavar="TIME", help="Remove what is older (RFC 3339).")
@YES
@click.pass_context
def prune(ctx: click.Context, before: str, yes: bool) -> int:
    """Remove the beginning of the log; what was removed is signed, and the rest still verifies."""
    from client.questions import confirm
    from client.render.words import counted
    from protocol.api_audit import Pruned

    with opened(ctx) as session:
        confirm(f"Remove all events before {before}? They cannot be brought back.", yes=yes)
        done = session.api.ask("DELETE", "/audit", Pruned, params={"before": before})
        if session.out.as_json:
            session.out.document(done)
        else:
            session.out.lines([f"removed {counted(done.deleted, 'event')}"])
        return 0


@audit.group("retention", cls=GlobalGroup)
def retention() -> None:
    """How long events are kept."""


@retention.command("show")
@click.pass_context
def show_retention(ctx: click.Context) -> int:
    """Show how long events are kept."""
    from protocol.api_audit import Retention

    with opened(ctx) as session:
        return _kept(session, session.api.ask("GET", "/audit/retention", Retention))


@retention.command("set")
@click.option("--days", type=click.IntRange(1, 36_500), required=True)
@click.pass_context
def set_retention(ctx: click.Context, days: int) -> int:
    """Keep events for a number of days."""
    from protocol.api_audit import RetentionRequest

    return _change(ctx, RetentionRequest(days, "days"))


@retention.command("disable")
@click.pass_context
def disable_retention(ctx: click.Context) -> int:
    """Keep events for ever."""
    from protocol.api_audit import RetentionRequest

    return _change(ctx, RetentionRequest(None, "disabled"))


@retention.command("default")
@click.pass_context
def default_retention(ctx: click.Context) -> int:
    """Keep events for as long as the coordinator's configuration says."""
    from protocol.api_audit import RetentionRequest

    return _change(ctx, RetentionRequest(None, "default"))


@audit.command("accept")
@YES
@click.pass_context
def accept(ctx: click.Context, yes: bool) -> int:
    """Forget what is remembered of the log: only after a restore that was yours."""
    from client import audit as memory
    from client.questions import confirm
    from client.render.words import counted

    with opened(ctx) as session:
        profile = session.profile
        question = f"Forget what was signed about the log of {profile.url}, and begin again?"
        confirm(question, yes=yes)
        count = memory.forget(session.directory, profile)
        if session.out.as_json:
            session.out.document({"profile": profile.name, "forgotten": count})
        else:
            session.out.lines([f"forgot {counted(count, 'head')} of {profile.name}"])
        return 0


def _change(ctx: click.Context, request: object) -> int:
    from protocol.api_audit import Retention, RetentionRequest

    assert isinstance(request, RetentionRequest)  # noqa: S101 - the type is imported when needed
    with opened(ctx) as session:
        return _kept(session, session.api.ask("PUT", "/audit/retention", Retention, request))


def _kept(session: Session, kept: Retention) -> int:
    if session.out.as_json:
        session.out.document(kept)
        return 0
    days = "for ever" if kept.retention_days is None else f"{kept.retention_days} days"
    session.out.fields({"kept": days, "mode": kept.mode})
    return 0


def _show(session: Session, events: tuple[AuditEvent, ...]) -> None:
    from client.cli.agents import SHORT_ID

    out = session.out
    if out.as_json:
        out.document(events)
        return
    rows = [
        (
            str(one.seq),
            out.when_text(one.timestamp, never=""),
            one.severity,
            one.event_type,
            one.actor.name or one.actor.id,
            one.target.name or one.target.id[: SHORT_ID if out.terminal else None],
            one.summary,
        )
        for one in events
    ]
    heads = ("LINE", "WHEN", "SEVERITY", "TYPE", "BY", "ON", "WHAT")
    out.table(heads, rows, empty="no events")


def _tell(session: Session, report: Report) -> None:
    if session.out.as_json:
        session.out.document(report)
        return
    for one in report.findings:
        session.out.lines([f"{one.code}: {one.message}"])
    pruned = f", pruned up to {report.pruned_through}" if report.pruned_through else ""
    gone = f" ({report.pruned} are about pruned lines)" if report.pruned else ""
    session.out.fields(
        {
            "result": "the log is whole" if report.ok else "THE LOG WAS TAMPERED WITH",
            "lines": f"{report.lines}, the last is {report.last}{pruned}",
            "signed heads": f"{report.heads} agree{gone}" if report.ok else str(report.heads),
            "journals": f"{report.entries} entries of {report.hosts} hosts, signed by them",
            **_recovered(report),
        }
    )


def _recovered(report: Report) -> dict[str, str]:
    # Whether the key is theirs is for a person to know: the id does not commit to it.
    return {"came back with a new key": ", ".join(report.recovered)} if report.recovered else {}
