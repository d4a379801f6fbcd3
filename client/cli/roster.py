"""`standfast roster`: who may sign what, how it changes, and the proof of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from client.cli.globals import YES, GlobalGroup, opened

if TYPE_CHECKING:
    from client.proposing import Brought
    from client.roster_edits import Edits
    from client.session import Session
    from protocol.api_approvals import Proposal

KEY = click.option("--key", "key_file", metavar="FILE", help="Sign with this recovery key.")


@click.group(cls=GlobalGroup)
def roster() -> None:
    """The signed list of operators: show, propose, sign, verify."""


@roster.command("show")
@click.pass_context
def show(ctx: click.Context) -> int:
    """Show the roster that is trusted here, and what is proposed to follow it."""
    from client import approvals_api
    from client.render.rosters import roster_lines

    with opened(ctx) as session:
        trusted = session.trusted()
        waiting = [one for one in approvals_api.proposals(session.api) if one.status == "open"]
        if session.out.as_json:
            session.out.document(
                {
                    "version": trusted.roster.version,
                    "digest": trusted.digest,
                    "roster": trusted.roster,
                    "proposals": waiting,
                    "chain": session.api.roster(0).chain,
                }
            )
            return 0
        session.out.lines(roster_lines(trusted.roster, trusted.digest))
        for one in waiting:
            session.out.lines(["", *_proposal_lines(session, one)])
        return 0


@roster.command("propose")
@click.option("--threshold", type=click.IntRange(1), help="How many admins a change takes.")
@click.option(
    "--posture",
    "postures",
    multiple=True,
    metavar="SCOPE=POSTURE",
    help="What a scope is, such as `default/*=prod`.",
)
@click.option(
    "--approval",
    "approvals",
    multiple=True,
    metavar="POSTURE=QUORUM[,requester-excluded]",
    help="How many sign in a posture, `*` for any; `prod=` takes the rule away.",
)
@click.option(
    "--recovery-key",
    "recovery",
    multiple=True,
    metavar="NAME=PUBLIC_KEY",
    help="A key that may sign when admins are lost; `NAME=` takes it away.",
)
@click.option("--recovery-threshold", type=click.IntRange(1), help="How many of those it takes.")
@KEY
@YES
@click.pass_context
def propose(
    ctx: click.Context,
    /,
    threshold: int | None,
    postures: tuple[str, ...],
    approvals: tuple[str, ...],
    recovery: tuple[str, ...],
    recovery_threshold: int | None,
    key_file: str | None,
    yes: bool,
) -> int:
    """Change the rules; with a threshold above one the change waits for other admins."""
    from client.roster_edits import Edits, parse_posture, parse_recovery, parse_rule

    spare = dict(map(parse_recovery, recovery))
    edits = Edits(
        threshold,
        dict(map(parse_posture, postures)),
        dict(map(parse_rule, approvals)),
        recovery=tuple(key for key in spare.values() if key is not None),
        lost=tuple(name for name, key in spare.items() if key is None),
        recovery_threshold=recovery_threshold,
    )
    if edits == Edits():
        raise click.UsageError("say what is to change")
    with opened(ctx) as session:
        return _change(session, edits, key_file, yes=yes)


@roster.command("epoch")
@click.argument("scope", default="")
@KEY
@YES
@click.pass_context
def epoch(ctx: click.Context, scope: str, key_file: str | None, yes: bool) -> int:
    """Draw a line: every decision in SCOPE that was signed until now is void."""
    from client.roster_edits import Edits
    from protocol.scopes import check_scope

    with opened(ctx) as session:
        where = check_scope(scope or session.profile.scope)
        now = session.trusted().roster.epoch(where)
        return _change(session, Edits(epochs={where: now + 1}), key_file, yes=yes)


@roster.command("sign")
@click.argument("digest", default="")
@KEY
@YES
@click.pass_context
def sign(ctx: click.Context, digest: str, key_file: str | None, yes: bool) -> int:
    """Show what a proposed roster changes, ask, and sign it. DIGEST may be its beginning."""
    from client import proposing
    from client.questions import confirm

    with opened(ctx) as session:
        trusted = session.trusted()
        proposal = proposing.find(session, digest)
        proposed = proposing.checked(trusted, proposal)
        if not session.out.as_json:
            session.out.lines(proposing.words(trusted, proposed))
        confirm(f"Sign version {proposal.version} of the roster?", yes=yes)
        key = proposing.signing_key(session, key_file)
        return tell_brought(session, proposing.co_sign(session, proposal, key))


@roster.command("verify")
@click.argument("file", default="")
@click.option("--digest", help="The digest of a version that you trust; it must be in the chain.")
@click.pass_context
def verify(ctx: click.Context, file: str, digest: str | None) -> int:
    """Verify a roster's chain, from a FILE or the coordinator, and tell each change in words.

    FILE holds what `standfast --json roster show` prints; nobody is asked then.
    """
    from client.roster_files import read_chain, walk
    from protocol.ids import check_hex64

    with opened(ctx) as session:
        if digest is not None:
            check_hex64(digest.removeprefix("sha256:"), "the digest")
        chain = read_chain(file) if file else session.api.roster(0).chain
        held = None if file else session.trusted().digest
        steps = walk(chain, digest, held)
        if session.out.as_json:
            session.out.document(steps)
            return 0
        for step in steps:
            people = ", ".join(step.signers)
            session.out.lines(
                [
                    f"version {step.version}, sha256:{step.digest}",
                    f"  signed by {people}" + (" (recovery)" if step.recovered else ""),
                    *(f"  {line}" for line in step.changes),
                ]
            )
        return 0


@roster.command("recovery")
@click.argument("file")
@click.option("--name", required=True, help="What the key is called in the roster.")
@click.pass_context
def recovery(ctx: click.Context, file: str, name: str) -> int:
    """Make a recovery key in FILE, to be kept offline."""
    from pathlib import Path

    from client import operator_key
    from protocol.ids import check_name
    from protocol.keys import SigningKey

    with opened(ctx) as session:
        key = SigningKey.generate()
        operator_key.store_file(Path(file), key)
        following = f"standfast roster propose --recovery-key {check_name(name)}={key.public.hex()}"
        known = {"name": name, "public_key": key.public.hex(), "key_file": file}
        if session.out.as_json:
            session.out.document({**known, "next": following})
            return 0
        session.out.fields(known)
        session.out.lines(["", f"next: {following}", "then take the file off this machine"])
        return 0


@roster.command("recover")
@click.argument("chain", metavar="CHAIN")
@click.argument("out", metavar="OUT")
@click.option("--key", "key_file", required=True, metavar="FILE", help="A recovery key.")
@click.option("--admin", metavar="NAME=PUBLIC_KEY", help="Who is to be the only admin.")
@YES
@click.pass_context
def recover(
    ctx: click.Context, chain: str, out: str, key_file: str, admin: str | None, yes: bool
) -> int:
    """When all admins are lost: sign, offline, a roster with a new one. Nobody is asked.

    CHAIN is what `standfast-coordinator roster` prints. OUT is written, or, if another holder of a
    recovery key has signed it already, signed too; then --admin is not given.
    """
    from pathlib import Path

    from client import operator_key, recovering
    from client.questions import confirm
    from client.render.rosters import changes
    from client.roster_files import read_chain
    from protocol.roster import Roster, decode

    with opened(ctx) as session:
        held = recovering.newest(read_chain(chain))
        begun = read_chain(out)[-1] if Path(out).exists() else None
        if (begun is None) == (admin is None):
            raise click.UsageError("give --admin to make OUT; leave it out to sign what is there")
        made = None if begun is None else decode(begun)
        if admin is not None:
            made = recovering.with_new_admin(held, *recovering.parse_admin(admin), session.now())
        if not isinstance(made, Roster):
            raise click.UsageError(f"{out} holds no roster")
        session.out.lines(changes(held.roster, made))
        confirm(f"Sign version {made.version} of the roster with a recovery key?", yes=yes)
        key = operator_key.load_file(Path(key_file))
        signed = recovering.sign(held, begun, made, key)
        recovering.write(Path(out), signed)
        more = recovering.missing(held, signed)
        following = f"standfast-coordinator roster --take {out}"
        if more:
            following = f"{more} more: standfast roster recover {chain} {out} --key FILE"
        session.out.lines([f"signed: {out}", f"next: {following}"])
        return 0


def _change(session: Session, edits: Edits, key_file: str | None, *, yes: bool) -> int:
    from client import proposing
    from client.questions import confirm
    from client.render.rosters import changes
    from client.roster_edits import edited

    trusted = session.trusted()
    following = edited(trusted, edits, session.now())
    if not session.out.as_json:
        session.out.lines(changes(trusted.roster, following))
    confirm(f"Sign version {following.version} of the roster?", yes=yes)
    key = proposing.signing_key(session, key_file)
    return tell_brought(session, proposing.bring(session, trusted, following, key))


def tell_brought(session: Session, done: Brought) -> int:
    """Print what became of a change of the roster; return the exit code."""
    if session.out.as_json:
        newest = done.newest
        session.out.document(
            {
                "in_force": newest is not None,
                "version": newest.roster.version if newest is not None else None,
                "digest": newest.digest if newest is not None else None,
                "proposal": done.proposal,
            }
        )
    elif done.newest is not None:
        shown = f"version {done.newest.roster.version} is in force (sha256:{done.newest.digest})"
        session.out.lines([shown, "next: standfast roster show"])
    elif done.proposal is not None:
        session.out.lines(_proposal_lines(session, done.proposal))
    return 0


def _proposal_lines(session: Session, one: Proposal) -> list[str]:
    until = session.out.when_text(one.expires_at, never="")
    return [
        f"proposed: version {one.version}, sha256:{one.digest}",
        f"  signed by {', '.join(one.signed)}: {len(one.signed)} of {one.threshold}, until {until}",
        f"  next: standfast roster sign {one.digest[:16]}, by another admin",
    ]
