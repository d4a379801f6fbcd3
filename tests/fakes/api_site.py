"""The whole API in this process: no socket, no thread, a clock that tests set.

Operators of every role and two hosts, one pending and one approved, are there from the start.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import httpx
import msgspec

from coordinator.app import build
from coordinator.config import CoordinatorConfig
from coordinator.context import App
from coordinator.domain import agents, roster
from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal
from coordinator.hub import Hub
from coordinator.links import Links
from coordinator.store import events, sessions
from coordinator.store.database import Store, Tx
from protocol import api, dsse, ids, messages
from protocol.keys import SigningKey
from protocol.roster import Role, Roster, RosterOperator
from protocol.roster import encode as encode_roster

T = TypeVar("T")
SEED_TIME = 1_790_000_000.0
NAMES: dict[Role, str] = {
    "admin": "ada",
    "operator": "oli",
    "viewer": "vik",
    "automation": "otto",
}


def operator_key(name: str) -> SigningKey:
    """Return the key of a test operator, the same for the same name."""
    return SigningKey(name.encode().ljust(32, b"."))


def host_key(number: int) -> SigningKey:
    """Return the key of a test host."""
    return SigningKey(bytes([number]) * 32)


def roster_envelope(
    names: dict[str, Role], version: int = 1, previous: str = "", signer: str = "ada"
) -> dsse.Envelope:
    """Return a roster of test operators, signed by one of them."""
    operators = tuple(
        RosterOperator(ids.operator_id(key.public), name, key.public.hex(), role)
        for name, role in names.items()
        for key in [operator_key(name)]
    )
    roster = Roster(1, version, operators, 1, previous, int(SEED_TIME))
    key = operator_key(signer)
    return dsse.sign(dsse.ROSTER, encode_roster(roster), key, ids.operator_id(key.public))


def everyone() -> dict[str, Role]:
    """Return one operator of each role, by name."""
    return {name: role for role, name in NAMES.items()}


def hello(key: SigningKey, hostname: str) -> messages.Hello:
    """Return what a host says first."""
    return messages.Hello(
        versions=(1,),
        public_key=key.public,
        sealing_key=b"s" * 32,
        sealing_sig=b"t" * 64,
        nonce=b"n" * 32,
        agent_version="0.1.0",
        hostname=hostname,
        roster_version=0,
        generation=0,
        journal_head=0,
    )


def register(tx: Tx, number: int, hostname: str, secret: bytes | None = None) -> str:
    """Register a test host as the link does and return its id."""
    key = host_key(number)
    node_id = ids.node_id(key.public)
    outcome = agents.register(
        tx,
        hello=hello(key, hostname),
        node_id=node_id,
        public_key=key.public,
        secret=secret,
        peer="192.0.2.1",
        identity_public=b"c" * 32,
    )
    assert isinstance(outcome, agents.Registered), outcome
    return node_id


def seed_hosts(tx: Tx) -> None:
    """Make a pending host and one that is approved as `web-1`."""
    register(tx, 1, "pending.example")
    node_id = register(tx, 2, "web.example")
    by = Actor("x", "ada", "admin")
    approved = agents.decide(tx, by, node_id, api.StatusChangeRequest("approved", "web-1"), None)
    assert not isinstance(approved, Refusal), approved


PENDING = ids.node_id(host_key(1).public)
APPROVED = ids.node_id(host_key(2).public)
COORDINATOR_KEY = SigningKey(b"C" * 32)


@dataclass
class Clock:
    """A clock that stands still until a test moves it."""

    now: float = SEED_TIME

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@dataclass
class Site:
    """The running application and the parts that tests look into."""

    context: App
    client: httpx.AsyncClient
    clock: Clock
    people: dict[str, Actor] = field(default_factory=dict)

    def bearer(self, name: str = "ada") -> dict[str, str]:
        """Return the header of a session of this operator."""
        return {"authorization": f"Bearer token-of-{name}"}

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        name: str | None = "ada",
        **headers: str,
    ) -> httpx.Response:
        """Send one request below `/api/v1`; header names are written with underscores."""
        given = {key.replace("_", "-"): value for key, value in headers.items()}
        if name is not None:
            given |= self.bearer(name)
        content = None if body is None else msgspec.json.encode(body)
        url = f"/api/v1{path}"
        return await self.client.request(method, url, content=content, headers=given)


@asynccontextmanager
async def site(config: CoordinatorConfig | None = None) -> AsyncGenerator[Site]:
    """Run the application for a block; every operator has a session `token-of-NAME`."""
    clock, hub = Clock(), Hub()
    store = Store.open("sqlite://", clock=clock, inline=True, on_commit=hub.wake)
    people = seed_people(store)
    settings = config or CoordinatorConfig(auth_requests_per_minute=100_000)
    context = App(store, hub, COORDINATOR_KEY, settings, clock, "ab" * 32, Links())
    transport = httpx.ASGITransport(app=build(context))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Site(context, client, clock, people)
    await store.aclose()


def seed_people(store: Store) -> dict[str, Actor]:
    """Give a new store its roster, hosts and a session for each operator."""
    people: dict[str, Actor] = {}

    def job(tx: Tx) -> None:
        started = roster.start_with(tx, (roster_envelope(everyone()),))
        assert not isinstance(started, Refusal), started
        seed_hosts(tx)
        for name, role in everyone().items():
            operator_id = ids.operator_id(operator_key(name).public)
            people[name] = Actor(operator_id, name, role)
            sessions.create(tx, operator_id, f"token-of-{name}", SEED_TIME + 3_600)

    store.write_now(job)
    return people


@dataclass
class Desk:
    """A seeded store in memory, for tests of the domain."""

    store: Store
    clock: Clock
    people: dict[str, Actor]

    @classmethod
    def open(cls) -> Desk:
        """Return a new one, with the same operators and hosts as a `Site`."""
        clock = Clock()
        store = Store.open("sqlite://", clock=clock, inline=True)
        return cls(store, clock, seed_people(store))

    @property
    def ada(self) -> Actor:
        """The admin."""
        return self.people["ada"]

    def do(self, job: Callable[[Tx], T | Refusal]) -> T:
        """Return what a job returns, which must be no refusal."""
        outcome = self.store.write_now(job)
        assert not isinstance(outcome, Refusal), outcome
        return outcome

    def refused(self, job: Callable[[Tx], object]) -> Refusal:
        """Return the refusal that a job must return."""
        outcome = self.store.write_now(job)
        assert isinstance(outcome, Refusal), outcome
        return outcome

    def last_event(self) -> events.Event:
        """Return the newest line of the event log."""
        return self.store.read_now(lambda tx: events.latest(tx, limit=1))[0]
