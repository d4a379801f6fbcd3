"""A command as a step: journalled while it runs, its result and the rest of its output after it.

A command that was begun and of which the end was not seen is `interrupted` at the next start: what
it printed is kept, what still runs of it is ended, and it is never run again.
"""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from agent import command_cgroup, command_output, step_store
from agent.bells import Bell
from agent.clock import Clock
from agent.command_output import Collector
from agent.database import StorageError, Tx
from agent.memory import Memory
from agent.step_outcomes import Done
from agent.step_store import Step
from protocol.commands import Command, CommandResult, Output
from protocol.limits import ARTIFACT_CHUNK
from protocol.messages import ArtifactChunk, Offer, StepOutcome

if TYPE_CHECKING:
    from agent.command_run import Ended

DIRECTORY = "commands"


class Commands:
    """Runs the commands of one host, in the worker thread; `cancelled` is asked meanwhile."""

    def __init__(
        self,
        memory: Memory,
        *,
        node_id: str,
        state_dir: Path,
        clock: Clock,
        changed: Bell,
        cancelled: Callable[[], bool],
    ) -> None:
        self._database = memory.database
        self._journal = memory.journal
        self._node_id = node_id
        self._directory = state_dir / DIRECTORY
        self._clock = clock
        self._changed = changed
        self._cancelled = cancelled

    def do(self, step: Step, offer: Offer, begin: Callable[[], None]) -> Done:
        """Run the command of an accepted step, or tell what became of one that was begun before."""
        name = name_of(self._node_id, step.run_id)
        path = self._directory / name
        if step.phase == "started":
            return self._interrupted(name, path)
        if offer.expires_at is not None and self._clock() >= offer.expires_at:
            return Done("expired", message="its time was over before its turn came")
        if offer.command is None:
            return Done("failed", message="the offer carries no command")
        self._directory.mkdir(mode=0o700, exist_ok=True)
        # On disk before it begins: whatever happens then, it is not begun a second time.
        begin()
        return self._run(step, offer.command, name, path)

    def _run(self, step: Step, command: Command, name: str, path: Path) -> Done:
        # Only now: an idle agent does without what starts and watches programs.
        from agent import command_run

        said = _Said(self, step)
        output = Collector(path, said.say)
        group = command_cgroup.make(name)
        note = path.with_suffix(".pid")
        try:
            ended = command_run.run(
                command, group, output, self._cancelled, lambda pid: note_process(note, pid)
            )
            output.finish()
            done = self._done(ended, output, path, contained=group is not None)
        finally:
            output.close()
            if group is not None:
                group.remove()
        command_output.forget(path)
        command_output.forget(note)
        return done

    def _done(self, ended: Ended, output: Collector, path: Path, *, contained: bool) -> Done:
        result = CommandResult(
            node_id=self._node_id,
            ending=ended.ending,
            exit_code=ended.exit_code,
            duration_ms=round(ended.seconds * 1_000),
            size=output.size,
            omitted=output.omitted,
            unkept=output.unkept,
            output=self._keep(path) if output.omitted else None,
            contained=contained,
        )
        outcome, message = _outcome(ended)
        return Done(outcome, result, message=message)

    def _interrupted(self, name: str, path: Path) -> Done:
        group = command_cgroup.find(name)
        if group is not None:
            group.kill()
            group.remove()
        note = path.with_suffix(".pid")
        _end_left(note)
        size = path.stat().st_size if path.exists() else 0
        result = CommandResult(
            node_id=self._node_id,
            ending="interrupted",
            exit_code=None,
            duration_ms=0,
            size=size,
            output=self._keep(path) if size else None,
            contained=group is not None,
        )
        command_output.forget(path)
        command_output.forget(note)
        text = "it was running when the agent ended; it is not run again"
        return Done("interrupted", result, message=text)

    def _keep(self, path: Path) -> str:
        """Put the file of output into the journal as an artifact; return its name."""
        digest = hashlib.sha256()
        size = 0
        with path.open("rb") as file:
            while part := file.read(ARTIFACT_CHUNK):
                digest.update(part)
                size += len(part)
            name = digest.hexdigest()
            file.seek(0)
            for offset in range(0, size, ARTIFACT_CHUNK):
                part = file.read(min(ARTIFACT_CHUNK, size - offset))
                self._append(ArtifactChunk(name, "output", offset, size, part))
        return name

    def append(self, step: Step, number: int, offset: int, omitted: int, text: str) -> None:
        """Put one piece of output into the journal.

        Raises:
            StorageError: the disk is full or broken.
        """

        def job(tx: Tx) -> int:
            found = step_store.find(tx, step.run_id)
            fence = step.fence if found is None else found.fence
            said = Output(step.run_id, fence, number, offset, text, omitted)
            return self._journal.append(tx, said)

        self._write(job)

    def _append(self, chunk: ArtifactChunk) -> None:
        self._write(lambda tx: self._journal.append(tx, chunk))

    def _write(self, job: Callable[[Tx], int]) -> None:
        self._database.write(job, urgent=True)
        self._changed.ring_from_thread()


class _Said:
    """The pieces of one command, numbered; one that the disk would not take leaves a gap."""

    def __init__(self, commands: Commands, step: Step) -> None:
        self._commands = commands
        self._step = step
        self._number = 0
        self._end = 0

    def say(self, offset: int, size: int, text: str) -> None:
        # The command goes on: that it ran is worth more than this piece of what it printed.
        with suppress(StorageError):
            left_out = offset - self._end
            self._commands.append(self._step, self._number + 1, offset, left_out, text)
            self._number += 1
            self._end = offset + size


def name_of(node_id: str, run_id: str) -> str:
    """Return under which name a command's files and cgroup go on a host."""
    # An id of the coordinator's may hold anything; a path is made of digits only.
    host, run = (hashlib.sha256(one.encode()).hexdigest() for one in (node_id, run_id))
    return f"{host[:12]}-{run[:32]}"


def _outcome(ended: Ended) -> tuple[StepOutcome, str]:
    match ended.ending:
        case "timeout":
            return "failed", f"ended: it took more than its time ({ended.seconds:.1f} s)"
        case "cancelled":
            return "cancelled", "ended: it was cancelled"
        case _ if ended.exit_code == 0:
            return "succeeded", ""
        case _:
            return "failed", f"exit code {ended.exit_code}"


def note_process(note: Path, pid: int) -> None:
    """Write down which process it is, told from a later one of the number by when it began."""
    with suppress(OSError):
        note.write_text(f"{pid} {_began(pid)}", "ascii")


def _began(pid: int) -> str:
    # Field 22, counted from behind the name, which may hold anything.
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]


def _end_left(note: Path) -> None:
    """End the process group that a note is about, if it is still the same one."""
    with suppress(OSError, ValueError):
        number, began = note.read_text("ascii").split()
        if began and _began(int(number)) == began:
            os.killpg(int(number), signal.SIGKILL)
