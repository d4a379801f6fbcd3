"""One enrolled host that judges and runs commands without a link."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from protocol import commands, decisions, messages
from protocol.commands import Command, CommandResult, Output
from protocol.messages import ArtifactChunk, Body, Finished, Offer
from tests.fakes.judged_host import ADA, Host
from tests.fakes.operators import Operator, sign


def shell(script: str, **fields: object) -> Command:
    """A script for /bin/sh."""
    return msgspec.structs.replace(Command(script=script), **fields)


def bash(script: str, **fields: object) -> Command:
    """A script for bash."""
    return msgspec.structs.replace(Command(script=script), **{"shell": "/bin/bash", **fields})


@dataclass
class CommandHost(Host):
    """A host with the approval of a command that would be good."""

    def offer(
        self, command: Command, *signers: Operator, run_id: str = "run-1", **changes: object
    ) -> Offer:
        """An offer whose decision covers the command; changes are made before it is signed."""
        action = decisions.canonical_hash(commands.action(command))
        number = int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:4], "big")
        numbered = replace(self.approval, decision_number=number)
        fields = {"capability": "command.run", "action_hash": action, **changes}
        decision = msgspec.structs.replace(numbered.decision(), **fields)
        return Offer(
            run_id, "command.run", "lease", 1, "op", decision=sign(decision, signers or (ADA,)),
            command=command,
        )  # fmt: skip

    def allow(self, text: str) -> None:
        """Write the host's own rule for commands."""
        path = self.root / "state/policy.toml"
        path.write_text(f'[capabilities."command.run"]\n{text}\n', "utf-8")

    async def run(self, command: Command, run_id: str = "run-1") -> CommandResult:
        """Offer a signed command, do it, and return its result."""
        assert self.offered(self.offer(command, run_id=run_id)) == "accepted"
        assert await self.core.steps.run_next()
        return self.result(run_id)

    def bodies(self) -> list[Body]:
        """All that stands in the journal."""
        found: list[Body] = []
        seq = 0
        while batch := self.core.journal.after(seq):
            found += [messages.decode_body(entry) for entry in batch]
            seq = batch[-1].seq
        return found

    def finished(self, run_id: str = "run-1") -> Finished:
        """What was reported at the end of a step."""
        ends = [b for b in self.bodies() if isinstance(b, Finished) and b.run_id == run_id]
        assert len(ends) == 1
        return ends[0]

    def result(self, run_id: str = "run-1") -> CommandResult:
        """The document of a step's end."""
        name = self.finished(run_id).artifact
        assert name is not None
        return msgspec.json.decode(self.artifact(name), type=CommandResult)

    def artifact(self, name: str) -> bytes:
        """The bytes of an artifact, put together and checked."""
        found = (b for b in self.bodies() if isinstance(b, ArtifactChunk) and b.sha256 == name)
        # Two steps with the same answer send the same bytes.
        parts = {part.offset: part.data for part in found}
        data = b"".join(parts[offset] for offset in sorted(parts))
        assert hashlib.sha256(data).hexdigest() == name
        return data

    def pieces(self, run_id: str = "run-1") -> list[Output]:
        """What was said of the output, in order."""
        return [b for b in self.bodies() if isinstance(b, Output) and b.run_id == run_id]

    def text(self, run_id: str = "run-1") -> str:
        """The output as far as it was said."""
        return "".join(piece.text for piece in self.pieces(run_id))


def left_by(path: Path) -> int:
    """The process id that a script wrote into a file."""
    return int(path.read_text("ascii"))


def is_gone(pid: int) -> bool:
    """Whether a process has ended, waited for or not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return True
    return text.rpartition(")")[2].split()[0] in {"Z", "X"}
