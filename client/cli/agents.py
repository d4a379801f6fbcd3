"""`standfast agents`: the hosts; who may join, what they are called, which tags they carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from client.cli.globals import WAIT, YES, GlobalGroup, opened

if TYPE_CHECKING:
    from client.session import Session
    from protocol.api import Agent


# 48 bits of an id: enough to name a node by, and the table fits into 80 columns.
SHORT_ID = 13


@click.group(cls=GlobalGroup)
def agents() -> None:
    """Hosts: list, approve, reject, tag, vouch."""


@agents.command("list")
@click.option("--status", type=click.Choice(["pending", "approved", "rejected"]))
@click.option("--filter", "selector", metavar="SELECTOR", help="Tags, as in `role=web !old`.")
@WAIT
@click.pass_context
def list_agents(ctx: click.Context, status: str | None, selector: str | None, wait: int) -> int:
    """List the hosts."""
    with opened(ctx) as session:
        found = _listed(session, status, selector, wait)
        if session.out.as_json:
            session.out.document(found)
            return 0
        rows = [
            (
                one.name or "",
                one.status,
                "connected" if one.connected else "away",
                one.drift or "",
                session.out.when(one.last_seen_at or one.connected_at),
                one.initial_hostname,
                one.node_id[:SHORT_ID] if session.out.terminal else one.node_id,
                tags_text(one.tags),
            )
            for one in found
        ]
        session.out.table(
            ("NAME", "STATUS", "LINK", "DRIFT", "SEEN", "HOSTNAME", "ID", "TAGS"),
            rows,
            empty="no hosts; next: standfast enrol-key create",
        )
        waiting = next((one for one in found if one.status == "pending"), None)
        if waiting is not None and session.out.terminal:
            shown = f"next: standfast agents approve {waiting.node_id[:SHORT_ID]} --name NAME"
            if waiting.cloned:
                shown = f"next: standfast clones list {waiting.name or waiting.node_id[:SHORT_ID]}"
            session.out.lines(["", shown])
        return 0


@agents.command("show")
@click.argument("node")
@click.pass_context
def show(ctx: click.Context, node: str) -> int:
    """Show one host, with the tags that operators signed apart from those that anybody sets."""
    from client import vouching

    with opened(ctx) as session:
        one = _agent(session, node)
        if session.out.as_json:
            session.out.document(one)
            return 0
        held = vouching.held_statement(session, one, session.trusted().roster)
        known = {
            "name": one.name or "",
            "id": one.node_id,
            "fingerprint": one.fingerprint,
            "status": one.status,
            "link": "connected" if one.connected else "away",
            "seen": session.out.when(one.last_seen_at or one.connected_at),
            "hostname": one.initial_hostname,
            "address": one.initial_ip,
            "agent": one.agent_version,
            "drift": one.drift or "",
            "roster": f"version {one.roster_version}" if one.roster_version else "",
            "tags": tags_text(one.tags),
            "signed tags": (tags_text(held.tags) or "none")
            if held is not None
            else "not vouched for",
        }
        session.out.fields({name: value for name, value in known.items() if value})
        return 0


@agents.command("approve")
@click.argument("node")
@click.option("--name", required=True, help="What the host is called from now on.")
@click.option("--fingerprint", help="Approve only if the host's key has this fingerprint.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag that you sign.")
@click.pass_context
def approve(
    ctx: click.Context, node: str, name: str, fingerprint: str | None, tags: tuple[str, ...]
) -> int:
    """Let a host in under a name, and sign what it is."""
    from client import vouching
    from client.failures import BadUsageError
    from protocol.api import StatusChangeRequest
    from protocol.ids import check_name

    with opened(ctx) as session:
        one = _agent(session, node)
        if one.cloned:
            raise BadUsageError(
                f"several hold the key of {_shown(one)}: it gets no work until one was chosen",
                next_command=f"standfast clones list {one.name or one.node_id}",
                code="cloned",
            )
        roster = session.trusted().roster
        held = vouching.held_statement(session, one, roster)
        public = vouching.proven_key(one, held, fingerprint)
        wanted = vouching.Wanted(check_name(name), _pairs(tags))
        statement = vouching.make(session, one, wanted, public, held)
        refused = vouching.says_why_not(session, roster, statement, held)
        if refused is None:
            vouching.put(session, statement)
        elif tags:
            raise vouching.forbidden(refused)
        session.api.set_status(one.node_id, StatusChangeRequest("approved", check_name(name)))
        if refused is None:
            _wrap_secrets(session, one)
        unsigned = f"; nothing was signed about it: {refused}" if refused is not None else ""
        return _done(
            session,
            one,
            f"approved {name} ({one.node_id}, key {one.fingerprint}){unsigned}",
            f"standfast state plan {name} --module MODULE",
        )


@agents.command("vouch")
@click.argument("node")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag that you sign.")
@click.option("--untag", "without", multiple=True, metavar="KEY", help="A signed tag to drop.")
@click.option("--fingerprint", help="The key's, as read on the host itself.")
@YES
@click.pass_context
def vouch(
    ctx: click.Context,
    /,
    node: str,
    tags: tuple[str, ...],
    without: tuple[str, ...],
    fingerprint: str | None,
    yes: bool,
) -> int:
    """Sign what an approved host is: grants and secrets look at signed tags alone."""
    from client import vouching
    from client.failures import BadUsageError
    from client.questions import confirm

    with opened(ctx) as session:
        one = _agent(session, node)
        if one.name is None:
            raise BadUsageError(
                f"{_shown(one)} is not approved yet",
                next_command=f"standfast agents approve {one.node_id} --name NAME",
            )
        roster = session.trusted().roster
        held = vouching.held_statement(session, one, roster)
        public = vouching.proven_key(one, held, fingerprint)
        wanted = vouching.Wanted(one.name, _pairs(tags), without)
        statement = vouching.make(session, one, wanted, public, held)
        refused = vouching.says_why_not(session, roster, statement, held)
        if refused is not None:
            raise vouching.forbidden(refused)
        before = tags_text(held.tags) if held is not None else "nothing"
        confirm(
            f"{_shown(one)}: signed so far: {before}\n"
            f"Sign version {statement.version}: {tags_text(statement.tags) or 'no tags'}?",
            yes=yes,
        )
        vouching.put(session, statement)
        text = f"signed about {_shown(one)}: {tags_text(statement.tags) or 'no tags'}"
        return _done(session, one, text, f"standfast agents show {one.name}")


@agents.command("reject")
@click.argument("node")
@YES
@click.pass_context
def reject(ctx: click.Context, node: str, yes: bool) -> int:
    """Keep a host out."""
    from client.questions import confirm
    from protocol.api import StatusChangeRequest

    with opened(ctx) as session:
        one = _agent(session, node)
        confirm(f"Reject {_shown(one)}? It gets no more work.", yes=yes)
        session.api.set_status(one.node_id, StatusChangeRequest("rejected"))
        text = f"rejected {_shown(one)}"
        return _done(session, one, text, f"standfast agents remove {one.node_id}")


@agents.command("remove")
@click.argument("node")
@YES
@click.pass_context
def remove(ctx: click.Context, node: str, yes: bool) -> int:
    """Forget a rejected host."""
    from client.questions import confirm

    with opened(ctx) as session:
        one = _agent(session, node)
        confirm(f"Remove {_shown(one)} and what is known of it?", yes=yes)
        session.api.remove_agent(one.node_id)
        return _done(session, one, f"removed {_shown(one)}", "standfast agents list")


@agents.command("tag")
@click.argument("node")
@click.argument("tags", nargs=-1, required=True)
@click.pass_context
def tag(ctx: click.Context, node: str, tags: tuple[str, ...]) -> int:
    """Set tags: `key=value`, or `key` alone for the value `true`."""
    from protocol.ids import check_tag

    with opened(ctx) as session:
        wanted = _pairs(tags)
        for key, value in wanted.items():
            check_tag(key, value)
        one = _agent(session, node)
        for key, value in wanted.items():
            session.api.set_tag(one.node_id, key, value)
        text = f"{_shown(one)}: set {tags_text(wanted)}"
        return _done(session, one, text, f"standfast agents show {one.name or one.node_id}")


@agents.command("untag")
@click.argument("node")
@click.argument("keys", nargs=-1, required=True)
@click.pass_context
def untag(ctx: click.Context, node: str, keys: tuple[str, ...]) -> int:
    """Remove tags by their keys."""
    with opened(ctx) as session:
        one = _agent(session, node)
        for key in keys:
            session.api.remove_tag(one.node_id, key)
        text = f"{_shown(one)}: removed {', '.join(keys)}"
        return _done(session, one, text, f"standfast agents show {one.name or one.node_id}")


@agents.command("attributes")
@click.argument("node")
@click.pass_context
def attributes(ctx: click.Context, node: str) -> int:
    """Show the facts by which modules choose their variants."""
    with opened(ctx) as session:
        found = session.api.attributes(_agent(session, node).node_id)
        if session.out.as_json:
            session.out.document(found)
        else:
            session.out.fields(dict(sorted(found.items())))
        return 0


def _listed(
    session: Session, status: str | None, selector: str | None, patience: int
) -> list[Agent]:
    from client import clock
    from client.failures import NotFoundError
    from client.follow import until

    def some() -> list[Agent]:
        found = session.api.agents(status=status, selector=selector)
        if patience and not found:
            raise NotFoundError(
                f"no such host came within {patience} s",
                next_command="standfast enrol-key list, and the log of standfast-agent on the host",
                code="no_hosts",
            )
        return found

    return until(some, NotFoundError, now=clock.now, pause=clock.pause, patience=patience)


def tags_text(tags: dict[str, str]) -> str:
    """Return tags as they are typed."""
    return " ".join(f"{key}={value}" for key, value in sorted(tags.items()))


def _agent(session: Session, node: str) -> Agent:
    from client.node_names import find

    return find(session.api.agents(), node)


def _wrap_secrets(session: Session, one: Agent) -> None:
    from client import sealing
    from client.failures import ClientError

    try:
        names, failed = sealing.wrap_for_node(session, one.node_id)
    except ClientError as error:
        # The host is in: what it may read can be sealed to it at any time.
        session.out.note(f"no secrets were sealed to it: {error}; standfast secrets reseal")
        return
    if names:
        session.out.note(f"sealed to {_shown(one)}: {', '.join(names)}")
    for name, reason in failed.items():
        session.out.note(f"secret {name} is not sealed to {_shown(one)} yet: {reason}")


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    split = (text.partition("=") for text in texts)
    return {key: value if mark else "true" for key, mark, value in split}


def _shown(one: Agent) -> str:
    return f"{one.name} ({one.node_id})" if one.name else f"{one.node_id} ({one.initial_hostname})"


def _done(session: Session, one: Agent, text: str, following: str) -> int:
    if session.out.as_json:
        session.out.document({"node_id": one.node_id, "done": text, "next": following})
    else:
        session.out.lines([text, f"next: {following}"])
    return 0
