"""Signing by the coordinator itself, where the hosts' own policy and the roster both let it.

Its key has to stand in the roster as an automation, and each host of a run has to say in its policy
file that the coordinator may decide. A rule that asks for more than one signature, or leaves out
the requester, is one for people: such a run waits for them. So does one whose requester the roster
does not let do as much: the hosts ask for no grant of the coordinator's, so it asks for theirs.
"""

from __future__ import annotations

from coordinator.domain import approving, roster, run_actions, run_decisions
from coordinator.domain.actor import Actor
from coordinator.domain.approving import Group
from coordinator.domain.refusals import Refusal
from coordinator.store import decisions as stored
from coordinator.store import runs, settings
from coordinator.store.database import Tx
from coordinator.store.runs import StoredRun
from protocol import api, decisions, dsse, ids
from protocol.decisions import Decision
from protocol.keys import SigningKey
from protocol.roster import Role, Roster, RosterOperator

# The offer follows at once; a host that is away gets it for as long as the run lives.
DECISION_SECONDS = 86_400
# Roles that may ask for work; somebody whom one admin let into the API alone has none here.
_ASKING: frozenset[Role] = frozenset({"admin", "operator", "automation"})
# Runs that are looked at in one turn; the next turn takes the next ones.
MAX_RUNS = 100


def due(tx: Tx, public: bytes) -> tuple[str, ...]:
    """Return the runs that the key may approve now, by what the hosts told of their policy."""
    trusted = roster.current(tx)
    if trusted is None or _entry(trusted.roster, public) is None:
        return ()
    found, _ = runs.listing(tx, limit=MAX_RUNS, phase="waiting_approval")
    return tuple(run.run_id for run in found if _allowed(tx, run, trusted.roster))


def sign(tx: Tx, run_id: str, key: SigningKey) -> api.Run | Refusal | None:
    """Sign a yes to a run that is still due, and return the run after it; None if it is not."""
    run, trusted = runs.get(tx, run_id), roster.current(tx)
    own = _entry(trusted.roster, key.public) if trusted is not None else None
    if run is None or trusted is None or own is None or not _allowed(tx, run, trusted.roster):
        return None
    # By it the domain tells this signature from that of any other automation.
    if settings.get(tx, approving.KEY_SETTING) != key.public.hex():
        settings.put(tx, approving.KEY_SETTING, key.public.hex())
    scope = run.details.scope
    decision = Decision(
        v=1,
        decision_id=tx.ulid(),
        verdict="approve",
        capability=run_actions.capability(run),
        action_hash=run_actions.action_hash(run) or "",
        nodes=run.definition.nodes,
        scope=scope,
        epoch=trusted.roster.epoch(scope),
        not_before=int(tx.now),
        expires_at=int(tx.now) + DECISION_SECONDS,
        uses=1,
        requested_by=run.details.actor.id,
        comment="signed by the coordinator, as the hosts' policy allows",
        roster_version=trusted.roster.version,
    )
    envelope = dsse.sign(dsse.DECISION, decisions.encode(decision), key, own.operator_id)
    actor = Actor(own.operator_id, own.username, own.role)
    return run_decisions.add_decision(tx, actor, run_id, envelope)


def _entry(held: Roster, public: bytes) -> RosterOperator | None:
    own = held.find(ids.operator_id(public))
    return own if own is not None and own.role == "automation" else None


def _allowed(tx: Tx, run: StoredRun, held: Roster) -> bool:
    if run.state.phase != "waiting_approval" or stored.collecting(tx, run.run_id) is not None:
        return False
    asker, scope = held.find(run.details.actor.id), run.details.scope
    if asker is None or asker.role not in _ASKING:
        return False
    return all(
        _lets(group, held, scope) and asker.may(group.capability, scope, group.tags)
        for group in approving.groups(tx, run)
    )


def _lets(group: Group, held: Roster, scope: str) -> bool:
    rule = group.rule(held, scope)
    alone = rule.quorum == 1 and not rule.requester_excluded
    return alone and group.own.signature == "coordinator"
