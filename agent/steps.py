"""Carrying out accepted steps one at a time, and making each part of it durable before the next.

A restart is no special case: what is stored and not finished is done, from where it stood.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import trio

from agent import step_store
from agent.artifacts import Artifacts
from agent.bells import Bell
from agent.clock import Clock
from agent.command_steps import Commands
from agent.database import StorageError, Tx, get_bytes, put
from agent.engine_thread import EngineThread
from agent.guarding import Meeting, Stopped
from agent.memory import Memory
from agent.secrets import Secrets
from agent.step_outcomes import KINDS, MAX_ERROR, Done, bounded_result
from agent.step_store import Step
from agent.work import Circumstances, Engine, Hooks
from protocol import decisions, desired, messages
from protocol.errors import DecodeError
from protocol.limits import ARTIFACT_CHUNK, MAX_ARTIFACT
from protocol.messages import Cancel, Finished, Offer, Progress, RefusedStep, Started
from protocol.policy import CapabilityRule
from protocol.reasons import Refused
from protocol.reports import ApplyResult, DriftRecord, ResourceDiff
from state_engine.engine import progress as engine_progress
from state_engine.model import NodeFacts, ResourceKey, Snapshot

# From the signal to a program until it is left alone: they are asked every 0.1 s.
KILL_SECONDS = 1.0
_snapshots: msgspec.msgpack.Decoder[Snapshot] = msgspec.msgpack.Decoder(Snapshot)
_pending: msgspec.msgpack.Decoder[tuple[ResourceDiff, ...]] = msgspec.msgpack.Decoder(
    tuple[ResourceDiff, ...]
)


class Steps:
    """The work of one host; rings `changed` when the journal has grown, `applied` after a step."""

    def __init__(  # noqa: PLR0913 - all that work touches, wired in one place
        self,
        memory: Memory,
        *,
        node_id: str,
        hostname: str,
        state_dir: Path,
        fingerprint_key: bytes,
        clock: Clock,
        thread: EngineThread,
        changed: Bell,
        still: Callable[[Offer], Refused | None],
        rule: Callable[[], CapabilityRule | Refused],
        secrets: Secrets,
    ) -> None:
        self._database = memory.database
        self._journal = memory.journal
        self._trust = memory.trust
        self._ledger = memory.ledger
        self._node_id = node_id
        self._hostname = hostname
        self._clock = clock
        self._thread = thread
        self._attributes: dict[str, str] = {}
        self._cancelled: dict[str, bool] = {}
        self._running: str | None = None
        self.stopping = threading.Event()
        self.killing = threading.Event()
        self._changed = changed
        self._still = still
        self._rule = rule
        self._secrets = secrets
        self.applied = Bell()
        self.applies = 0
        self.meeting = Meeting(self.stopping)
        # Adds when and by whom to what a look found; the drift service knows it.
        self.explain: Callable[[tuple[ResourceDiff, ...]], tuple[ResourceDiff, ...]] | None = None
        self.artifacts = Artifacts(self._programs_cancelled)
        self.engine = Engine(
            state_dir,
            fingerprint_key,
            clock=clock,
            programs_cancelled=self._programs_cancelled,
            secrets=secrets,
            artifacts=None if thread.inline else self.artifacts.fetch,
        )

        self._commands = Commands(
            memory,
            node_id=node_id,
            state_dir=state_dir,
            clock=clock,
            changed=changed,
            cancelled=self._programs_cancelled,
        )

    def set_attributes(self, attributes: dict[str, str]) -> None:
        """Tell which attributes modules are resolved with."""
        self._attributes = attributes

    def snapshot(self) -> Snapshot:
        """Return what this host holds by our hand."""
        data = self._database.read(lambda tx: get_bytes(tx, "snapshot"))
        return Snapshot() if data is None else _snapshots.decode(data)

    def pending(self) -> tuple[ResourceDiff, ...]:
        """Return how the modules of the last plan or apply differ from what is applied."""
        data = self._database.read(lambda tx: get_bytes(tx, "pending"))
        return () if data is None else _pending.decode(data)

    @property
    def applying(self) -> bool:
        """Whether an apply has begun and is not over: what it writes is no drift."""
        return any(
            step.phase == "started" and step.offer is not None and step.offer.step == "state.apply"
            for step in self._database.read(step_store.unfinished)
        )

    def leases(self) -> tuple[str, ...]:
        """Return the leases of the steps that are not finished."""
        steps = self._database.read(step_store.unfinished)
        return tuple(step.offer.lease for step in steps if step.offer is not None)

    def cancel(self, message: Cancel) -> None:
        """Stop a step: a running one at its next item, a waiting one at once.

        A step that this host does not know is answered as cancelled.
        """
        step = self._database.read(lambda tx: step_store.find(tx, message.run_id))
        if step is None:
            # Said aloud, or the run would wait for a host that never heard of it.
            unknown = "this host holds no such step"
            self._journal.note(
                Finished(message.run_id, message.fence, "cancelled", message=unknown)
            )
            self._changed.ring()
            return
        if step.phase == "finished" or message.fence < step.fence:
            return
        if step.phase == "accepted" and self._running != message.run_id:
            self._database.write(lambda tx: self._finish(tx, step, Done("cancelled")), urgent=True)
            self._changed.ring()
        else:
            # Bounded by the steps that are held: whoever finishes one takes its mark away.
            self._cancelled[message.run_id] = True

    def revoke(self, decision_id: str) -> None:
        """Stop what runs under a decision that was taken back; what waits is refused in its turn.

        The running item ends, as with a cancel: half of it would be worse than all of it.
        """
        for step in self._database.read(step_store.unfinished):
            decision = None if step.offer is None else step.offer.decision
            found = None if decision is None else decisions.decode(decision)
            if not isinstance(found, decisions.Decision) or found.decision_id != decision_id:
                continue
            if step.phase == "started" or self._running == step.run_id:
                self._cancelled[step.run_id] = True

    async def stop(self, seconds: float) -> None:
        """Let the running item end, at most for so long; the rest waits for the next start."""
        self.stopping.set()
        with trio.move_on_after(seconds):
            await self._thread.settled()
        self.killing.set()
        # Programs are asked to end; one that will not is the service manager's to end.
        with trio.move_on_after(KILL_SECONDS):
            await self._thread.settled()

    async def run_next(self) -> bool:
        """Do the next step that is stored; False if there is none or no room for its result."""
        pending = self._database.read(step_store.unfinished)
        if not pending or self.stopping.is_set():
            return False
        step = pending[0]
        if step.phase == "accepted" and not self._journal.has_room:
            return False
        self._running = step.run_id
        try:
            await self._thread.run(lambda: self._carry_out(step))
        except Stopped:
            return False
        finally:
            self._running = None
        self._cancelled.pop(step.run_id, None)
        self.applies += step.offer is not None and step.offer.step == "state.apply"
        self._changed.ring()
        self.applied.ring()
        return True

    def _carry_out(self, step: Step) -> None:
        offer = step.offer
        if offer is None:
            return
        hooks = Hooks(
            begin=lambda: self._begin(step),
            report=lambda message: self._report(step, message),
            cancelled=lambda: self._is_cancelled(step),
            reached=None if self._thread.inline else self.meeting.reached,
            window=self.meeting.window,
            again=step.phase == "started",
        )
        done = self._do_or_report(step, offer, hooks)
        stopped = self.stopping.is_set() and not self._cancelled.get(step.run_id, False)
        cut_short = isinstance(done, Done) and done.outcome == "cancelled"
        if self.killing.is_set() or (stopped and cut_short):
            # Left as it stands: the next start goes on from what was reported.
            raise Stopped
        if isinstance(done, Refused):
            self._database.write(lambda tx: self._refuse(tx, step, done), urgent=True)
        else:
            self._database.write(lambda tx: self._finish(tx, step, done), urgent=True)

    def _do_or_report(self, step: Step, offer: Offer, hooks: Hooks) -> Done | Refused:
        try:
            return self._do(step, offer, hooks)
        except (Stopped, StorageError):
            raise
        except Exception as error:  # noqa: BLE001 - a step that always fails must not end the agent
            # The words of an exception are anybody's, and may quote what stood in a field.
            words = "" if self._secrets.any() else f": {error}"
            text = f"internal error: {type(error).__name__}{words}"
            told = self._database.read(lambda tx: step_store.progress(tx, step.run_id))
            resume = engine_progress.fold(told)
            snapshot = engine_progress.recovered(self.snapshot(), (), resume) if told else None
            done = Done("failed", message=text, snapshot=snapshot)
            # It may have cut this host off before it failed, and nobody else takes that back.
            return self.engine.settle(done, offer, self._around(offer), hooks)

    def _do(self, step: Step, offer: Offer, hooks: Hooks) -> Done | Refused:
        around = self._around(offer)
        match offer.step:
            case "state.plan":
                return self.engine.plan(offer, around, hooks)
            case "state.drift":
                record = DriftRecord(
                    offer.operation_id, self._node_id, "manual", self._clock(), "in_sync"
                )
                record = msgspec.structs.replace(record, pending=self.pending())
                return self._explained(self.engine.drift(record, around, hooks))
            case "state.apply":
                return self._apply(step, offer, around, hooks)
            case "command.run":
                # One that was begun is told of, whatever has become of its decision since.
                lapsed = self._still(offer) if step.phase == "accepted" else None
                return lapsed or self._commands.do(step, offer, hooks.begin)

    def _explained(self, done: Done) -> Done:
        record = done.document
        if self.explain is None or not isinstance(record, DriftRecord):
            return done
        record = msgspec.structs.replace(record, resources=self.explain(record.resources))
        return msgspec.structs.replace(done, document=record)

    def around(self, offer: Offer | None = None) -> Circumstances:
        """Return what a step would be done with now; None: one that nobody offered."""
        return self._around(offer)

    def _around(self, offer: Offer | None = None) -> Circumstances:
        return Circumstances(
            self._facts(offer),
            None if self._trust.roster is None else self._trust.roster.roster,
            self.snapshot(),
            self._rule(),
            {} if offer is None else self._secrets.take(offer.secrets),
            self._trust.scope,
            self._trust.tags,
        )

    def repair(
        self,
        operation_id: str,
        keys: frozenset[ResourceKey],
        report: Callable[[engine_progress.Progress], None],
    ) -> tuple[ApplyResult, Snapshot]:
        """Bring some resources back to what was last applied; in the worker thread."""
        hooks = Hooks(begin=lambda: None, report=report, cancelled=self.stopping.is_set)
        return self.engine.repair(operation_id, self._around(), keys, hooks)

    def _apply(
        self, step: Step, offer: Offer, around: Circumstances, hooks: Hooks
    ) -> Done | Refused:
        told = self._database.read(lambda tx: step_store.progress(tx, step.run_id))
        lapsed = self._still(offer)
        if lapsed is None:
            return self.engine.apply(offer, around, hooks, engine_progress.fold(told))
        if not told and not self.engine.undecided(offer, hooks):
            return lapsed
        # It had begun, and was cut short for too long: what it did is kept, the rest is not done.
        over = msgspec.structs.replace(hooks, cancelled=lambda: True)
        done = self.engine.apply(offer, around, over, engine_progress.fold(told))
        if isinstance(done, Refused):
            return done
        text = f"{lapsed.reason}: {lapsed.detail}; what had not begun is not done"
        return msgspec.structs.replace(done, outcome="interrupted", message=text)

    def _begin(self, step: Step) -> None:
        if step.phase != "accepted":
            return

        def job(tx: Tx) -> None:
            step_store.start(tx, step.run_id)
            self._journal.append(tx, Started(step.run_id, self._fence(tx, step)))

        self._database.write(job, urgent=True)
        self._changed.ring_from_thread()

    def _report(self, step: Step, message: engine_progress.Progress) -> None:
        if self.killing.is_set():
            raise Stopped

        def job(tx: Tx) -> None:
            step_store.add_progress(tx, step.run_id, message)
            if isinstance(message, engine_progress.Finished):
                fence = self._fence(tx, step)
                result = bounded_result(message.result)
                self._journal.append(tx, Progress(step.run_id, fence, result))

        self._database.write(job, urgent=True)
        self._changed.ring_from_thread()

    def _finish(self, tx: Tx, step: Step, done: Done) -> None:
        fence = self._fence(tx, step)
        data = b"" if done.document is None else msgspec.json.encode(done.document)
        name = None
        outcome, message = done.outcome, done.message
        if len(data) > MAX_ARTIFACT:
            outcome, message = "failed", f"the result of {len(data)} bytes is over the limit"
        elif data:
            kind = "plan" if step.offer is None else KINDS[step.offer.step]
            name = self._append_artifact(tx, kind, data)
        if done.snapshot is not None:
            put(tx, "snapshot", msgspec.msgpack.encode(done.snapshot))
            self._secrets.prune(tx, done.snapshot)
        if done.pending is not None:
            put(tx, "pending", msgspec.msgpack.encode(done.pending))
        reason = "" if done.reason is None else done.reason.value
        said = message[:MAX_ERROR]
        finished = Finished(step.run_id, fence, outcome, name, done.digest, said, reason)
        self._journal.append(tx, finished)
        step_store.finish(tx, step.run_id)

    def _append_artifact(self, tx: Tx, kind: str, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        for offset in range(0, len(data), ARTIFACT_CHUNK):
            piece = data[offset : offset + ARTIFACT_CHUNK]
            chunk = messages.ArtifactChunk(name, kind, offset, len(data), piece)
            self._journal.append(tx, chunk)
        return name

    def _refuse(self, tx: Tx, step: Step, refused: Refused) -> None:
        fence = self._fence(tx, step)
        self._journal.append(
            tx, RefusedStep(step.run_id, fence, refused.reason.value, refused.detail)
        )
        step_store.finish(tx, step.run_id)

    @staticmethod
    def _fence(tx: Tx, step: Step) -> int:
        # Read again each time: a re-offer may have raised it while the step runs.
        found = step_store.find(tx, step.run_id)
        return step.fence if found is None else found.fence

    def _is_cancelled(self, step: Step) -> bool:
        return self.stopping.is_set() or self._cancelled.get(step.run_id, False)

    def _programs_cancelled(self) -> bool:
        running = self._running
        cancelled = running is not None and self._cancelled.get(running, False)
        return self.killing.is_set() or cancelled

    def _facts(self, offer: Offer | None) -> NodeFacts:
        tags, name = self._document().tags, self._name()
        if offer is not None and offer.standing is not None:
            # No person looks at this plan, so only what operators signed chooses its variants.
            statement = self._trust.statement
            tags = self._trust.tags or {}
            name = self._hostname if statement is None else statement.name
        return NodeFacts(self._node_id, name, self._attributes, tags)

    def _name(self) -> str:
        return self._document().name or self._trust.standing.name or self._hostname

    def _document(self) -> desired.DesiredDocument:
        data = self._ledger.desired().document
        try:
            return desired.decode(data) if data else desired.DesiredDocument()
        except DecodeError:
            return desired.DesiredDocument()
