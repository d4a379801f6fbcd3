"""Keeps the link to the coordinator: connects, reconnects, sends the journal, hands on messages."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import NoReturn

import trio

from agent import enrolling, link, ratchet_store
from agent.bells import Bell
from agent.core import Core
from agent.database import StorageError
from agent.link import Frames, LinkError
from agent.trust import Pins
from protocol.artifacts import ArtifactAsk, ArtifactPart
from protocol.backoff import Backoff
from protocol.errors import RemoteProtocolError, StandfastError
from protocol.messages import (
    Ack,
    Cancel,
    Close,
    Desired,
    Facts,
    Heartbeat,
    Journal,
    Offer,
    Rejected,
    RevocationUpdate,
    RosterUpdate,
    StatementUpdate,
    Welcome,
)
from protocol.session import (
    Action,
    AgentSession,
    Authenticated,
    CloseLink,
    Established,
    HelloFacts,
    Log,
    NewCoordinatorKey,
    Received,
    Send,
)
from protocol.version import VERSION

# How a connection is opened: the address, and the pinned fingerprint of its certificate.
Connect = Callable[[str, str], AbstractAsyncContextManager[Frames]]
# Journal messages on their way without an ack: 4 x 512 KiB fill a slow link, and bound both sides.
WINDOW = 4


def random01() -> float:
    """Return a random number from 0 to 1, from the system's source."""
    return int.from_bytes(os.urandom(6), "big") / 2**48


async def run(
    core: Core, jitter: Callable[[], float] = random01, connect: Connect = link.connect
) -> NoReturn:
    """Hold the link for ever: connect, talk, wait as long as it takes, again."""
    backoff = Backoff()
    attempt = turn = 0
    while True:
        pins = await _pins(core)
        url = pins.urls[turn % len(pins.urls)]
        talk = _Talk(core, pins)
        error = await _attempt(talk, connect(url, pins.tls_fingerprint))
        if error is not None:
            core.log.warning("link down", url=url, error=str(error))
            core.problems.put("link", str(error)[:200])
        held = trio.current_time() - talk.since if talk.since is not None else 0.0
        attempt = backoff.next_attempt(attempt, held)
        # Another address is tried at once; after a round of all of them we wait.
        turn = 0 if talk.since is not None else turn + 1
        if turn % len(pins.urls) == 0:
            delay = backoff.next_delay(attempt - 1, jitter())
            await trio.sleep(max(delay, talk.retry_after * (1.0 + jitter() / 4)))


async def _attempt(
    talk: _Talk, connection: AbstractAsyncContextManager[Frames]
) -> StandfastError | None:
    """Hold one link to its end; return what broke it, None if it was closed in order."""
    broken: StandfastError | None = None
    try:
        async with connection as frames:
            await talk.hold(frames)
    except* (LinkError, RemoteProtocolError) as group:
        # Tasks of one link fail together; the first of them says enough.
        broken = link.first_of(group)
    return broken


async def _pins(core: Core) -> Pins:
    while core.trust.pins is None:
        await core.pins_bell.heard(core.pins_bell.count)
    return core.trust.pins


class _Talk:
    """One connection from its hello to its end."""

    def __init__(self, core: Core, pins: Pins) -> None:
        self._core = core
        self._session = AgentSession(
            core.identity.key,
            _hello(core),
            nonce=core.entropy(32),
            heartbeat=core.heartbeat,
            pinned_coordinator_key=pins.coordinator_key,
            enrolment_secret=pins.secret,
            ratchet=ratchet_store.held(core.database),
        )
        self._turn = trio.Lock()
        self._established = trio.Event()
        self._acks = Bell()
        # Rung when the session's next wake-up moved forward; that it moved back is seen in time.
        self._retimed = Bell()
        self._acked = self._sent = 0
        self._over = False
        self._scope = trio.CancelScope()
        self.since: float | None = None
        self.retry_after = 0.0

    async def hold(self, frames: Frames) -> None:
        """Talk until the link is over."""
        async with trio.open_nursery() as tasks:
            self._scope = tasks.cancel_scope
            tasks.start_soon(self._tick, frames)
            tasks.start_soon(self._send_journal, frames)
            tasks.start_soon(self._send_facts, frames)
            tasks.start_soon(self._send_asks, frames)
            tasks.start_soon(self._renew)
            await self._perform(frames, lambda: self._session.start(trio.current_time()))
            self._retimed.ring()
            while True:
                frame = await frames.receive()
                await self._perform(frames, partial(self._receive, frame))

    def _receive(self, frame: bytes) -> list[Action]:
        return self._session.receive(frame, trio.current_time())

    async def _perform(self, frames: Frames, step: Callable[[], list[Action]]) -> None:
        """Take one step of the session and carry out its actions in order, unless it is over."""
        # One at a time: frames must leave in the order in which the session made them.
        async with self._turn:
            if self._over:
                return
            for action in step():
                if isinstance(action, Send):
                    await frames.send(action.frame)
                else:
                    self._over = self._act_or_say(action) or self._over
            if self._over:
                self._scope.cancel()

    def _act_or_say(self, action: Action) -> bool:
        try:
            return self._act(action)
        except StorageError as error:
            # The link is the way to tell the operators, so it stays; nothing was half done.
            self._core.problems.put("storage", str(error)[:200])
            self._core.not_stored("a message", error)
            return False

    def _act(self, action: Action) -> bool:
        match action:
            case Established():
                self._on_established(action)
            case NewCoordinatorKey():
                self._core.trust.rotate(action.key)
                self._core.tell("coordinator.key_rotated", "the pinned key named its successor")
            case Received():
                self._on_message(action)
            case CloseLink():
                self._on_close(action)
                return True
            case Log():
                self._core.log.write(action.level, action.text)
            case Send() | Authenticated():
                pass
        return False

    def _on_established(self, action: Established) -> None:
        core = self._core
        self.since = trio.current_time()
        core.problems.clear("link")
        # What is stored there is not sent again; only an ack of what was sent here prunes.
        self._sent = self._acked = action.welcome.acked
        if action.welcome.acked > core.journal.head:
            core.problems.put("journal_behind", "the coordinator holds more of our journal than we")
        else:
            core.problems.clear("journal_behind")
            self._say_forgotten(action.welcome.acked)
        self._established.set()
        self._retimed.ring()
        core.log.info("link up", approval=action.welcome.approval)
        core.steps.meeting.handshakes.ring()
        # Last: on a full disk this fails, and the link has to work all the same.
        self._on_welcome(action.welcome)
        enrolling.clear(Path(core.config.state_dir))
        ratchet_store.keep(core.database, action.welcome)

    def _say_forgotten(self, acked: int) -> None:
        """Go on with the journal where the coordinator holds less of it than we could send again.

        It offers no work before it holds all: with nothing left to send there would never be any.
        """
        core = self._core
        if acked < core.journal.head and not core.journal.after(acked):
            text = f"the coordinator holds our journal up to {acked}; all is gone here up to"
            core.tell("journal.forgotten", f"{text} {core.journal.head}")

    def _on_welcome(self, welcome: Welcome) -> None:
        refused = self._core.trust.welcome(welcome)
        if refused is not None:
            self._core.tell("scope.refused", refused)
        self._core.work_bell.ring()

    def _on_message(self, received: Received) -> None:
        message = received.message
        match message:
            case Offer():
                self._core.on_offer(message)
            case Cancel():
                self._core.on_cancel(message)
            case Desired():
                self._core.on_desired(message)
            case RosterUpdate() | StatementUpdate() | RevocationUpdate():
                self._core.on_signed(message)
            case ArtifactPart():
                self._core.steps.artifacts.take(message)
            case Ack():
                self._on_ack(message)
            case Welcome():
                self._on_welcome(message)
            case Rejected():
                self.retry_after = message.retry_after
                # A host that has no link can say what is wrong nowhere but here.
                self._core.log.failure(
                    "the coordinator does not take this host",
                    code=message.code[:64],
                    detail=message.message[:200],
                    next=_next_step(message.code),
                )
            case Close() | Facts() | Journal() | Heartbeat() | ArtifactAsk():
                pass

    def _on_ack(self, ack: Ack) -> None:
        if ack.head is not None and self._core.trust.pins is not None:
            self._core.on_audit_head(ack.head, self._core.trust.pins.coordinator_key)
        # An ack for what was not sent on this link proves nothing and prunes nothing.
        if self._acked < ack.seq <= self._sent:
            self._acked = ack.seq
            self._core.journal.acknowledge(ack.seq)
            self._acks.ring()
            self._core.work_bell.ring()

    def _on_close(self, action: CloseLink) -> None:
        text = f"{action.code}: {action.message}"[:200]
        self._core.problems.put("link", text)
        if action.reason is not None:
            self._core.tell("link.refused", text, action.reason)
        else:
            self._core.log.info("link over", detail=text)

    async def _renew(self) -> None:
        """End this link when another handshake is asked for: what stands proves little."""
        renew = self._core.steps.meeting.renew
        await renew.heard(renew.count)
        self._core.log.info("link ended for a new handshake")
        self._over = True
        self._scope.cancel()

    async def _tick(self, frames: Frames) -> None:
        while True:
            known = self._retimed.count
            wake = self._session.next_wake()
            with trio.move_on_at(math.inf if wake is None else wake):
                await self._retimed.heard(known)
                continue
            await self._perform(frames, lambda: self._session.tick(trio.current_time()))

    async def _send_journal(self, frames: Frames) -> None:
        await self._established.wait()
        core = self._core
        flying: deque[int] = deque()
        while True:
            grown, acked = core.journal_bell.count, self._acks.count
            while flying and flying[0] <= self._acked:
                flying.popleft()
            if len(flying) >= WINDOW:
                await self._acks.heard(acked)
                continue
            batch = core.journal.after(self._sent)
            if not batch:
                await core.journal_bell.heard(grown)
                continue
            self._sent = batch[-1].seq
            flying.append(self._sent)
            await self._perform(frames, partial(self._session.send, Journal(batch)))

    async def _send_facts(self, frames: Frames) -> None:
        await self._established.wait()
        core = self._core
        while True:
            known = core.facts_bell.count
            facts = core.facts_now()
            await self._perform(frames, partial(self._session.send, facts))
            await core.facts_bell.heard(known)

    async def _send_asks(self, frames: Frames) -> None:
        await self._established.wait()
        artifacts = self._core.steps.artifacts
        artifacts.link_is_new()
        while True:
            known = artifacts.asked.count
            ask = artifacts.next_ask()
            if ask is None:
                await artifacts.asked.heard(known)
            else:
                await self._perform(frames, partial(self._session.send, ask))


def _hello(core: Core) -> HelloFacts:
    trusted = core.trust.roster
    return HelloFacts(
        sealing_key=core.identity.sealing_public,
        agent_version=VERSION,
        hostname=core.hostname,
        roster_version=0 if trusted is None else trusted.roster.version,
        generation=core.ledger.desired().generation,
        journal_head=core.journal.head,
        node_id=core.identity.node_id,
    )


def _next_step(code: str) -> str:
    if "key" in code:
        return "standfast enrol-key create, then on this host: standfast-agent enrol --replace KEY"
    if code == "pending_full":
        return "standfast agents list --status pending, and approve or reject some"
    return "it tries again by itself"
