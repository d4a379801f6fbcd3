"""Guarding an apply that may cut this host off: it goes back unless the coordinator is met anew.

Runs in the worker thread, around the apply. What the switch says is `state_engine.deadman`;
meeting the coordinator is the link's.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import trio

from agent.bells import Bell
from protocol.errors import StandfastError
from protocol.reports import ApplyResult
from state_engine.deadman import WINDOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.step_outcomes import Done
    from state_engine.engine.progress import ApplyOutcome
    from state_engine.model import Snapshot
    from state_engine.ports import Ports

# The rollback is an operation of its own, and its name says of which.
BACK = "-back"
# How often somebody who waits for a handshake sees that the agent stops.
STOP_CHECK = 0.5


class Stopped(Exception):  # noqa: N818 - it is how an engine call ends when the agent stops
    """The agent is stopping: what was not reported yet is not to be recorded."""


class Meeting:
    """Waiting for the coordinator: `renew` asks for a new handshake, `handshakes` counts them.

    `window` is how many seconds a change has that may cut this host off.
    """

    def __init__(self, stopping: threading.Event) -> None:
        self.window = WINDOW
        self._stopping = stopping
        self.renew, self.handshakes = Bell(), Bell()

    def reached(self, seconds: float) -> bool:
        """Ask for a new handshake, and say whether it came in time; in the worker thread.

        Raises:
            Stopped: the agent ends before it is known; its next start waits again.
        """
        try:
            return trio.from_thread.run(self._within, seconds)
        except trio.RunFinishedError:
            raise Stopped from None

    async def _within(self, seconds: float) -> bool:
        known = self.handshakes.count
        self.renew.ring()
        with trio.move_on_after(seconds):
            while self.handshakes.count == known and not self._stopping.is_set():
                with trio.move_on_after(STOP_CHECK):
                    await self.handshakes.heard(known)
        if self.handshakes.count == known and self._stopping.is_set():
            raise Stopped
        return self.handshakes.count != known


class Guard:
    """The dead-man switch of one apply; `reached` says within seconds whether we were met anew."""

    def __init__(
        self,
        directory: Path,
        operation_id: str,
        reached: Callable[[float], bool] | None,
        window: float = WINDOW,
    ) -> None:
        self._window = window
        self._directory = directory
        self._operation_id = operation_id
        self._reached = reached

    def arm(self) -> None:
        """Arm the switch, before the first act that may cut us off.

        Raises:
            PortError: it cannot be armed; then the act must not be done.
        """
        from state_engine.host import switch_file
        from state_engine.ports import PortError

        if self._reached is None:
            return
        held = switch_file.load(self._directory)
        switch, act = held.armed_for(self._operation_id, self._window)
        if act == "refuse":
            raise PortError("an earlier change that may cut this host off is not decided yet")
        switch_file.save(self._directory, switch)

    @property
    def undecided(self) -> bool:
        """Whether what this apply has done may still go back; raises PortError."""
        from state_engine.host import switch_file

        switch = switch_file.load(self._directory)
        return switch.undecided and switch.operation_id == self._operation_id

    def settle(self, done: Done, before: Snapshot, node_id: str, ports: Ports) -> Done:
        """Return what became of an apply, once the coordinator was met or all is taken back.

        Also after a crash or a reboot, when the apply is taken up again.
        """
        from state_engine.host import switch_file

        switch = switch_file.load(self._directory)
        if not switch.undecided or switch.operation_id != self._operation_id:
            return done
        met = self._reached is None or (switch.state == "armed" and self._reached(switch.window))
        switch, act = switch.on("confirm" if met else "expire")
        switch_file.save(self._directory, switch)
        if met and act == "nothing":
            return done
        text = f"taken back: the coordinator was not reached within {switch.window:g} s"
        snapshot = done.snapshot or before
        try:
            back = self._take_back(snapshot, node_id, ports)
        except Exception as error:  # noqa: BLE001 - a switch that sticks would bar all that follows
            why = str(error) if isinstance(error, StandfastError) else type(error).__name__
            text = f"{text}, but it cannot be: {why}"
        else:
            # It is not this operation that the host is as it was left by.
            snapshot = msgspec.structs.replace(back.snapshot, operation_id=before.operation_id)
            if back.result.status != "succeeded":
                text = f"{text}; not all of it could be"
        switch_file.save(self._directory, switch.on("done")[0])
        document = done.document
        if isinstance(document, ApplyResult):
            document = msgspec.structs.replace(document, status="failed", error=text)
        return msgspec.structs.replace(
            done, outcome="failed", document=document, message=text, snapshot=snapshot
        )

    def _take_back(self, snapshot: Snapshot, node_id: str, ports: Ports) -> ApplyOutcome:
        from state_engine.engine.rollback import apply_rollback

        name = f"{self._operation_id}{BACK}"
        return apply_rollback(
            name, self._operation_id, node_id, snapshot, ports, approved=None, anyway=True
        )
