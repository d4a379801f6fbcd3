"""`standfast approve RUN`: see what would be done, then sign a yes or a no."""

from __future__ import annotations

import click

from client.cli.globals import NO_WAIT, YES, GlobalCommand, opened

COMMENT = click.option("--comment", default="", help="Signed with the decision.")
REMOVALS = click.option(
    "--removal-limit",
    type=click.IntRange(0),
    default=0,
    help="How many resources each host may remove; none if not given.",
)


@click.command(cls=GlobalCommand)
@click.argument("run_id", metavar="RUN")
@click.option("--deny", is_flag=True, help="Sign a no.")
@COMMENT
@REMOVALS
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
    """Show the plans of RUN, ask, and sign. RUN is a plan or an apply that waits.

    Where others have signed already, the same decision is signed once more.
    """
    return decide(ctx, run_id, comment, removal_limit, deny=deny, yes=yes, wait=not no_wait)


def decide(
    ctx: click.Context,
    run_id: str,
    comment: str,
    removal_limit: int,
    *,
    deny: bool,
    yes: bool,
    wait: bool,
) -> int:
    """Do what `approve` and `approvals approve|deny` have in common."""
    from client.applying import Wish
    from client.deciding import decide_run
    from protocol.limits import MAX_COMMENT

    if len(comment) > MAX_COMMENT:
        raise click.UsageError(f"--comment has at most {MAX_COMMENT} characters")
    with opened(ctx) as session:
        wish = Wish(removal_limit, yes, comment, wait=wait)
        return decide_run(session, run_id, wish, deny=deny)
