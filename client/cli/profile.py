"""`standfast profile`: the coordinators that this operator knows, and what is pinned of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from client.cli.globals import YES, GlobalGroup, opened

if TYPE_CHECKING:
    from client.profiles import Profile
    from client.session import Session


@click.group(cls=GlobalGroup)
def profile() -> None:
    """Coordinators that you know, and their pins."""


@profile.command("create")
@click.argument("name")
@click.option("--url", help="https://HOST:PORT")
@click.option("--host", help="In place of --url.")
@click.option("--port", type=click.IntRange(1, 65_535), help="With --host; 4748 if not given.")
@click.option("--no-tls", is_flag=True, help="Plain HTTP, for a coordinator behind a proxy.")
@click.option("--fingerprint", metavar="HEX", help="Pin this certificate (SHA-256).")
@click.option("--coordinator-key", metavar="HEX", help="Pin this coordinator key.")
@click.option("--roster", metavar="HEX", help="Pin the roster version of this digest.")
@click.option(
    "--accept-new-certificate", is_flag=True, help="Pin the certificate that is shown now."
)
@click.pass_context
def create(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    /,
    name: str,
    url: str | None,
    host: str | None,
    port: int | None,
    no_tls: bool,
    fingerprint: str | None,
    coordinator_key: str | None,
    roster: str | None,
    accept_new_certificate: bool,
) -> int:
    """Remember a coordinator; the first one becomes the default."""
    from client import profiles
    from client.failures import ClientError

    with opened(ctx) as session:
        address = profiles.make_url(url, host, port, tls=not no_tls)
        stored = profiles.load(session.directory)
        checked = profiles.check_profile_name(name)
        known = next((one for one in stored.profiles if one.name == checked), None)
        if known is not None and known.url != address:
            raise ClientError(
                f"profile {name!r} is there already, for {known.url}",
                next_command=f"standfast profile update {name} --url {address}",
                code="exists",
            )
        made = known or profiles.Profile(checked, address)
        made = _pinned(made, fingerprint, coordinator_key, roster)
        if accept_new_certificate:
            made = _with_shown_certificate(session, made)
        profiles.save(session.directory, stored.put(made))
        _tell(session, made, "standfast status")
        return 0


@profile.command("update")
@click.argument("name")
@click.option("--url", help="https://HOST:PORT")
@click.option("--host")
@click.option("--port", type=click.IntRange(1, 65_535))
@click.option("--tls/--no-tls", "tls", default=None, help="HTTPS or plain HTTP.")
@click.option("--fingerprint", metavar="HEX", help="Pin this certificate (SHA-256).")
@click.option("--coordinator-key", metavar="HEX", help="Pin this coordinator key.")
@click.option("--roster", metavar="HEX", help="Pin the roster version of this digest.")
@click.option(
    "--accept-new-certificate",
    is_flag=True,
    help="Forget certificate and key, and pin the ones that are shown now.",
)
@click.pass_context
def update(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    /,
    name: str,
    url: str | None,
    host: str | None,
    port: int | None,
    tls: bool | None,
    fingerprint: str | None,
    coordinator_key: str | None,
    roster: str | None,
    accept_new_certificate: bool,
) -> int:
    """Change a profile's address or its pins."""
    import msgspec

    from client import login, profiles, roster_cache

    with opened(ctx) as session:
        stored = profiles.load(session.directory)
        made = stored.find(name)
        if url or host or port or tls is not None:
            made = _moved(made, url, host, port, tls)
        if accept_new_certificate:
            made = msgspec.structs.replace(made, fingerprint="", coordinator_key="")
            made = _with_shown_certificate(session, made)
            login.forget_token(session.directory, made)
        made = _pinned(made, fingerprint, coordinator_key, roster)
        if roster is not None:
            roster_cache.forget(session.directory, made.name)
        profiles.save(session.directory, stored.put(made))
        _tell(session, made, "standfast status")
        return 0


@profile.command("list")
@click.pass_context
def list_profiles(ctx: click.Context) -> int:
    """List the profiles; `*` marks the default."""
    from client import profiles

    with opened(ctx) as session:
        stored = profiles.load(session.directory)
        if session.out.as_json:
            session.out.document(stored)
            return 0
        rows = [
            (
                "*" if one.name == stored.default else "",
                one.name,
                one.url,
                one.fingerprint[:16] or "not pinned",
                one.coordinator_key[:16] or "not pinned",
            )
            for one in stored.profiles
        ]
        session.out.table(
            ("", "NAME", "URL", "CERTIFICATE", "KEY"),
            rows,
            empty="no profiles; next: standfast profile create NAME --url https://HOST:PORT",
        )
        return 0


@profile.command("set-default")
@click.argument("name")
@click.pass_context
def set_default(ctx: click.Context, name: str) -> int:
    """Use a profile when none is named."""
    import msgspec

    from client import profiles

    with opened(ctx) as session:
        stored = profiles.load(session.directory)
        chosen = stored.find(name)
        profiles.save(session.directory, msgspec.structs.replace(stored, default=name))
        _tell(session, chosen, "standfast status")
        return 0


@profile.command("remove")
@click.argument("name")
@YES
@click.pass_context
def remove(ctx: click.Context, name: str, yes: bool) -> int:
    """Forget a coordinator, its pins, its token and its roster."""
    from client import login, profiles, roster_cache
    from client.questions import confirm

    with opened(ctx) as session:
        stored = profiles.load(session.directory)
        gone = stored.find(name)
        confirm(f"Forget profile {name} ({gone.url}) and everything pinned of it?", yes=yes)
        profiles.save(session.directory, stored.without(name))
        login.forget_token(session.directory, gone)
        roster_cache.forget(session.directory, name)
        _tell(session, gone, "standfast profile list", word="removed")
        return 0


def _pinned(
    made: Profile, fingerprint: str | None, coordinator_key: str | None, roster: str | None
) -> Profile:
    import msgspec

    from client.certificate import parse_fingerprint
    from protocol.ids import check_hex64

    if fingerprint is not None:
        made = msgspec.structs.replace(made, fingerprint=parse_fingerprint(fingerprint))
    if coordinator_key is not None:
        check_hex64(coordinator_key, "--coordinator-key")
        made = msgspec.structs.replace(made, coordinator_key=coordinator_key)
    if roster is not None:
        check_hex64(roster, "--roster")
        made = msgspec.structs.replace(made, roster=roster)
    return made


def _with_shown_certificate(session: Session, made: Profile) -> Profile:
    from urllib.parse import urlsplit

    import msgspec

    from client.certificate import fetch_fingerprint

    if not made.url.startswith("https:"):
        return made
    parts = urlsplit(made.url)
    found = fetch_fingerprint(parts.hostname or "", parts.port or 443)
    session.out.note(f"pinned the certificate that {made.url} shows: sha256:{found}")
    return msgspec.structs.replace(made, fingerprint=found)


def _moved(
    made: Profile, url: str | None, host: str | None, port: int | None, tls: bool | None
) -> Profile:
    from urllib.parse import urlsplit

    import msgspec

    from client.profiles import make_url

    old = urlsplit(made.url)
    secure = old.scheme == "https" if tls is None else tls
    if url is None:
        address = make_url(None, host or old.hostname, port or old.port, tls=secure)
    else:
        address = make_url(url, host, port, tls=secure)
    return msgspec.structs.replace(made, url=address)


def _tell(session: Session, made: Profile, following: str, word: str = "profile") -> None:
    if session.out.as_json:
        session.out.document(made)
    else:
        session.out.lines([f"{word} {made.name}: {made.url}", f"next: {following}"])
