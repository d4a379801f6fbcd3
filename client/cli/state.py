"""`standfast state`: desired state: upload it, plan it, apply it, see what drifted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from client.cli.globals import DETAILED, NO_WAIT, YES, GlobalGroup, opened

if TYPE_CHECKING:
    from client.session import Session
    from protocol.api import Operation

MODULES = click.option(
    "--module",
    "-m",
    "modules",
    multiple=True,
    metavar="M",
    help="A stored module; repeatable. Without any: what was applied last.",
)
NOTHING = click.option(
    "--no-modules", "nothing", is_flag=True, help="No module: all that was applied is removed."
)
ON = click.option("--on", "selector", metavar="SELECTOR", help="Approved hosts by their tags.")


@click.group(cls=GlobalGroup)
def state() -> None:
    """Upload, plan, apply, drift."""


@state.command("upload")
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False))
@click.pass_context
def upload(ctx: click.Context, files: tuple[str, ...]) -> int:
    """Sign module files and store them as new versions."""
    from client.uploading import upload_file

    with opened(ctx) as session:
        stored = [upload_file(session, path) for path in files]
        if session.out.as_json:
            session.out.document(stored)
            return 0
        for one in stored:
            session.out.lines([f"{one.name}  sha256:{one.sha256}  signed"])
            session.out.lines([f"! {warning}" for warning in one.warnings])
        names = " ".join(f"--module {one.name}" for one in stored)
        session.out.lines([f"next: standfast state plan NODE {names}"])
        return 0


@state.command("plan")
@click.argument("nodes", nargs=-1, metavar="[NODE]...")
@MODULES
@NOTHING
@ON
@DETAILED
@click.pass_context
def plan(
    ctx: click.Context,
    /,
    nodes: tuple[str, ...],
    modules: tuple[str, ...],
    nothing: bool,
    selector: str | None,
    detailed_exitcode: bool,
) -> int:
    """Show what an apply would change, without changing anything."""
    from client.failures import ExitCode
    from client.planning import choose_modules, make_plan, resolve_nodes, tell_plan

    with opened(ctx) as session:
        agents = resolve_nodes(session, nodes, selector)
        wanted = choose_modules(session, agents, modules, nothing=nothing)
        planned = make_plan(session, agents, wanted)
        tell_plan(session, planned)
        if planned.missing:
            return ExitCode.RESOURCE_FAILED
        return ExitCode.PENDING if detailed_exitcode and planned.has_changes else ExitCode.OK


@state.command("apply")
@click.argument("nodes", nargs=-1, metavar="[NODE]...")
@MODULES
@NOTHING
@ON
@click.option(
    "--removal-limit",
    type=click.IntRange(0),
    default=0,
    help="How many resources each host may remove; none if not given.",
)
@click.option("--comment", default="", help="Signed with the decision.")
@YES
@NO_WAIT
@click.pass_context
def apply(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    /,
    nodes: tuple[str, ...],
    modules: tuple[str, ...],
    nothing: bool,
    selector: str | None,
    removal_limit: int,
    comment: str,
    yes: bool,
    no_wait: bool,
) -> int:
    """Plan, show, ask, sign, and follow the work to its end."""
    from client.applying import Wish, approve_plan
    from client.planning import choose_modules, make_plan, resolve_nodes

    with opened(ctx) as session:
        agents = resolve_nodes(session, nodes, selector)
        wanted = choose_modules(session, agents, modules, nothing=nothing)
        planned = make_plan(session, agents, wanted)
        wish = Wish(removal_limit, yes, comment, wait=not no_wait, apply=True)
        return approve_plan(session, planned, wish, None)


@state.command("rollback")
@click.argument("operation_id", metavar="OPERATION")
@click.option("--plan", "only_plan", is_flag=True, help="Show what it would do, and do nothing.")
@click.option("--comment", default="", help="Signed with the decision.")
@YES
@NO_WAIT
@click.pass_context
def rollback(
    ctx: click.Context, operation_id: str, only_plan: bool, comment: str, yes: bool, no_wait: bool
) -> int:
    """Take back what one apply did on its host: plan the reverse, show, ask, sign, follow.

    What was changed since is left, and so is what commands did that nobody can take back.
    """
    from client.taking_back import take_back

    with opened(ctx) as session:
        return take_back(
            session, operation_id, only_plan=only_plan, comment=comment, yes=yes, wait=not no_wait
        )


@state.command("drift")
@click.argument("node")
@DETAILED
@click.pass_context
def drift(ctx: click.Context, node: str, detailed_exitcode: bool) -> int:
    """Look now whether NODE is still as it was applied."""
    from client.drifting import look_now, tell_drift
    from client.node_names import find

    with opened(ctx) as session:
        agent = find(session.api.agents(), node)
        return tell_drift(session, look_now(session, agent), agent, detailed=detailed_exitcode)


@state.command("drift-list")
@click.option("--agent", metavar="NODE", help="Of this host only.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True)
@click.option("--status", type=click.Choice(["drifted", "in_sync", "failed", "cancelled"]))
@click.pass_context
def drift_list(ctx: click.Context, agent: str | None, limit: int, status: str | None) -> int:
    """List drift records, newest first."""
    from client.drifting import records

    with opened(ctx) as session:
        found = records(session, agent, limit, status)
        if session.out.as_json:
            session.out.document([record for _, record in found])
            return 0
        rows = [
            (
                record.drift_id,
                name,
                record.status,
                str(sum(item.action != "none" for item in record.resources)),
                session.out.when(record.checked_at),
                record.source,
            )
            for name, record in found
        ]
        heads = ("DRIFT", "NODE", "STATUS", "RESOURCES", "SEEN", "SOURCE")
        session.out.table(heads, rows, empty="no drift records")
        return 0


@state.command("drift-show")
@click.argument("drift_id", metavar="DRIFT")
@DETAILED
@click.pass_context
def drift_show(ctx: click.Context, drift_id: str, detailed_exitcode: bool) -> int:
    """Show one drift record."""
    from client.drifting import tell_drift
    from client.node_names import find

    with opened(ctx) as session:
        record = session.api.drift_record(drift_id)
        agent = find(session.api.agents(), record.node_id)
        return tell_drift(session, record, agent, detailed=detailed_exitcode)


@state.command("query")
@click.argument("node")
@click.pass_context
def query(ctx: click.Context, node: str) -> int:
    """Show what NODE is believed to hold: applied, to be removed, not yet applied."""
    from client.node_names import find

    with opened(ctx) as session:
        found = session.api.machine_state(find(session.api.agents(), node).node_id)
        if session.out.as_json:
            session.out.document(found)
            return 0
        groups = (
            ("applied", found.applied),
            ("to remove", found.pending_removals),
            ("to apply", found.unapplied),
        )
        rows = [
            (word, one.module, one.type, one.identity) for word, group in groups for one in group
        ]
        axes = (("drifted", found.drifted), ("pending", found.pending))
        rows += [
            (f"{word} {one.action}", one.module, one.type, one.identity)
            for word, items in axes
            for one in items
        ]
        heads = ("STATE", "MODULE", "TYPE", "RESOURCE")
        session.out.table(heads, rows, empty="nothing was ever applied")
        return 0


@state.command("list")
@click.option("--agent", metavar="NODE", help="Of this host only.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0)
@click.pass_context
def list_operations(ctx: click.Context, agent: str | None, limit: int, offset: int) -> int:
    """List applies, newest first."""
    from client.node_names import find

    with opened(ctx) as session:
        agents = session.api.agents()
        names = {one.node_id: one.name or one.node_id for one in agents}
        node_id = find(agents, agent).node_id if agent else None
        page = session.api.operations(node_id, limit, offset)
        if session.out.as_json:
            session.out.document(page)
            return 0
        rows = [
            (
                one.operation_id,
                names.get(one.node_id, one.node_id),
                one.status,
                ",".join(one.modules),
                session.out.when(one.started_at),
                one.actor,
            )
            for one in page.operations
        ]
        heads = ("OPERATION", "NODE", "STATUS", "MODULES", "STARTED", "BY")
        session.out.table(heads, rows, empty="nothing was ever applied")
        return 0


@state.command("show")
@click.argument("operation_id", metavar="ID")
@click.pass_context
def show(ctx: click.Context, operation_id: str) -> int:
    """Show one apply on one host, or a whole run, by its id."""
    from client.applying import tell_run
    from client.failures import NotFoundError

    with opened(ctx) as session:
        try:
            found = session.api.operation(operation_id)
        except NotFoundError:
            tell_run(session, session.api.run(operation_id))
            return 0
        if session.out.as_json:
            session.out.document(found)
        else:
            _tell_operation(session, found)
        return 0


@state.command("output")
@click.argument("operation_id", metavar="OPERATION")
@click.pass_context
def output(ctx: click.Context, operation_id: str) -> int:
    """Show what the scripts of an apply printed."""
    with opened(ctx) as session:
        found = session.api.operation(operation_id)
        answer = session.api.output(found.node_id, found.operation_id)
        if session.out.as_json:
            session.out.document(answer)
            return 0
        if not answer.output:
            session.out.lines(["no script printed anything, or its output is gone"])
        for address, phases in sorted(answer.output.items()):
            for word, one in (
                ("check", phases.check),
                ("apply", phases.apply),
                ("undo", phases.undo),
            ):
                if one is None:
                    continue
                cut = ", cut" if one.truncated else ""
                session.out.lines([f"{address} {word}: exit {one.exit}{cut}"])
                for text in (one.stdout, one.stderr):
                    session.out.lines([f"  {row}" for row in text.expandtabs(4).splitlines()])
        return 0


def _tell_operation(session: Session, found: Operation) -> None:
    from client.render.results import resource_line

    session.out.fields(
        {
            "operation": found.operation_id,
            "node": found.node_id,
            "status": found.status,
            "modules": ", ".join(found.modules),
            "started": session.out.when(found.started_at),
            "by": found.actor,
            "run": found.run_id,
        }
    )
    session.out.lines([""])
    session.out.lines([resource_line(one) for one in found.resources])
    if found.reason:
        session.out.lines(
            [f"{found.reason}: {found.message}", f"next: standfast why {found.node_id}"]
        )
