"""`standfast status`: health and identity of the coordinator, and what of it is pinned here."""

from __future__ import annotations

import click

from client.cli.globals import WAIT, GlobalCommand, opened


@click.command(cls=GlobalCommand)
@WAIT
@click.pass_context
def status(ctx: click.Context, wait: int) -> int:
    """Show the coordinator's health, identity and counts."""
    from client import clock
    from client.failures import AuthError, UnreachableError
    from client.follow import until
    from client.operator_key import key_path

    with opened(ctx) as session:
        answer = until(
            lambda: session.api.status(),  # noqa: PLW0108 - the API itself is made by the attempt
            UnreachableError,
            now=clock.now,
            pause=clock.pause,
            patience=wait,
        )
        if answer.public_key != session.profile.coordinator_key:
            session.follow_rotation()
        profile = session.profile
        known = answer.public_key == profile.coordinator_key
        stranger = "no operator key here; make one: standfast operator init"
        if not known:
            stranger = "not logged in: its key is not the pinned one"
        elif session.has_token or key_path(session.directory).exists():
            try:
                answer, stranger = session.api.status_for_operators(), ""
            except AuthError as error:
                stranger = "not logged in"
                session.out.note(f"{error}; this is what strangers see")
        hidden = f"shown to operators only ({stranger})"
        if session.out.as_json:
            session.out.document(
                {
                    "profile": profile.name,
                    "url": profile.url,
                    "key_pinned": known,
                    "status": answer,
                }
            )
            return 0
        agents = ", ".join(f"{count} {name}" for name, count in sorted(answer.agents.items()))
        version = answer.version or ("?" if not stranger else hidden)
        roster = hidden if stranger else "none yet"
        if answer.roster_version:
            roster = f"version {answer.roster_version} sha256:{answer.roster_digest}"
        session.out.fields(
            {
                "profile": profile.name,
                "url": profile.url,
                "status": answer.status,
                "version": version,
                "protocol": str(answer.protocol_version),
                "key": f"{answer.public_key} ({'pinned' if known else 'NOT the pinned key'})",
                "certificate": f"sha256:{profile.fingerprint}" if profile.fingerprint else "no TLS",
                "roster": roster,
                "agents": agents or (hidden if stranger else "none"),
            }
        )
        return 0
