"""`standfast status`: health and identity of the coordinator, and what of it is pinned here."""

from __future__ import annotations

import click

from client.cli.globals import GlobalCommand, opened


@click.command(cls=GlobalCommand)
@click.pass_context
def status(ctx: click.Context) -> int:
    """Show the coordinator's health, identity and counts."""
    from client.failures import AuthError
    from client.operator_key import key_path

    with opened(ctx) as session:
        answer = session.api.status()
        profile = session.profile
        known = answer.public_key == profile.coordinator_key
        if known and key_path(session.directory).exists():
            try:
                answer = session.api.status_for_operators()
            except AuthError as error:
                session.out.note(f"{error}; this is what strangers see")
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
        session.out.fields(
            {
                "profile": profile.name,
                "url": profile.url,
                "status": answer.status,
                "version": f"{answer.version or '?'} (protocol {answer.protocol_version})",
                "key": f"{answer.public_key} ({'pinned' if known else 'NOT the pinned key'})",
                "certificate": f"sha256:{profile.fingerprint}" if profile.fingerprint else "no TLS",
                "roster": f"version {answer.roster_version} sha256:{answer.roster_digest}"
                if answer.roster_version
                else "none yet",
                "agents": agents or "none",
            }
        )
        return 0
