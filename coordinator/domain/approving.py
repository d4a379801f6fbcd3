"""What approval of a run takes, and how far it has come: rules, signatures, who may still sign.

Counted as the hosts count (`protocol.authority`); a host may ask for more than is known of it here.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from coordinator.domain import node_statements, run_actions
from coordinator.store import presence, settings
from coordinator.store.database import Tx
from coordinator.store.presence import Detail
from coordinator.store.runs import StoredRun
from protocol import authority, decisions, dsse
from protocol.authority import Work
from protocol.decisions import Accepted, Context, Decision
from protocol.limits import MAX_SIGNATURES
from protocol.node_statement import NodeStatement
from protocol.policy import Capability, CapabilityRule, Policy
from protocol.reasons import Reason, Refused
from protocol.roster import DECIDING_ROLES, ApprovalRule, Roster, stricter

# What more signatures put right: anything else is wrong for good.
UNFINISHED = frozenset({Reason.QUORUM_MISSING, Reason.REQUESTER_UNPROVEN, Reason.GRANT_MISSING})
# The setting that holds this installation's own public key, in hex.
KEY_SETTING = "coordinator_key"


class Group(msgspec.Struct, frozen=True):
    """Hosts of a run that are judged alike: one of them, its statement, what its policy asks."""

    node_id: str
    statement: NodeStatement | None
    own: CapabilityRule
    capability: Capability

    @property
    def tags(self) -> Mapping[str, str] | None:
        """The tags that operators signed about these hosts, None if they signed nothing."""
        return self.statement.tags if self.statement is not None else None

    def rule(self, roster: Roster, scope: str) -> ApprovalRule:
        """Return what approval takes on these hosts."""
        asked = ApprovalRule(self.own.quorum, self.own.requester_excluded)
        return stricter(asked, decisions.required(roster, scope, self.capability))

    def work(self, scope: str, coordinator: bytes) -> Work:
        """Return what is to be decided on, as `protocol.authority` asks."""
        automation = coordinator if self.own.signature == "coordinator" else b""
        return Work(self.capability, scope, self.tags, automation)


class Progress(msgspec.Struct, frozen=True):
    """How far the signatures on a decision have come on the hosts that ask for most.

    `counted` are operator ids. `missing` is how many more it takes, besides `requester` if that is
    not "": the one who asked, and has to sign as well. `able` may still sign.
    """

    rule: ApprovalRule
    counted: tuple[str, ...]
    missing: int
    requester: str
    able: tuple[str, ...]


def groups(tx: Tx, run: StoredRun) -> tuple[Group, ...]:
    """Return the hosts of a run, those that are judged alike as one."""
    found: dict[bytes, Group] = {}
    capability = run_actions.capability(run)
    for node in run.definition.nodes:
        statement = node_statements.current(tx, node)
        seen = presence.get(tx, node)
        own = policy_rule(seen.details if seen is not None else {}, capability)
        tags = sorted(statement.tags.items()) if statement is not None else None
        key = msgspec.json.encode((tags, own))
        found.setdefault(key, Group(node, statement, own, capability))
    return tuple(found.values())


def policy_rule(
    details: Mapping[str, Detail], capability: Capability = "state.apply"
) -> CapabilityRule:
    """Return what a host has told of its own policy; what it did not tell is as in no policy."""
    quorum = details.get(f"policy.quorum.{capability}")
    signature = details.get(f"policy.signature.{capability}")
    excluded = details.get(f"policy.requester_excluded.{capability}")
    return CapabilityRule(
        signature="coordinator" if signature == "coordinator" else "operator",
        quorum=min(max(int(quorum), 1), MAX_SIGNATURES) if isinstance(quorum, int) else 1,
        requester_excluded=excluded in {1, "true"},
    )


def coordinator_key(tx: Tx) -> bytes:
    """Return this installation's public key, b"" before the first start."""
    return bytes.fromhex(settings.get(tx, KEY_SETTING) or "")


def judge(
    tx: Tx, run: StoredRun, envelope: dsse.Envelope, roster: Roster, *, rules: bool
) -> Refused | None:
    """Return why a decision does not hold for a run now, as its hosts would say, or None.

    Without `rules` one signature is enough, of somebody who may decide on some of the hosts: that
    is what it takes to begin, or to say no.
    """
    refused: Refused | None = None
    public = coordinator_key(tx)
    for group in groups(tx, run):
        verdict = _judged(tx, run, envelope, roster, group, public, rules=rules)
        if isinstance(verdict, Accepted) or verdict.reason is Reason.VERDICT_DENIED:
            if not rules:
                return None
            continue
        refused = refused or verdict
    return refused


def _judged(
    tx: Tx,
    run: StoredRun,
    envelope: dsse.Envelope,
    roster: Roster,
    group: Group,
    public: bytes,
    *,
    rules: bool,
) -> Accepted | Refused:
    own = group.own
    if not rules:
        own = msgspec.structs.replace(own, quorum=1, requester_excluded=False)
        roster = msgspec.structs.replace(roster, approvals={})
    context = Context(
        node_id=group.node_id,
        scope=run.details.scope,
        roster=roster,
        policy=Policy({group.capability: own}),
        coordinator_id="",
        coordinator_key=public,
        used={},
        epochs={},
        now=tx.now,
        statement=group.statement,
    )
    action = run_actions.action(run) or b""
    return decisions.judge(envelope, group.capability, action, context)


def progress(
    tx: Tx,
    run: StoredRun,
    roster: Roster,
    envelope: dsse.Envelope | None,
    decision: Decision | None,
) -> Progress:
    """Return how far a run's approval has come; nothing is signed yet if there is no envelope."""
    public = coordinator_key(tx)
    found = [_progress(run, roster, envelope, decision, g, public) for g in groups(tx, run)]
    return max(found, key=lambda one: one.missing + bool(one.requester))


def _progress(
    run: StoredRun,
    roster: Roster,
    envelope: dsse.Envelope | None,
    decision: Decision | None,
    group: Group,
    public: bytes,
) -> Progress:
    rule, work = group.rule(roster, run.details.scope), group.work(run.details.scope, public)
    held = authority.holders(envelope, roster) if envelope is not None else ()
    held = () if isinstance(held, Refused) else held
    counted = authority.deciders(held, roster, work) if held else ()
    counted = () if isinstance(counted, Refused) else counted
    asked = decision.requested_by if decision is not None else ""
    requester = authority.find_id(roster, asked) if rule.requester_excluded else None
    if rule.requester_excluded:
        counted = tuple(one for one in counted if one != requester)
    if rule.quorum > 1:
        counted = tuple(one for one in counted if one in roster.keys(DECIDING_ROLES))
    able = tuple(
        one.operator_id
        for one in roster.operators
        if one.operator_id not in held
        and one.role in DECIDING_ROLES
        and one.may(work.capability, work.scope, work.tags)
    )
    unproven = requester if requester is not None and requester not in held else ""
    return Progress(rule, counted, max(0, rule.quorum - len(counted)), unproven, able)
