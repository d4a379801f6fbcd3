"""`standfast operator`: your own key, and the people whose signatures the hosts count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from client.cli.globals import YES, GlobalGroup, opened

if TYPE_CHECKING:
    from client.session import Session
    from protocol.api import Operator
    from protocol.roster import Roster, TrustedRoster


@click.group(cls=GlobalGroup)
def operator() -> None:
    """Your key, and the people who may sign."""


@operator.command("init")
@click.option("--username", help="Your name in the roster; your log-in name if not given.")
@click.option(
    "--from-ssh", metavar="PATH", help="Use this OpenSSH Ed25519 key instead of a new one."
)
@click.pass_context
def init(ctx: click.Context, username: str | None, from_ssh: str | None) -> int:
    """Make your key, and a roster in which you are the first admin."""
    import getpass
    from pathlib import Path

    from client import operator_key, private_files, roster_cache
    from client.failures import ClientError
    from protocol import dsse, ids
    from protocol.keys import SigningKey
    from protocol.reports import content_digest

    with opened(ctx) as session:
        name = ids.check_name(username or getpass.getuser())
        key = operator_key.import_ssh(Path(from_ssh)) if from_ssh else SigningKey.generate()
        envelope = roster_cache.first_roster(key, name, session.now())
        roster_path = session.directory / roster_cache.OWN_ROSTER_FILE
        if roster_path.exists():
            raise ClientError(f"{roster_path} is there already; nothing was touched", code="exists")
        path = operator_key.store(session.directory, key)
        private_files.create_private(roster_path, dsse.encode(envelope))
        following = f"standfast-coordinator init --data-dir DIR --roster {roster_path}"
        known = {
            "username": name,
            "operator_id": operator_key.operator_id(key),
            "public_key": operator_key.public_text(key),
            "fingerprint": ids.fingerprint(key.public),
            "key_file": str(path),
            "roster_file": str(roster_path),
            "roster_digest": content_digest(envelope.content()),
        }
        if session.out.as_json:
            session.out.document(known | {"next": following})
            return 0
        session.out.fields(known)
        session.out.lines(
            [
                "",
                f"next, to found a fleet: {following}",
                "next, to join one: give your public key to an admin, who types",
                f"  standfast operator add {operator_key.public_text(key)} --username {name}",
            ]
        )
        return 0


@operator.command("whoami")
@click.pass_context
def whoami(ctx: click.Context) -> int:
    """Show your public key, your operator id and the roster that you trust. Asks nobody."""
    from client import operator_key, profiles, roster_cache
    from client.session import choose
    from protocol import ids, sealing

    with opened(ctx) as session:
        key = session.key
        stored = profiles.load(session.directory)
        held: TrustedRoster | None = None
        if stored.profiles or session.settings.url:
            held = roster_cache.load(session.directory, choose(stored, session.settings).name)
        operator_id = operator_key.operator_id(key)
        entry = held.roster.find(operator_id) if held is not None else None
        own = roster_cache.own_digest(roster_cache.load_own(session.directory))
        known = {
            "operator_id": operator_id,
            "public_key": operator_key.public_text(key),
            "sealing_key": sealing.operator_key(key.seed()).public.hex(),
            "fingerprint": ids.fingerprint(key.public),
            "username": entry.username if entry is not None else "",
            "role": entry.role if entry is not None else "",
            "roster_version": str(held.roster.version) if held is not None else "",
            "roster_digest": held.digest if held is not None else (own or ""),
        }
        if session.out.as_json:
            version = held.roster.version if held is not None else 0
            session.out.document({**known, "roster_version": version})
        else:
            session.out.fields({name: value for name, value in known.items() if value})
        return 0


@operator.command("add")
@click.argument("public_key")
@click.option("--username", required=True, help="Their name in the roster.")
@click.option(
    "--role",
    type=click.Choice(["admin", "operator", "viewer", "automation"]),
    default="operator",
    show_default=True,
    help="Admins and operators sign; an admin also changes who may.",
)
@click.option(
    "--sealing-key",
    default="",
    metavar="HEX",
    help="As their `operator whoami` shows it: secrets are then sealed to this admin too.",
)
@click.pass_context
def add(ctx: click.Context, public_key: str, username: str, role: str, sealing_key: str) -> int:
    """Let somebody in: PUBLIC_KEY is 64 hex digits or an `ssh-ed25519 …` line."""
    import msgspec

    from client.operator_key import parse_public
    from client.roster_cache import with_operator
    from protocol import ids
    from protocol.api import AddOperatorRequest
    from protocol.roster import DECIDING_ROLES, Role

    with opened(ctx) as session:
        public = parse_public(public_key)
        operator_id = ids.operator_id(public)
        trusted = session.trusted()
        if trusted.roster.find(operator_id) is None:
            kind: Role = msgspec.convert(role, Role)
            following = with_operator(trusted, public, username, kind, session.now(), sealing_key)
            if (waiting := _bring(session, trusted, following)) is not None:
                return waiting
        found = _find(session, operator_id)
        if found is None and role in {"admin", "operator"}:
            known: Literal["admin", "operator"] = "admin" if role == "admin" else "operator"
            session.api.add_operator(AddOperatorRequest(public.hex(), username, known))
            found = _find(session, operator_id)
        signs = "may sign" if role in DECIDING_ROLES else "is known"
        return _tell(session, found, operator_id, f"{username} {signs} as {role}")


@operator.command("grant")
@click.argument("who", metavar="OPERATOR")
@click.option("--capability", "capabilities", multiple=True, help="Such as state.apply.")
@click.option("--scope", "scopes", multiple=True, help="Such as default/shop/*.")
@click.option("--on", "selector", default="", metavar="SELECTOR", help="Signed tags of the hosts.")
@click.option("--all", "everything", is_flag=True, help="Take all limits away again.")
@YES
@click.pass_context
def grant(
    ctx: click.Context,
    /,
    who: str,
    capabilities: tuple[str, ...],
    scopes: tuple[str, ...],
    selector: str,
    everything: bool,
    yes: bool,
) -> int:
    """Let OPERATOR decide only this; each further grant allows something besides."""
    from client.questions import confirm
    from client.render.rosters import changes
    from client.roster_edits import parse_grant, with_grants

    if everything == bool(capabilities or scopes or selector):
        raise click.UsageError("give --capability, --scope or --on, or --all alone")
    with opened(ctx) as session:
        trusted = session.trusted()
        operator_id, username = _who(session, trusted, who)
        held = trusted.roster.find(operator_id)
        if held is None:
            raise click.UsageError(f"{username} is not in the roster")
        grants = () if everything else (*held.grants, parse_grant(capabilities, scopes, selector))
        following = with_grants(trusted, operator_id, grants, session.now())
        if not session.out.as_json:
            session.out.lines(changes(trusted.roster, following))
        confirm(f"Sign version {following.version} of the roster?", yes=yes)
        if (waiting := _bring(session, trusted, following)) is not None:
            return waiting
        return _tell(session, None, operator_id, f"{username} may decide what the grants say")


@operator.command("list")
@click.option("--include-removed", is_flag=True)
@click.pass_context
def list_operators(ctx: click.Context, include_removed: bool) -> int:
    """List the operators; `signs` says whether the roster held here counts their signature."""
    import msgspec

    with opened(ctx) as session:
        held = session.trusted().roster
        # Who may sign is what our own roster says, not what the coordinator says of it.
        people = [
            msgspec.structs.replace(one, in_roster=held.find(one.operator_id) is not None)
            for one in session.api.operators(include_removed=include_removed)
        ]
        if session.out.as_json:
            session.out.document(people)
            return 0
        rows = [
            (
                one.username,
                one.role,
                "removed" if one.removed_at else ("signs" if one.in_roster else "no"),
                one.operator_id,
                session.out.when(one.added_at),
                one.added_by,
            )
            for one in people
        ]
        heads = ("NAME", "ROLE", "SIGNS", "ID", "ADDED", "BY")
        session.out.table(heads, rows, empty="no operators")
        return 0


@operator.command("sealing-key")
@click.argument("who", metavar="[OPERATOR", required=False)
@click.argument("sealing_key", metavar="HEX]", required=False, default="")
@YES
@click.pass_context
def sealing_key(ctx: click.Context, who: str | None, sealing_key: str, yes: bool) -> int:
    """Have secrets sealed to you, or to OPERATOR's HEX as their `operator whoami` shows it.

    What was set before is sealed to the new recipient by `standfast secrets reseal`.
    """
    from client import operator_key
    from client.questions import confirm
    from client.render.rosters import changes
    from client.roster_edits import with_sealing_key
    from protocol import sealing

    if who is not None and not sealing_key:
        raise click.UsageError("give OPERATOR and HEX, or neither for your own")
    with opened(ctx) as session:
        trusted = session.trusted()
        operator_id, username = _who(session, trusted, who or operator_key.operator_id(session.key))
        public = sealing_key or sealing.operator_key(session.key.seed()).public.hex()
        held = trusted.roster.find(operator_id)
        if held is None:
            raise click.UsageError(f"{username} is not in the roster")
        if held.role != "admin":
            raise click.UsageError(
                f"{username} is no admin: secrets are sealed to hosts and admins"
            )
        text = f"secrets are sealed to {username} from now on; next: standfast secrets reseal"
        if held.sealing_key == public:
            return _tell(session, None, operator_id, text)
        following = with_sealing_key(trusted, operator_id, public, session.now())
        if not session.out.as_json:
            session.out.lines(changes(trusted.roster, following))
        confirm(f"Sign version {following.version} of the roster?", yes=yes)
        if (waiting := _bring(session, trusted, following)) is not None:
            return waiting
        return _tell(session, None, operator_id, text)


@operator.command("remove")
@click.argument("who", metavar="OPERATOR")
@YES
@click.pass_context
def remove(ctx: click.Context, who: str, yes: bool) -> int:
    """Take somebody out of roster and coordinator; OPERATOR is an id or a username."""
    from client.questions import confirm
    from client.roster_cache import without_operator

    with opened(ctx) as session:
        trusted = session.trusted()
        operator_id, username = _who(session, trusted, who)
        confirm(f"Remove operator {username} ({operator_id})?", yes=yes)
        if trusted.roster.find(operator_id) is not None:
            following = without_operator(trusted, operator_id, session.now())
            if (waiting := _bring(session, trusted, following)) is not None:
                return waiting
        found = _find(session, operator_id)
        if found is not None and found.removed_at is None:
            session.api.remove_operator(operator_id)
        return _tell(session, None, operator_id, f"{username} may not sign any more")


@operator.command("rotate")
@YES
@click.pass_context
def rotate(ctx: click.Context, yes: bool) -> int:
    """Change your key: the old one signs the new one, and the roster names it.

    As an admin you sign that roster yourself; else you get a line for an admin. Run it again once
    others have signed. Decisions that your old key has signed and no host has acted on are void.
    """
    from client import key_change, operator_key
    from client.failures import AuthError
    from client.questions import confirm
    from protocol import ids, sealing

    with opened(ctx) as session:
        if key_change.has_begun(session.directory) and key_change.finish(session):
            own = ids.operator_id(operator_key.load(session.directory).public)
            return _tell(session, None, own, "your new key is in force; the old one is gone")
        trusted, old = session.trusted(), session.key
        entry = trusted.roster.find(ids.operator_id(old.public))
        if entry is None:
            raise AuthError("your key is not in the roster", code="signer_unknown")
        new = key_change.next_key(session.directory)
        if entry.role != "admin":
            line = key_change.statement(old, new, session.now())
            text = f"an admin types: standfast operator replace {entry.username} {line}"
            session.out.lines([text, "then you: standfast operator rotate"])
            return 0
        public = sealing.operator_key(new.seed()).public.hex()
        following = key_change.replaced(trusted, entry, new.public, public, session.now())
        confirm(f"Sign version {following.version} of the roster with a new key?", yes=yes)
        if (waiting := _bring(session, trusted, following)) is not None:
            return waiting
        key_change.finish(session)
        own = ids.operator_id(new.public)
        return _tell(session, None, own, "your new key is in force; the old one is gone")


@operator.command("replace")
@click.argument("who", metavar="OPERATOR")
@click.argument("statement")
@YES
@click.pass_context
def replace(ctx: click.Context, who: str, statement: str, yes: bool) -> int:
    """Give OPERATOR the new key that the old one has named; role and grants stay."""
    from client import key_change
    from client.questions import confirm
    from protocol import ids

    with opened(ctx) as session:
        trusted = session.trusted()
        operator_id, username = _who(session, trusted, who)
        held = trusted.roster.find(operator_id)
        if held is None:
            raise click.UsageError(f"{username} is not in the roster")
        public, sealing_key = key_change.read_statement(statement, held)
        own = ids.fingerprint(public)
        confirm(f"Give {username} the key {own}, which the old one has named?", yes=yes)
        following = key_change.replaced(trusted, held, public, sealing_key, session.now())
        if (waiting := _bring(session, trusted, following)) is not None:
            return waiting
        new = ids.operator_id(public)
        return _tell(session, None, new, f"{username} signs with the key {own}")


def _bring(session: Session, trusted: TrustedRoster, following: Roster) -> int | None:
    """Return None once the change is in force, or the exit code if others have to sign first."""
    from client import proposing
    from client.cli.roster import tell_brought

    done = proposing.bring(session, trusted, following, session.key)
    return None if done.newest is not None else tell_brought(session, done)


def _find(session: Session, operator_id: str) -> Operator | None:
    people = session.api.operators(include_removed=False)
    return next((one for one in people if one.operator_id == operator_id), None)


def _who(session: Session, trusted: TrustedRoster, who: str) -> tuple[str, str]:
    from client.failures import NotFoundError
    from protocol.ids import fold_name

    # Whom a name means is the roster's say first: a coordinator could swap two people.
    known = [(one.operator_id, one.username) for one in trusted.roster.operators]
    known += [(o.operator_id, o.username) for o in session.api.operators(include_removed=False)]
    for operator_id, username in known:
        if who == operator_id or fold_name(who) == fold_name(username):
            return operator_id, username
    raise NotFoundError(
        f"there is no operator {who!r}",
        next_command="standfast operator list",
        code="operator_not_found",
    )


def _tell(session: Session, found: Operator | None, operator_id: str, text: str) -> int:
    if session.out.as_json:
        session.out.document({"operator_id": operator_id, "operator": found})
    else:
        session.out.lines([text, "next: standfast operator list"])
    return 0
