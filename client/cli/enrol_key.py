"""`standfast enrol-key`: strings with which new hosts enrol, checked here against our own pins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from client.cli.globals import YES, GlobalGroup, opened

if TYPE_CHECKING:
    from client.session import Session
    from protocol.api import EnrolmentKeyInfo


@click.group("enrol-key", cls=GlobalGroup)
def enrol_key() -> None:
    """Keys with which new hosts enrol."""


@enrol_key.command("create")
@click.option("--name", help="What you call the key.")
@click.option(
    "--uses",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="How many hosts may use it.",
)
@click.option("--unlimited", is_flag=True, help="Any number of hosts.")
@click.option(
    "--expires", metavar="SPAN|TIME", help="`12h`, `7d`, or RFC 3339; never if not given."
)
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Tags of these hosts.")
@click.option("--auto-approve", is_flag=True, help="Hosts with this key need no approval.")
@click.option("--address", "urls", multiple=True, metavar="URL", help="Where hosts should dial.")
@click.option(
    "--cluster", default="default", show_default=True, help="The network these hosts belong to."
)
@click.option(
    "--recovers",
    metavar="NODE",
    help="For one host that was installed anew: it keeps its id, name and tags.",
)
@click.pass_context
def create(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    /,
    name: str | None,
    uses: int,
    unlimited: bool,
    expires: str | None,
    tags: tuple[str, ...],
    auto_approve: bool,
    urls: tuple[str, ...],
    cluster: str,
    recovers: str | None,
) -> int:
    """Make a key. The string is shown now and never again.

    A host that comes back by --recovers has a new key: sign for it with `standfast agents vouch`.
    """
    from client.node_names import find
    from protocol.api import CreateEnrolmentKeyRequest
    from protocol.ids import check_tag

    with opened(ctx) as session:
        pairs = {key: value or "true" for key, _, value in (tag.partition("=") for tag in tags)}
        for key, value in pairs.items():
            check_tag(key, value)
        request = CreateEnrolmentKeyRequest(
            name=name,
            uses_remaining=None if unlimited else uses,
            expires_at=_expiry(expires, session.now()),
            tags=pairs,
            auto_approve=auto_approve,
            urls=urls,
            recovers=find(session.api.agents(), recovers).node_id if recovers else None,
        )
        made = session.api.create_key(cluster, request)
        text = _checked(session, made)
        following = f"standfast-agent enrol {text}"
        if session.out.as_json:
            session.out.document({"key": made, "next": following})
            return 0
        out = session.out
        if not out.terminal:
            out.lines([text])
        else:
            out.lines([text, "", _describe(session, made)])
            out.lines(["It is shown only now.", f"next, on the host: {following}"])
        return 0


@enrol_key.command("list")
@click.pass_context
def list_keys(ctx: click.Context) -> int:
    """List the keys, without their secrets."""
    with opened(ctx) as session:
        found = session.api.enrolment_keys()
        if session.out.as_json:
            session.out.document(found)
            return 0
        rows = [
            (
                one.id,
                one.name or "",
                "unlimited" if one.uses_remaining is None else str(one.uses_remaining),
                session.out.when_text(one.expires_at, never="never"),
                session.out.when_text(one.last_used_at, never="never"),
                "auto" if one.auto_approve else "by hand",
                one.cluster_name,
            )
            for one in found
        ]
        heads = ("ID", "NAME", "USES LEFT", "EXPIRES", "USED", "APPROVAL", "CLUSTER")
        session.out.table(heads, rows, empty="no keys; next: standfast enrol-key create")
        return 0


@enrol_key.command("show")
@click.argument("key_id", metavar="ID")
@click.pass_context
def show(ctx: click.Context, key_id: str) -> int:
    """Show one key, without its secret."""
    with opened(ctx) as session:
        one = session.api.enrolment_key(key_id)
        if session.out.as_json:
            session.out.document(one)
            return 0
        session.out.fields(
            {
                "id": one.id,
                "name": one.name or "",
                "uses left": "unlimited" if one.uses_remaining is None else str(one.uses_remaining),
                "expires": session.out.when_text(one.expires_at, never="never"),
                "used": session.out.when_text(one.last_used_at, never="never"),
                "made": session.out.when_text(one.inserted_at, never=""),
                "approval": "auto" if one.auto_approve else "by hand",
                "cluster": one.cluster_name,
                "tags": " ".join(f"{key}={value}" for key, value in sorted(one.tags.items())),
            }
        )
        return 0


@enrol_key.command("revoke")
@click.argument("key_id", metavar="ID")
@YES
@click.pass_context
def revoke(ctx: click.Context, key_id: str, yes: bool) -> int:
    """Let no more hosts in by this key; those that are in stay."""
    from client.questions import confirm

    with opened(ctx) as session:
        one = session.api.enrolment_key(key_id)
        confirm(f"Revoke enrolment key {one.name or one.id}?", yes=yes)
        session.api.revoke_key(one.id)
        if session.out.as_json:
            session.out.document({"id": one.id, "revoked": True})
        else:
            session.out.lines([f"revoked {one.name or one.id}", "next: standfast enrol-key list"])
        return 0


def _checked(session: Session, made: EnrolmentKeyInfo) -> str:
    """Return the string if it leads hosts to what is pinned here; a wrong one would hand them over.

    Raises:
        UntrustedError: it names another coordinator, certificate or roster.
    """
    from client.failures import UntrustedError
    from protocol import enrolment

    text = made.key or ""
    key = enrolment.decode(text)
    profile = session.profile
    pins = (
        ("coordinator key", key.coordinator_key, profile.coordinator_key),
        ("certificate", key.tls_fingerprint or profile.fingerprint, profile.fingerprint),
        ("roster", key.roster, session.trusted().digest),
    )
    for what, found, pinned in pins:
        if pinned and found != pinned:
            raise UntrustedError(
                f"the enrolment key names another {what} than the one pinned here",
                where=f"it says {found[:16]}, pinned is {pinned[:16]}",
                next_command=f"standfast enrol-key revoke {made.id}, and look at the coordinator",
                code="enrolment_key_wrong",
            )
    return text


def _describe(session: Session, made: EnrolmentKeyInfo) -> str:
    from client.render.words import counted

    uses = (
        "any number of hosts"
        if made.uses_remaining is None
        else counted(made.uses_remaining, "host")
    )
    expires = session.out.when_text(made.expires_at, never="never")
    approval = "approved at once" if made.auto_approve else "approved by hand"
    return f"For {uses}, expires {expires}, {approval}."


def _expiry(text: str | None, now: float) -> str | None:
    from client.failures import BadUsageError
    from client.render.times import iso, parse_iso, parse_span

    if text is None:
        return None
    span = parse_span(text)
    moment = now + span if span is not None else parse_iso(text)
    if moment is None or moment <= now:
        raise BadUsageError(f"--expires {text!r}: write a span as `12h`, or a later RFC 3339 time")
    return iso(moment)
