"""NODE on a command line: an id, a name, or the beginning of exactly one id. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from client.failures import BadUsageError, NotFoundError
from protocol.api import Agent
from protocol.ids import fold_name


def find(agents: Sequence[Agent], text: str) -> Agent:
    """Return the one agent that the text means: a whole id, else a name, else an id's beginning.

    Raises:
        NotFoundError: none; the message offers the nearest name.
        BadUsageError: more than one.
    """
    wanted = text.strip()
    exact = [agent for agent in agents if agent.node_id == wanted.lower()]
    named = [agent for agent in agents if agent.name and _same(agent.name, wanted)]
    begun = [agent for agent in agents if wanted and agent.node_id.startswith(wanted.lower())]
    for found in (exact, named, begun):
        if len(found) == 1:
            return found[0]
        if found:
            shown = ", ".join(f"{agent.node_id} ({agent.name or 'no name'})" for agent in found[:5])
            raise BadUsageError(
                f"{text!r} means {len(found)} nodes: {shown}",
                next_command="write more of the id",
                code="node_ambiguous",
            )
    raise NotFoundError(
        f"there is no node {text!r}{_nearest(agents, wanted)}",
        next_command="standfast agents list",
        code="node_not_found",
    )


def find_all(agents: Sequence[Agent], texts: Sequence[str]) -> list[Agent]:
    """Return the agents that the texts mean, each once, in the order of the texts."""
    found = {agent.node_id: agent for agent in (find(agents, text) for text in texts)}
    return list(found.values())


def label(name: str | None, node_id: str) -> str:
    """Return how a node is shown: its name, else its id."""
    return name or node_id


def _same(name: str, wanted: str) -> bool:
    return fold_name(name) == fold_name(wanted)


def _nearest(agents: Sequence[Agent], wanted: str) -> str:
    names = [agent.name for agent in agents if agent.name]
    near = difflib.get_close_matches(wanted, names, 1)
    return f"; did you mean {near[0]!r}?" if near else ""
