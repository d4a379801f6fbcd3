"""Judges each execution against what operators really signed, with code of its own.

The judge knows what the operators of the run did; it never asks the agent what it believes.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from agent.work import Circumstances, Done, Engine, Hooks
from protocol import decisions, dsse, ids
from protocol.decisions import Decision
from protocol.limits import CLOCK_SKEW_SECONDS
from protocol.messages import Offer
from protocol.reasons import Refused
from protocol.roster import DECIDING_ROLES, Roster
from state_engine.engine.progress import Resume
from state_engine.ports import Ports
from tests.simulation.trace import Trace

if TYPE_CHECKING:
    from tests.simulation.hosts import SimHost


class Signed(msgspec.Struct, frozen=True):
    """A decision that operators really made: its bytes, and by host what each item digest is."""

    decision: Decision
    payload: bytes
    items: dict[str, dict[str, str]]


class Execution(msgspec.Struct, frozen=True):
    """A machine began to carry out a step of a run."""

    machine: str
    node_id: str
    run_id: str
    decision_id: str


class Oracle:
    """What was signed, and what was done."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self.rosters: list[Roster] = []
        self.signed: dict[str, Signed] = {}
        self.executions: list[Execution] = []
        # Scripts by machine, approval and name: files may be written again, those may not.
        self.scripts: Counter[tuple[str, str, str]] = Counter()
        self.acts = 0

    def sign(self, envelope: dsse.Envelope, items: dict[str, dict[str, str]]) -> None:
        """Note that operators signed this."""
        decision = decisions.decode(envelope)
        if isinstance(decision, Decision):
            self.signed[decision.decision_id] = Signed(decision, envelope.content(), items)

    def acted(self, host: SimHost, what: str) -> None:
        """Judge one change of a host: a path that is written, or a script that runs."""
        self.acts += 1
        offer = host.doing
        if offer is None:
            self._trace.violation("I1", f"{host.name} changed {what} outside any step")
            return
        signed = self.licence(host, offer)
        if isinstance(signed, str):
            self._trace.violation("I1", f"{host.name} changed {what} in {offer.run_id}: {signed}")
            return
        decision = signed.decision
        allowed = {signed.items[host.node_id].get(digest) for digest in offer.approved}
        if what not in allowed:
            self._trace.violation("I1", f"{host.name} changed {what}, which nobody approved")
        self._trace.note("act", host.name, offer.run_id, what)
        if not what.startswith("/"):
            key = (host.name, decision.decision_id, what)
            self.scripts[key] += 1
            if self.scripts[key] > 1:
                self._trace.violation("I2", f"{host.name} ran {what} again under one approval")

    def licence(self, host: SimHost, offer: Offer) -> Signed | str:
        """Return what operators signed for what a host does, or why they did not."""
        found = None if offer.decision is None else decisions.decode(offer.decision)
        if offer.decision is None or found is None or isinstance(found, Refused):
            return "there is no decision"
        signed = self.signed.get(found.decision_id)
        if signed is None or signed.payload != offer.decision.content():
            return f"decision {found.decision_id} was never made"
        if signed.decision.verdict != "approve" or host.node_id not in signed.items:
            return f"decision {found.decision_id} says no, or speaks of others"
        quorum, keys = self._quorum(host)
        count = len(set(dsse.signers(offer.decision, keys)))
        if count < quorum:
            return f"{count} valid signatures, {quorum} are needed"
        if set(offer.approved) != set(signed.items[host.node_id]):
            return "other items than those that were signed for this host"
        return signed

    def _quorum(self, host: SimHost) -> tuple[int, dict[str, bytes]]:
        held = host.held_roster()
        if held is None or held not in self.rosters:
            return 1_000, {}
        rule = decisions.required(held, ids.DEFAULT_SCOPE, "state.apply")
        return max(rule.quorum, host.quorum), held.keys(DECIDING_ROLES)

    def began(self, host: SimHost, offer: Offer) -> None:
        """Note that a host begins an apply, or goes on with one; judge whether it may now."""
        decision = None if offer.decision is None else decisions.decode(offer.decision)
        if not isinstance(decision, Decision):
            self._trace.violation("I1", f"{host.name} applies without a decision")
            return
        signed = self.licence(host, offer)
        if isinstance(signed, str):
            self._trace.violation("I1", f"{host.name} began {offer.run_id}: {signed}")
        now = host.clock()
        if now >= decision.expires_at:
            late = now - decision.expires_at
            self._trace.violation("I3", f"{host.name} began {offer.run_id} {late:.1f} s late")
        if host.latest + CLOCK_SKEW_SECONDS + 1.0 < decision.not_before:
            self._trace.violation("I3", f"{host.name} began {offer.run_id} before its time")
        made = Execution(host.name, host.node_id, offer.run_id, decision.decision_id)
        if made in self.executions:
            # Taken up again after a crash: what may not run twice is counted where it runs.
            return
        other = [
            one.run_id
            for one in self.executions
            if one.machine == host.name and one.decision_id == decision.decision_id
        ]
        if other:
            text = f"{host.name} acts on {decision.decision_id} in {other[0]} and {offer.run_id}"
            self._trace.violation("I2", text)
        self.executions.append(made)
        self._trace.note("begin", host.name, offer.run_id)


class WatchedEngine(Engine):
    """The state engine of a host, on its ports in memory, under the eyes of the judge."""

    def watch(self, host: SimHost, oracle: Oracle) -> None:
        """Say whose engine it is; before its first use."""
        self._host, self._oracle = host, oracle

    @property
    def ports(self) -> Ports:
        """The host in memory."""
        return self._host.ports

    def apply(
        self, offer: Offer, around: Circumstances, hooks: Hooks, resume: Resume
    ) -> Done | Refused:
        """Apply, and be judged."""
        host, oracle = self._host, self._oracle
        over = hooks.cancelled()

        def begin() -> None:
            hooks.begin()
            if not over:
                oracle.began(host, offer)

        host.doing = offer
        try:
            return super().apply(offer, around, msgspec.structs.replace(hooks, begin=begin), resume)
        finally:
            host.doing = None
