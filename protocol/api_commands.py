"""API bodies of commands and their executions, as published, with our fields after them."""

from __future__ import annotations

import msgspec

from protocol.canonical import Json
from protocol.commands import DEFAULT_SHELL, Command, Ending
from protocol.executions import ExecutionStatus


class Targeting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which hosts: `type` is all, nodes, clusters or, ours, selector; filters narrow it down.

    It is resolved once, when the command is made. Ids and names that nothing has match nothing.
    """

    type: str
    node_ids: tuple[str, ...] = ()
    cluster_names: tuple[str, ...] = ()
    selector: str | None = None
    node_filters: dict[str, Json] = {}
    cluster_filters: dict[str, Json] = {}


class CreateCommandRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /commands: a `command_text` for a shell, or `argv`.

    `timeout` is in milliseconds, null for none. After `expires_at` (or `expired_at`, as older
    clients name it) no host begins. `max_parallel` 0 is all at once; once more than `max_failures`
    hosts have failed, the rest does not begin.
    """

    targeting: Targeting
    command_text: str | None = None
    timeout: int | None = None
    expires_at: str | None = None
    expired_at: str | None = None
    argv: tuple[str, ...] = ()
    user: str = ""
    cwd: str = "/"
    env: dict[str, str] = {}
    # A factory, for the API document cannot show bytes as a default.
    stdin: bytes = msgspec.field(default_factory=bytes)
    shell: str = DEFAULT_SHELL
    rlimits: dict[str, int] = {}
    transcript: bool = False
    max_parallel: int = 0
    max_failures: int | None = None

    def command(self) -> Command:
        """Return the document that a signature has to cover."""
        return Command(
            argv=self.argv,
            script=self.command_text or "",
            shell=self.shell,
            user=self.user,
            cwd=self.cwd,
            env=self.env,
            stdin=self.stdin,
            timeout_ms=self.timeout,
            rlimits=self.rlimits,
            transcript=self.transcript,
        )


class CommandInfo(msgspec.Struct, frozen=True):
    """One command; `run_id` is the run that it is done in, null if no host matched.

    `action_hash` is what a decision on it carries.
    """

    id: str
    command_text: str
    timeout: int | None
    expires_at: str | None
    expired_at: str | None
    target_all: bool
    cluster_name: str | None
    inserted_at: str
    updated_at: str
    run_id: str | None
    command: Command
    action_hash: str
    created_by: str
    executions: dict[str, int]


class Execution(msgspec.Struct, frozen=True):
    """A command on one host; ours are the fields after `updated_at`.

    `ending` tells a timeout and a cancel from a script's own 124 and 143, `reason` says why a host
    refused, `output_artifact` holds what is left out of `output` (`omitted` bytes).
    """

    id: str
    command_id: str
    node_id: str | None
    cluster_name: str | None
    command_text: str
    timeout: int | None
    expires_at: str | None
    expired_at: str | None
    status: ExecutionStatus
    exit_code: int | None
    output: str | None
    target_all: bool
    sent_at: str | None
    completed_at: str | None
    cancelled_at: str | None
    inserted_at: str
    updated_at: str
    node_name: str | None = None
    ending: Ending | None = None
    reason: str | None = None
    message: str = ""
    duration_ms: int | None = None
    output_size: int = 0
    omitted: int = 0
    output_artifact: str | None = None


class PreviewRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /commands/preview."""

    targeting: Targeting


class PreviewNode(msgspec.Struct, frozen=True):
    """A host that matches; `last_seen_at` says since when it is away if it is not connected."""

    node_id: str
    name: str | None
    connected: bool
    last_seen_at: str | None


class Preview(msgspec.Struct, frozen=True):
    """The hosts that a command with this targeting would be for, now."""

    nodes: tuple[PreviewNode, ...]
    total: int
    connected: int


class OutputPiece(msgspec.Struct, frozen=True):
    """A piece of output; `seq` counts over all hosts of a command, `offset` the host's bytes.

    `omitted` bytes were left out right before it.
    """

    seq: int
    node_id: str
    offset: int
    text: str
    omitted: int = 0


class OutputPage(msgspec.Struct, frozen=True):
    """Pieces after a sequence; `over`: no more will come."""

    pieces: tuple[OutputPiece, ...]
    over: bool
