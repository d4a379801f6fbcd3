"""`standfast approve RUN`: see what would be done, then sign a yes or a no."""

from __future__ import annotations

import click

from client.cli.globals import NO_WAIT, YES, GlobalCommand, opened


@click.command(cls=GlobalCommand)
@click.argument("run_id", metavar="RUN")
@click.option("--deny", is_flag=True, help="Sign a no.")
@click.option("--comment", default="", help="Signed with the decision.")
@click.option(
    "--removal-limit",
    type=click.IntRange(0),
    default=0,
    help="How many resources each host may remove; none if not given.",
)
@YES
@NO_WAIT
@click.pass_context
def approve(
    ctx: click.Context,
    /,
    run_id: str,
    deny: bool,
    comment: str,
    removal_limit: int,
    yes: bool,
    no_wait: bool,
) -> int:
    """Show the plans of RUN, ask, and sign. RUN is a plan or an apply that waits."""
    from client.applying import Wish, approve_plan, deny_run
    from client.failures import ClientError
    from client.planning import collect
    from protocol.limits import MAX_COMMENT

    if len(comment) > MAX_COMMENT:
        raise click.UsageError(f"--comment has at most {MAX_COMMENT} characters")
    with opened(ctx) as session:
        run = session.api.run(run_id)
        waiting = run if run.step == "state.apply" else None
        if waiting is not None and run.plan_run_id is None:
            raise ClientError(
                f"run {run.run_id} ({run.phase}) has no plan yet",
                next_command=f"standfast runs show {run.run_id}",
                code="run_not_waiting",
            )
        planned = collect(session, session.api.run(run.plan_run_id) if run.plan_run_id else run)
        wish = Wish(removal_limit, yes, comment, wait=not no_wait)
        if deny:
            if waiting is None:
                raise ClientError(
                    f"run {run.run_id} is a plan: nothing happens without a yes",
                    code="run_not_waiting",
                )
            return deny_run(session, waiting, planned, wish)
        return approve_plan(session, planned, wish, waiting)
