"""Every trace of a small world, breadth first: a hostile coordinator makes nothing unapproved run.

Two hosts, two operators and a coordinator that holds every message ever signed, shows each to each
host as often as it likes, in any order or never, and adds what it can make itself. Time passes,
clocks of hosts are set back, hosts die between taking a decision on and acting. What judges is the
real code: `decisions.judge` over the real `ledger` in SQLite, `roster.verify_next`,
`revocations.verify`. Whether an execution was right is decided from what the operators did.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import msgspec
import pytest

from agent import ledger
from agent.database import SCHEMA
from protocol import decisions, dsse, ids, reports, revocations
from protocol import roster as rosters
from protocol.decisions import Accepted, Context, Decision
from protocol.policy import Capability, Policy
from protocol.reasons import Refused
from protocol.revocations import Revocation
from protocol.roster import ApprovalRule, Roster, TrustedRoster
from tests.fakes.people import first_roster, key, keyid, person, sign, sign_roster, trusted

# One tick is longer than clocks may differ; the last one is after every decision's end.
START, TICK, LAST = 1_000_000, 1_000, 3
HOSTS = tuple(ids.node_id(key(100 + n).public) for n in range(2))
SCOPE = ids.DEFAULT_SCOPE
ADA, BOB, COORDINATOR = 1, 2, 9
APPLY, OTHER = decisions.apply_action("ab" * 32, 0), decisions.apply_action("cd" * 32, 0)

V1 = msgspec.structs.replace(
    first_roster(person(ADA), person(BOB, "operator"), person(COORDINATOR, "automation")),
    approvals={"*": ApprovalRule(2, capabilities=("state.apply",))},
    issued_at=START,
)
# Ada draws a line under older decisions.
V2 = msgspec.structs.replace(
    V1,
    version=2,
    previous=reports.content_digest(rosters.encode(V1)),
    epochs={SCOPE: 1},
    issued_at=START + TICK,
)
ROSTERS: tuple[TrustedRoster, ...] = (trusted(V1), trusted(V2))


def decision(number: int, **changes: object) -> Decision:
    fields: dict[str, object] = {
        "v": 1,
        "decision_id": ids.ulid(1.0, number.to_bytes(10, "big")),
        "verdict": "approve",
        "capability": "state.apply",
        "action_hash": decisions.canonical_hash(APPLY),
        "nodes": (HOSTS[0],),
        "scope": SCOPE,
        "epoch": 0,
        "not_before": START,
        "expires_at": START + 2 * TICK,
        "uses": 1,
        "requested_by": keyid(ADA),
    }
    return Decision(**(fields | changes))  # type: ignore[arg-type]  # each has its type


# What both must sign, for one host · what one alone decides, twice on each host · one of tomorrow,
# under the new roster.
BOTH = decision(1)
ALONE = decision(2, capability="command.run", nodes=HOSTS, uses=2, expires_at=START + 3 * TICK)
LATER = decision(
    3, nodes=HOSTS, epoch=1, roster_version=2, not_before=START + TICK, expires_at=START + 3 * TICK
)
BACK = Revocation(1, ALONE.decision_id, SCOPE, START, "", ALONE.expires_at)

# What the operators may do, each once, in any order.
EVENTS = ("ada both", "bob both", "ada alone", "new roster", "both later", "bob back")
DECISIONS = {d.decision_id: d for d in (BOTH, ALONE, LATER)}
# By which events a decision is approved.
APPROVED = {
    BOTH.decision_id: frozenset({"ada both", "bob both"}),
    ALONE.decision_id: frozenset({"ada alone"}),
    LATER.decision_id: frozenset({"both later"}),
}


class Message(NamedTuple):
    """What can be shown to a host, and the events after which the coordinator has it."""

    name: str
    needs: frozenset[str]
    envelope: dsse.Envelope | None
    action: bytes = APPLY
    capability: Capability = "state.apply"


def moved(envelope: dsse.Envelope, value: Decision) -> dsse.Envelope:
    """The signatures of one decision under another's bytes."""
    forged = sign(dsse.DECISION, decisions.encode(value))
    return msgspec.structs.replace(forged, signatures=envelope.signatures)


def messages() -> Iterator[Message]:
    """Everything that a coordinator with every key of its own can show."""
    payload = decisions.encode(BOTH)
    ada, bob = frozenset({"ada both"}), frozenset({"bob both"})
    whole = sign(dsse.DECISION, payload, ADA, BOB)
    yield Message("both", ada | bob, whole)
    yield Message("both, ada twice", ada, sign(dsse.DECISION, payload, ADA, ADA))
    yield Message("both, with its own", ada, sign(dsse.DECISION, payload, ADA, COORDINATOR))
    yield Message("both, bob only", bob, sign(dsse.DECISION, payload, BOB))
    yield Message("both, other action", ada | bob, whole, OTHER)
    yield Message("both, re-targeted", ada | bob, moved(whole, decision(1, nodes=HOSTS)))
    yield Message("both, longer", ada | bob, moved(whole, decision(1, expires_at=START + 9_999)))
    yield Message("both, new nonce", ada | bob, moved(whole, decision(7)))
    yield Message("both, relabelled", ada | bob, msgspec.structs.replace(whole, payload_type="x"))
    alone = sign(dsse.DECISION, decisions.encode(ALONE), ADA)
    needs = frozenset({"ada alone"})
    yield Message("alone", needs, alone, capability="command.run")
    yield Message("alone, as apply", needs, alone)
    yield Message("alone and bob's", needs | bob, moved(whole, ALONE), capability="command.run")
    later = sign(dsse.DECISION, decisions.encode(LATER), ADA, BOB)
    yield Message("later", frozenset({"both later"}), later)
    nobody: frozenset[str] = frozenset()
    yield Message("nothing", nobody, None)
    yield Message("unsigned", nobody, sign(dsse.DECISION, payload))
    own = dsse.sign(dsse.DECISION, payload, key(COORDINATOR), keyid(ADA))
    yield Message("its own, as ada", nobody, own)
    yield Message("its own", nobody, sign(dsse.DECISION, payload, COORDINATOR))
    yield Message("roster", frozenset({"new roster"}), sign_roster(V2, ADA))
    forged = msgspec.structs.replace(V2, operators=(person(COORDINATOR),))
    yield Message("roster, its own", nobody, sign_roster(forged, COORDINATOR))
    yield Message("roster, bob's", nobody, sign_roster(forged, BOB))
    text = revocations.encode(BACK)
    yield Message("back", frozenset({"bob back"}), sign(dsse.REVOCATION, text, BOB))
    yield Message("back, its own", nobody, sign(dsse.REVOCATION, text, COORDINATOR))


MESSAGES = tuple(messages())


class Host(NamedTuple):
    """One host's disk, the number of its roster, and whether its clock was set back."""

    roster: int = 0
    back: bool = False
    used: tuple[tuple[str, int, int], ...] = ()
    revoked: tuple[tuple[str, int], ...] = ()
    epochs: tuple[tuple[str, int], ...] = ()
    signed_time: int = 0


class World(NamedTuple):
    """Everything at one moment; `done` counts executions by host and decision."""

    events: frozenset[str] = frozenset()
    time: int = 0
    hosts: tuple[Host, Host] = (Host(), Host())
    done: tuple[tuple[int, str, int], ...] = ()


@cache
def _open() -> sqlite3.Connection:
    tx = sqlite3.connect(":memory:", isolation_level=None)
    for statement in SCHEMA:
        tx.execute(statement)
    return tx


def _load(host: Host) -> sqlite3.Connection:
    tx = _open()
    rows = {"used": host.used, "revoked": host.revoked, "epochs": host.epochs}
    for table, values in rows.items():
        tx.execute(f"DELETE FROM {table}")  # noqa: S608 - one of the names above
        for row in values:
            marks = ",".join("?" * len(row))
            tx.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 - as above
    tx.execute("DELETE FROM meta")
    tx.execute("INSERT INTO meta VALUES ('signed_time', ?)", (host.signed_time,))
    return tx


def _save(host: Host, tx: sqlite3.Connection) -> Host:
    def rows(table: str) -> tuple[tuple[object, ...], ...]:
        query = f"SELECT * FROM {table} ORDER BY 1"  # noqa: S608 - one of the names below
        return tuple(tx.execute(query).fetchall())

    return host._replace(
        used=rows("used"),  # type: ignore[arg-type]  # the tables' own columns
        revoked=rows("revoked"),  # type: ignore[arg-type]  # as above
        epochs=rows("epochs"),  # type: ignore[arg-type]  # as above
        signed_time=ledger.latest_signed_time(tx),
    )


class Broken(NamedTuple):
    """A host with a fault: what it forgets, or does not look at."""

    memory: bool = False
    clock: bool = False
    target: bool = False


def show(
    number: int, host: Host, time: int, message: Message, broken: Broken
) -> tuple[Host, str | None]:
    """Show a message to a host; return its disk afterwards and the decision it will act on."""
    now = float(START + (0 if host.back else time * TICK))
    tx = _load(host)
    envelope = message.envelope
    if envelope is not None and envelope.payload_type == dsse.ROSTER:
        found = rosters.verify_next(ROSTERS[host.roster], envelope)
        if isinstance(found, Refused) or found.roster.version == host.roster + 1:
            return host, None
        assert found.roster == V2
        ledger.raise_signed_time(tx, found.roster.issued_at, now)
        for scope, epoch in found.roster.epochs.items():
            ledger.raise_epoch(tx, scope, epoch)
        return _save(host, tx)._replace(roster=1), None
    roster: Roster = ROSTERS[host.roster].roster
    if envelope is not None and envelope.payload_type == dsse.REVOCATION:
        taken = revocations.verify(envelope, roster)
        if not isinstance(taken, Refused):
            ledger.revoke(tx, taken, now)
        return _save(host, tx), None
    decoded = None if envelope is None else decisions.decode(envelope)
    name = decoded.decision_id if isinstance(decoded, Decision) else ""
    action, itself = message.action, HOSTS[number]
    if broken.target and isinstance(decoded, Decision):
        action, itself = APPLY, decoded.nodes[0]
    context = Context(
        itself,
        SCOPE,
        roster,
        Policy(),
        keyid(COORDINATOR),
        key(COORDINATOR).public,
        {name: ledger.uses(tx, name)},
        ledger.epochs(tx),
        START + 1.0 if broken.clock else max(now, ledger.latest_signed_time(tx)),
        revoked=frozenset({name}) if ledger.is_revoked(tx, name) else frozenset(),
    )
    verdict = decisions.judge(envelope, message.capability, action, context)
    if not isinstance(verdict, Accepted):
        return host, None
    if not broken.memory:
        ledger.consume(tx, verdict.decision, now)
    return _save(host, tx), name


def wrong(world: World, number: int, message: Message, name: str) -> str | None:
    """Return what is wrong with an execution, judged from what the operators did, not the host."""
    host, asked = world.hosts[number], DECISIONS.get(name)
    if asked is None or not APPROVED[name] <= world.events:
        return f"nobody approved {message.name}"
    if HOSTS[number] not in asked.nodes or asked.capability != message.capability:
        return f"{message.name} was approved for something else"
    if decisions.canonical_hash(message.action) != asked.action_hash:
        return f"{message.name} is another action"
    if not host.back and START + world.time * TICK >= asked.expires_at:
        return f"{message.name} has expired"
    if host.signed_time >= asked.expires_at:
        return f"{message.name} has expired by a time that was signed"
    if any(row[0] == name for row in host.revoked):
        return f"{message.name} was taken back, and the host knew"
    if asked.epoch < dict(host.epochs).get(SCOPE, 0):
        return f"{message.name} lies under the line that the host knew"
    return None


def after(world: World, broken: Broken) -> Iterator[tuple[str, World, str | None]]:
    """Yield every world that may follow, how, and what went wrong on the way."""
    for event in EVENTS:
        if event not in world.events:
            yield event, world._replace(events=world.events | {event}), None
    if world.time < LAST:
        yield "tick", world._replace(time=world.time + 1), None
    if not world.hosts[1].back:
        # What sets the hosts apart: the clock of one lies, and the other may die at any time.
        yield "clock 1", _with(world, 1, world.hosts[1]._replace(back=True)), None
    for number in (0, 1):
        for message in MESSAGES:
            if message.needs <= world.events:
                yield from _after_showing(world, number, message, broken)


def _after_showing(
    world: World, number: int, message: Message, broken: Broken
) -> Iterator[tuple[str, World, str | None]]:
    changed, name = _shown(number, world.hosts[number], world.time, message, broken)
    step, following = f"{message.name} to {number}", _with(world, number, changed)
    if name is None:
        yield step, following, None
        return
    if number == 0:
        # It may die before it acts: then the decision is spent, and nothing was done.
        yield f"{step}, died", following, None
    count = {(h, d): n for h, d, n in world.done}
    count[number, name] = count.get((number, name), 0) + 1
    fault = wrong(world, number, message, name)
    if fault is None and count[number, name] > DECISIONS[name].uses:
        fault = f"{message.name} ran once too often"
    done = tuple(sorted((h, d, n) for (h, d), n in count.items()))
    yield step, following._replace(done=done), fault


_shown = cache(show)


def _with(world: World, number: int, host: Host) -> World:
    hosts = (host, world.hosts[1]) if number == 0 else (world.hosts[0], host)
    return world._replace(hosts=hosts)


class Found(NamedTuple):
    """How many worlds there are, what can be executed, and the shortest trace to a fault."""

    worlds: int
    executed: frozenset[tuple[int, str]]
    trace: tuple[str, ...] | None


def explore(broken: Broken) -> Found:
    """Walk through every world, nearest first, until a fault is found or none is left."""
    start = World()
    came: dict[World, tuple[World, str] | None] = {start: None}
    queue: deque[World] = deque([start])
    executed: set[tuple[int, str]] = set()
    while queue:
        world = queue.popleft()
        for step, following, fault in after(world, broken):
            if fault is not None:
                return Found(len(came), frozenset(executed), (*_trace(came, world), step, fault))
            if following not in came:
                came[following] = (world, step)
                queue.append(following)
                executed |= {(number, name) for number, name, _ in following.done}
    return Found(len(came), frozenset(executed), None)


def _trace(came: dict[World, tuple[World, str] | None], world: World) -> tuple[str, ...]:
    steps: list[str] = []
    before = came[world]
    while before is not None:
        steps.append(before[1])
        before = came[before[0]]
    return tuple(reversed(steps))


@pytest.mark.slow
@pytest.mark.hostile
def test_no_trace_of_a_hostile_coordinator_executes_what_nobody_approved() -> None:
    """Unsigned, expired, taken back, re-targeted or once too often: in no world that there is."""
    found = explore(Broken())
    assert found.trace is None
    # The world is no empty one: all that was approved can be executed where it was approved.
    assert found.executed == {
        (0, BOTH.decision_id),
        (0, ALONE.decision_id),
        (1, ALONE.decision_id),
        (0, LATER.decision_id),
        (1, LATER.decision_id),
    }
    assert found.worlds > 10_000


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (Broken(memory=True), "ran once too often"),
        (Broken(clock=True), "has expired"),
        (Broken(target=True), "approved for something else"),
    ],
)
def test_the_search_finds_the_fault_of_a_host_that_is_broken(broken: Broken, expected: str) -> None:
    """A model that cannot fail proves nothing: each check left out has a trace that shows it."""
    found = explore(broken)
    assert found.trace is not None
    assert expected in found.trace[-1] or "is another action" in found.trace[-1]
