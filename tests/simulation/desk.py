"""The operators of a run: they make rosters, modules and decisions, and believe no coordinator.

Sleeps here are virtual: a run is under trio's MockClock.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Literal

import msgspec
import trio

from coordinator.domain import (
    agents,
    clones,
    modules,
    revocations,
    roster,
    run_decisions,
    runs,
    tags,
)
from coordinator.domain import enrolment_keys as keys
from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal
from coordinator.store.database import Tx
from protocol import api, api_clones, decisions, dsse, ids, reports
from protocol import revocations as taken_back
from protocol.decisions import Decision
from protocol.reports import PlanResult
from protocol.roster import ApprovalRule, Roster
from protocol.run_table import RUN_FINAL
from tests.fakes import people
from tests.simulation.centre import CONFIG, Centre
from tests.simulation.chance import Chance, happens
from tests.simulation.hosts import EPOCH
from tests.simulation.oracle import Oracle
from tests.simulation.trace import Trace

Mood = Literal["yes", "no", "hurried", "late", "cancel", "revoke", "forget", "alone"]
ADMIN, FIRST, SECOND, VIEWER = 1, 2, 3, 4
BY = Actor(people.keyid(ADMIN), "person1", "admin")
# A client asks again this often, and gives up after so many times.
POLL, POLLS = 2.0, 60
NAMES = ("site", "base", "extra")


def module_text(name: str, luck: Random) -> str:
    """Return a module with some files and perhaps a script, other each time."""
    lines = [f"name: {name}", "supports:", "  - platform: linux", "resources:"]
    for number in range(4):
        if luck.random() < 0.6:
            lines += ["  - resource:", "      file-unix:"]
            lines += [f"        path: /srv/{name}-{number}", f"        content: v{luck.random()}"]
    if luck.random() < 0.6 or lines[-1] == "resources:":
        value = luck.randrange(1_000_000)
        lines += [f"  - id: {name}-script", "    resource:", "      script:", "        program: sh"]
        lines += [f"        check: ask {name}-script {value}"]
        lines += [f"        apply: bring {name}-script {value}"]
    return "\n".join(lines) + "\n"


class Desk:
    """Four people: an admin, two operators, and a viewer whose signature counts for nothing."""

    def __init__(self, chance: Chance, trace: Trace, centre: Centre, oracle: Oracle) -> None:
        self._trace, self._centre, self._oracle = trace, centre, oracle
        self.luck = chance.stream("desk")
        self.entropy = chance.stream("desk entropy").randbytes
        self.quorum = self.luck.choice((1, 1, 1, 2))
        self.most = self.quorum

    def now(self) -> int:
        """Return the operators' time, which is right."""
        return int(EPOCH + trio.current_time())

    def begin(self, tx: Tx) -> None:
        """Fill an empty coordinator: the first roster and one module."""
        viewer = people.person(VIEWER, "viewer")
        staff = (
            people.person(ADMIN),
            people.person(FIRST, "operator"),
            people.person(SECOND, "operator"),
            viewer,
        )
        approvals = {"*": ApprovalRule(quorum=self.quorum)} if self.quorum > 1 else {}
        first = Roster(1, 1, staff, 1, "", int(EPOCH), approvals=approvals)
        envelope = people.sign_roster(first, ADMIN)
        started = roster.start_with(tx, (envelope,))
        assert not isinstance(started, Refusal), started
        self._oracle.rosters.append(first)
        for name in NAMES:
            self._upload(tx, name)

    def upload(self) -> None:
        """Upload another version of a module, signed by an operator."""
        name = self.luck.choice(NAMES)
        self._centre.call(lambda tx: self._upload(tx, name))

    def _upload(self, tx: Tx, name: str) -> None:
        text = module_text(name, self.luck)
        envelope = people.sign(dsse.MODULE, text.encode(), self.luck.choice((FIRST, SECOND)))
        found = modules.examine(tx, api.UploadModuleRequest(name, text, envelope))
        assert isinstance(found, modules.Examined), found
        modules.store(tx, BY, found)
        self._trace.note("upload", name)

    def renew_roster(self) -> None:
        """Put another version of the roster in force, with a higher epoch now and then."""
        there = self._centre.call(roster.current)
        if there is None:
            return
        held = there.roster
        epochs = dict(held.epochs)
        if self.luck.random() < 0.5:
            epochs[ids.DEFAULT_SCOPE] = held.epoch(ids.DEFAULT_SCOPE) + 1
        version = msgspec.structs.replace(
            held,
            version=held.version + 1,
            previous=there.digest,
            issued_at=self.now(),
            epochs=epochs,
        )
        envelope = people.sign_roster(version, ADMIN)
        # From the signature on it is a true one, whatever becomes of the answer.
        self._oracle.rosters.append(version)
        self._centre.call(lambda tx: roster.accept(tx, BY, envelope))
        self._trace.note("roster", version.version, version.epoch(ids.DEFAULT_SCOPE))

    def enrolment_key(self, *, approve: bool) -> str | None:
        """Make a key for one host; None if it cannot be made now."""
        issuer = keys.Issuer(CONFIG.advertised_urls, self._centre.identity.public, "")
        request = api.CreateEnrolmentKeyRequest(auto_approve=approve, tags={"role": "web"})
        made = self._centre.call(lambda tx: keys.create(tx, BY, keys.CLUSTER, request, issuer))
        return None if made is None or isinstance(made, Refusal) else made.key

    def approve(self, names: dict[str, str]) -> None:
        """Approve every host that waits, under the name of its machine."""
        waiting = self._centre.call(lambda tx: agents.listing(tx, "pending"))
        for agent in () if waiting is None or isinstance(waiting, Refusal) else waiting:
            if agent.cloned:
                continue
            request = api.StatusChangeRequest("approved", names[agent.node_id])
            self._centre.call(
                lambda tx, node=agent.node_id, asked=request: agents.decide(
                    tx, BY, node, asked, None
                )
            )
            self._trace.note("approve", names[agent.node_id])

    def tag(self, node_id: str, value: str) -> None:
        """Set a tag of a host."""
        self._centre.call(lambda tx: tags.put(tx, BY, node_id, "mark", value, None))
        self._trace.note("tag", node_id)

    def resolve_clones(self, addresses: dict[str, str]) -> None:
        """Choose, for each key that several hold, the holder at the host's true address."""
        found = self._centre.call(clones.listing)
        for one in found or ():
            for holder in one.holders:
                if holder.address == addresses[one.node_id]:
                    request = api_clones.KeepRequest(holder.holder_id)
                    self._centre.call(
                        lambda tx, node=one.node_id, asked=request: clones.keep(tx, BY, node, asked)
                    )
                    self._trace.note("chosen", one.node_id, holder.address)

    def run(self, run_id: str) -> api.Run | None:
        """Show a run; None if it cannot be seen now."""
        found = self._centre.call(lambda tx: runs.get_run(tx, run_id))
        return None if found is None or isinstance(found, Refusal) else found

    def start(self, request: api.RunRequest) -> str | None:
        """Start a run; None if it was refused or cannot be started now."""
        made = self._centre.call(lambda tx: runs.create_run(tx, BY, request))
        if made is None or isinstance(made, Refusal):
            self._trace.note("no run", "" if made is None else made.message)
            return None
        self._trace.note("run", made.run_id, request.step)
        return made.run_id

    async def change(self, nodes: Sequence[str], mood: Mood) -> api.Run | None:
        """Apply all modules on some hosts, as a person in this mood does; return where it ended."""
        names = NAMES[: self.luck.randint(1, len(NAMES))] if mood != "yes" else NAMES
        request = api.RunRequest("state.apply", tuple(nodes), modules=names, removal_limit=100)
        run_id = self.start(request)
        if run_id is None:
            return None
        run = await self.wait(run_id, {"planning"})
        if run is None or run.phase != "waiting_approval" or mood == "forget":
            return run
        made = self._decide(run, mood)
        if made is None:
            return run
        envelope, decision = made
        await self._submit(run_id, mood, envelope, decision)
        return await self.wait(run_id, {"planning", "queued", "running"})

    async def _submit(
        self, run_id: str, mood: Mood, envelope: dsse.Envelope, decision: Decision
    ) -> None:
        if mood == "late":
            await trio.sleep(self.luck.uniform(10.0, 200.0))
        if mood == "cancel" and happens(self.luck, 0.5):
            await trio.sleep(self.luck.uniform(0.0, 2.0))
            self._centre.call(lambda tx: runs.cancel(tx, BY, run_id))
        taken = self._centre.call(lambda tx: run_decisions.add_decision(tx, BY, run_id, envelope))
        said = taken.message if isinstance(taken, Refusal) else ""
        self._trace.note("decide", run_id, mood, said)
        if mood == "cancel":
            await trio.sleep(self.luck.uniform(0.0, 1.0))
            self._centre.call(lambda tx: runs.cancel(tx, BY, run_id))
        if mood == "revoke":
            await trio.sleep(self.luck.uniform(0.0, 2.0))
            self._revoke(decision)

    async def wait(self, run_id: str, phases: set[str], polls: int = POLLS) -> api.Run | None:
        """Return a run once it is in none of these phases, or when patience is over."""
        found: api.Run | None = None
        for _ in range(polls):
            found = self.run(run_id) or found
            if found is not None and found.phase not in phases:
                break
            await trio.sleep(POLL)
        return found

    def _decide(self, run: api.Run, mood: Mood) -> tuple[dsse.Envelope, Decision] | None:
        """Sign what the plans say, not what the coordinator says of them."""
        planned = self.run(run.plan_run_id or "")
        if planned is None:
            return None
        plans = {
            step.node_id: msgspec.convert(step.result, PlanResult)
            for step in planned.steps
            if step.result is not None
        }
        nodes = tuple(step.node_id for step in run.steps)
        if not set(nodes) <= set(plans):
            return None
        digests = {node: reports.plan_digest(plans[node].resources) for node in nodes}
        root, _ = decisions.plan_tree(digests)
        action = decisions.canonical_hash(decisions.apply_action(root, run.removal_limit))
        if action != run.action_hash:
            self._trace.violation("I1", f"{run.run_id} asks for another action than it plans")
            return None
        now = self.now()
        decision = Decision(
            v=1,
            decision_id=ids.ulid(now, self.entropy(10)),
            verdict="deny" if mood == "no" else "approve",
            capability="state.apply",
            action_hash=action,
            nodes=nodes,
            scope=run.scope,
            epoch=self._oracle.rosters[-1].epoch(run.scope),
            not_before=now,
            expires_at=now + (self.luck.randint(5, 40) if mood == "hurried" else 3_600),
            uses=1,
            requested_by=people.keyid(ADMIN),
        )
        signers = [ADMIN] if mood == "alone" else [FIRST, SECOND][: max(self.quorum, self.most)]
        if mood == "alone" and self.luck.random() < 0.5:
            signers.append(VIEWER)
        envelope = people.sign(dsse.DECISION, decisions.encode(decision), *signers)
        items = {
            node: {item.digest: item.identity for item in plans[node].resources if item.digest}
            for node in nodes
        }
        self._oracle.sign(envelope, items)
        return envelope, decision

    def _revoke(self, decision: Decision) -> None:
        revocation = taken_back.Revocation(
            1, decision.decision_id, decision.scope, self.now(), "", decision.expires_at
        )
        envelope = people.sign(dsse.REVOCATION, taken_back.encode(revocation), ADMIN)
        self._centre.call(lambda tx: revocations.revoke(tx, BY, decision.decision_id, envelope))
        self._trace.note("revoke", decision.decision_id)

    def withdraw_all(self) -> None:
        """Cancel every run that is not over."""
        found = self._centre.call(lambda tx: runs.list_runs(tx, limit=500))
        for run in found[0] if found is not None else ():
            if run.phase not in RUN_FINAL:
                self._centre.call(lambda tx, name=run.run_id: runs.cancel(tx, BY, name))
