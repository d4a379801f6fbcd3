"""Why a host is as it is: refusals, faults and standing problems, each with what helps.

One list for a person, newest first. What a code means stands in `protocol.reasons`.
"""

from __future__ import annotations

import msgspec

from coordinator.domain import agents
from coordinator.domain.refusals import Refusal
from coordinator.domain.run_views import rfc3339
from coordinator.store import events, journals, presence
from coordinator.store.database import Tx
from coordinator.store.events import Event
from protocol import api, api_why
from protocol.errors import DecodeError
from protocol.messages import Finished, RefusedStep, decode_body
from protocol.reasons import EXPLAIN, Explanation, Reason

# Lines of each source: what a person reads on one screen, twice.
MAX_LINES = 50

# Events that a person who asks "why" wants to see, and what to say about each.
_EVENTS: dict[str, Explanation] = {
    "agent.journal_forked": Explanation(
        "the host now tells another story than the one it has signed before",
        "look whether the host was restored from a backup or its key was copied",
    ),
    "agent.journal_gap": Explanation(
        "the host's reports do not continue the ones stored: some were lost",
        "look whether this coordinator or the host was restored from a backup",
    ),
    "agent.journal_signature": Explanation(
        "a report came that the host's key did not sign", "look at who can reach the coordinator"
    ),
    "agent.journal_unapproved": Explanation(
        "the host waits for approval and has more to report than a stranger may",
        "standfast agents approve NODE --name NAME",
    ),
    "agent.artifact_missing": Explanation(
        "the host named a result that it never sent", "upgrade or reinstall the agent"
    ),
    "agent.artifact_dropped": Explanation(
        "a result document was not kept: damaged, or no room for it",
        "make room in the coordinator's data directory",
    ),
    "agent.report_rejected": Explanation(
        "the host reported on something that is not its own", "standfast runs list"
    ),
    "agent.report_unreadable": Explanation(
        "the host reported something that this coordinator does not understand",
        "upgrade the coordinator",
    ),
    "agent.cloned": Explanation(
        "several hold the host's key, as after a copied disk or a theft; none of them gets work",
        "standfast clones list NODE",
    ),
    "agent.clone_chosen": Explanation(
        "an operator chose which of several is the host", "standfast clones list NODE"
    ),
    "agent.rejected": Explanation(
        "an operator rejected the host", "standfast agents approve NODE --name NAME"
    ),
    "drift.detected": Explanation(
        "the host no longer is as it was last applied", "standfast state plan NODE"
    ),
    "step.failed": Explanation("work on the host failed", "standfast runs show RUN"),
    "step.interrupted": Explanation(
        "the host was cut short while it worked; it does not silently run that again",
        "standfast state plan NODE",
    ),
    "step.expired": Explanation(
        "the host did not begin in time", "look whether the host is connected, then try again"
    ),
}
# What hosts say by themselves, with more to say about it than that.
_OWN: dict[str, Explanation] = {
    "host.roster.recovered": Explanation(
        "recovery keys changed who may sign: critical, if that was not agreed on",
        "standfast roster verify",
    ),
    "host.coordinator.key_rotated": Explanation(
        "the coordinator has a new key, which the old one named; the host follows it",
        "standfast-coordinator show-key, on the coordinator, if nobody did that",
    ),
    "host.break_glass.begun": Explanation(
        "root of the host began to change it without anybody's approval", "standfast why NODE"
    ),
    "host.break_glass.finished": Explanation(
        "root of the host changed it without anybody's approval",
        "standfast state plan NODE --module MODULE, to see what is to become of it",
    ),
    "host.drift.fight": Explanation(
        "the host repaired this again and again, and somebody there changes it back",
        "end the other program's rule over it, or take `on_drift: repair` away; then apply again",
    ),
    "host.drift.repaired": Explanation(
        "the host put drift right by itself, as its signed module says",
        "standfast state query NODE",
    ),
    "host.drift.repair_failed": Explanation(
        "the host could not put drift right by itself", "standfast state plan NODE"
    ),
}
_UNKNOWN = Explanation("the host says so itself", "standfast agents show NODE")


class _Line(msgspec.Struct, frozen=True):
    at: float
    line: api_why.WhyLine


def why(tx: Tx, node_id: str) -> api_why.Why | Refusal:
    """Return what there is to say about a host, newest first."""
    agent = agents.get(tx, node_id)
    if isinstance(agent, Refusal):
        return agent
    lines = [*_standing(tx, agent), *_refusals(tx, node_id), *_from_events(tx, node_id)]
    lines.sort(key=lambda item: item.at, reverse=True)
    name = agent.name or node_id
    return api_why.Why(node_id, agent.name, tuple(_named(item.line, name) for item in lines))


def _named(line: api_why.WhyLine, name: str) -> api_why.WhyLine:
    return msgspec.structs.replace(line, next=line.next.replace("NODE", name))


def _standing(tx: Tx, agent: api.Agent) -> list[_Line]:
    found: list[_Line] = []
    seen = presence.get(tx, agent.node_id)
    if agent.cloned:
        text = "several hold the host's key, and nobody has chosen"
        found.append(_line(tx.now, "agent.cloned", _EVENTS["agent.cloned"], text, "critical"))
    elif agent.status != "approved":
        known = EXPLAIN[Reason.NOT_APPROVED]
        text = f"the host is {agent.status}, fingerprint {agent.fingerprint}"
        found.append(_line(tx.now, Reason.NOT_APPROVED, known, text, "warning"))
    if seen is None or not seen.connected:
        at = seen.last_seen_at if seen is not None else tx.now
        known = Explanation(
            "the host has no link to this coordinator; it goes on with what was approved",
            "systemctl status standfast-agent, on the host",
        )
        text = f"last seen {rfc3339(at)}" if seen is not None else "never seen"
        found.append(_line(at, "not_connected", known, text, "warning"))
    for problem in seen.problems if seen is not None else ():
        known = _explain(problem.split(":")[0], _UNKNOWN)
        at = seen.last_seen_at if seen is not None else tx.now
        found.append(_line(at, "problem", known, problem, "warning"))
    return found


def _refusals(tx: Tx, node_id: str) -> list[_Line]:
    found: list[_Line] = []
    for entry in journals.latest(tx, node_id, ("refused", "finished"), MAX_LINES):
        try:
            body = decode_body(entry)
        except DecodeError:
            continue
        if isinstance(body, RefusedStep):
            known = _explain(body.reason, _UNKNOWN)
            line = _line(entry.at, body.reason, known, body.detail, "warning", body.run_id)
            found.append(line)
        elif isinstance(body, Finished) and body.reason and body.outcome == "succeeded":
            # Any other outcome has an event of its own, which carries the reason.
            known = _explain(body.reason, _UNKNOWN)
            line = _line(entry.at, body.reason, known, body.message, "warning", body.run_id)
            found.append(line)
    return found


def _from_events(tx: Tx, node_id: str) -> list[_Line]:
    told = events.latest(tx, limit=MAX_LINES, target=node_id, kinds=tuple(_EVENTS))
    own = events.latest(tx, limit=MAX_LINES, target=node_id, prefix="host.")
    return [_of_event(event) for event in (*told, *own)]


def _of_event(event: Event) -> _Line:
    reason, run_id = event.data.get("reason"), event.data.get("run_id")
    known = _EVENTS.get(event.type) or _OWN.get(event.type, _UNKNOWN)
    if isinstance(reason, str):
        known = _explain(reason, known)
    return _line(
        event.at,
        reason if isinstance(reason, str) else event.type,
        known,
        event.summary,
        event.severity,
        run_id if isinstance(run_id, str) else None,
    )


def _explain(code: str, otherwise: Explanation) -> Explanation:
    return EXPLAIN[Reason(code)] if code in set(Reason) else otherwise


def _line(
    at: float,
    code: str,
    known: Explanation,
    detail: str,
    severity: str,
    run_id: str | None = None,
) -> _Line:
    following = known.next.replace("RUN", run_id) if run_id is not None else known.next
    shown = api_why.WhyLine(rfc3339(at), code, known.meaning, detail, following, severity, run_id)
    return _Line(at, shown)
