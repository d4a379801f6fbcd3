"""The messages of the agent link, one msgpack map with a `type` each (design, section 5).

Unknown fields are ignored, an unknown type is an error. Binary values are raw bytes.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from protocol import dsse, journal
from protocol.artifacts import ArtifactAsk, ArtifactPart
from protocol.canonical import MAX_INTEGER
from protocol.commands import Command, Output
from protocol.decisions import NodeProof, PlanProof
from protocol.errors import MALFORMED, DecodeError
from protocol.limits import MAX_FRAME, MAX_ID, MAX_TEXT
from protocol.policy import Capability
from protocol.ratchet import VALUE_SIZE
from protocol.reports import DriftRecord, ResourceResult
from protocol.revocations import MAX_REVOCATIONS
from protocol.secrets import SealedSecret
from protocol.standing import Standing

# Versions of the link protocol that this code speaks, best first.
VERSIONS: tuple[int, ...] = (1,)

Approval = Literal["pending", "approved", "rejected"]
StepKind = Literal["state.plan", "state.apply", "state.drift", "command.run"]
StepOutcome = Literal["succeeded", "failed", "cancelled", "refused", "interrupted", "expired"]


# What the coordinator sends is bounded where it is decoded: a number fits a database's column, and
# a name fits the heartbeat that repeats it. A host must survive the words of a stolen coordinator.
Counter = Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER)]
Id = Annotated[str, msgspec.Meta(max_length=MAX_ID)]
Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]


class ModuleVersion(msgspec.Struct, frozen=True):
    """A module's exact bytes and the signatures of the operators who made it."""

    name: str
    sha256: str
    content: bytes
    envelope: dsse.Envelope | None = None


# --- up: agent to coordinator -------------------------------------------------------------------


class Hello(msgspec.Struct, frozen=True, tag="hello", tag_field="type"):
    """Opens the handshake: who the agent is, what it speaks, how far it has come.

    `sealing_key` is X25519, signed by the identity key over its own context. `node_id` is the id
    that it goes by: that of its key, or its old one after it was installed anew; "" means the
    former.
    """

    versions: tuple[int, ...]
    public_key: bytes
    sealing_key: bytes
    sealing_sig: bytes
    nonce: bytes
    agent_version: str
    hostname: str
    roster_version: int
    generation: int
    journal_head: int
    node_id: str = ""


class Proof(msgspec.Struct, frozen=True, tag="proof", tag_field="type"):
    """The agent's signature over the transcript; the enrolment secret only after the other's.

    `ratchet_seq` and `ratchet_proof` show that it holds the value of its last welcome
    (`protocol.ratchet`).
    """

    signature: bytes
    enrolment_secret: bytes | None = None
    ratchet_seq: int = 0
    ratchet_proof: bytes = b""

    def __repr__(self) -> str:
        return "Proof(<hidden>)"


class Facts(msgspec.Struct, frozen=True, tag="facts", tag_field="type"):
    """The whole attribute map of the host; `details` are typed values that are not matched on."""

    attributes: dict[str, str]
    details: dict[str, int | float | str | None] = {}


class Journal(msgspec.Struct, frozen=True, tag="journal", tag_field="type"):
    """A batch of entries in sequence."""

    entries: tuple[journal.Entry, ...]


class Heartbeat(msgspec.Struct, frozen=True, tag="heartbeat", tag_field="type"):
    """Alive: health, the leases held, the generation acted on."""

    at: float
    leases: tuple[str, ...] = ()
    generation: int = 0
    drift: str | None = None
    problems: tuple[str, ...] = ()


# --- down: coordinator to agent -----------------------------------------------------------------


class Challenge(msgspec.Struct, frozen=True, tag="challenge", tag_field="type"):
    """The coordinator's half of the handshake; `signature` covers its transcript.

    `rotations` are statements by which older coordinator keys name their successors.
    """

    version: int
    public_key: bytes
    nonce: bytes
    signature: bytes
    rotations: tuple[dsse.Envelope, ...] = ()


class Welcome(msgspec.Struct, frozen=True, tag="welcome", tag_field="type"):
    """The handshake holds: approval state, what is stored of the journal, the roster version.

    The first of a link offers the next value of the ratchet, which the agent stores.
    """

    node_id: Id
    approval: Approval
    acked: Counter
    roster_version: Counter
    time: float
    scope: Text
    name: Id | None = None
    heartbeat: float = 15.0
    ratchet_seq: Counter = 0
    ratchet: Annotated[bytes, msgspec.Meta(max_length=VALUE_SIZE)] = b""


class Rejected(msgspec.Struct, frozen=True, tag="rejected", tag_field="type"):
    """The coordinator will not have this agent now; it may come back in `retry_after` seconds."""

    code: Id
    message: Text
    retry_after: float = 60.0


class Desired(msgspec.Struct, frozen=True, tag="desired", tag_field="type"):
    """The node's whole desired document under a generation that only rises."""

    generation: Counter
    document: bytes


class Offer(msgspec.Struct, frozen=True, tag="offer", tag_field="type"):
    """One step for this host under a lease; `fence` rises with each new offer of the same step.

    For `state.apply`, `approved` are the item digests of this host's approved plan, `proof` ties
    their plan to the root that the decision's action hash covers, `removal_limit` is the guard.
    `node_proof` leads to the decision's `nodes_root`. With `standing` the decision binds the module
    versions and this order of a schedule, and `approved` and `proof` say nothing. `secrets` are
    those that the modules name, sealed to this host. `rollback_of` names an operation that is to
    be taken back; then there are no modules. `command` is what `command.run` runs; after
    `expires_at` it is not begun.
    """

    run_id: Id
    step: StepKind
    lease: Id
    fence: Counter
    operation_id: Id
    modules: tuple[ModuleVersion, ...] = ()
    decision: dsse.Envelope | None = None
    approved: tuple[str, ...] = ()
    proof: PlanProof | None = None
    removal_limit: Counter = 0
    expires_at: float | None = None
    node_proof: NodeProof | None = None
    standing: Standing | None = None
    secrets: tuple[SealedSecret, ...] = ()
    rollback_of: Id = ""
    command: Command | None = None


class Cancel(msgspec.Struct, frozen=True, tag="cancel", tag_field="type"):
    """Stop a step; what was done is reported as it is."""

    run_id: Id
    fence: Counter


class RosterUpdate(msgspec.Struct, frozen=True, tag="roster", tag_field="type"):
    """Roster versions after the one that the agent named, oldest first."""

    chain: tuple[dsse.Envelope, ...]


class StatementUpdate(msgspec.Struct, frozen=True, tag="statement", tag_field="type"):
    """The newest statement that the operators signed about this host."""

    envelope: dsse.Envelope


class RevocationUpdate(msgspec.Struct, frozen=True, tag="revocations", tag_field="type"):
    """Decisions that operators took back and that are not expired; all of them, at every start."""

    envelopes: Annotated[tuple[dsse.Envelope, ...], msgspec.Meta(max_length=MAX_REVOCATIONS)]


class Ack(msgspec.Struct, frozen=True, tag="ack", tag_field="type"):
    """Every entry up to and with this sequence is stored.

    `head` is what the coordinator signs about its event log, when that grew (`audit_heads`).
    """

    seq: Counter
    head: dsse.Envelope | None = None


class Close(msgspec.Struct, frozen=True, tag="close", tag_field="type"):
    """A last word before the link is closed, from either side."""

    code: Id
    message: Text = ""


# --- bodies of journal entries ------------------------------------------------------------------


class Accepted(msgspec.Struct, frozen=True):
    """`accepted`: the step was verified, the decision consumed, the step will be done."""

    run_id: str
    fence: int
    capability: Capability | None = None
    decision_id: str | None = None
    signers: tuple[str, ...] = ()


class RefusedStep(msgspec.Struct, frozen=True):
    """`refused`: nothing of the step was done, and why (a `Reason` value)."""

    run_id: str
    fence: int
    reason: str
    detail: str


class Started(msgspec.Struct, frozen=True):
    """`started`: the step began to act."""

    run_id: str
    fence: int


class Progress(msgspec.Struct, frozen=True):
    """`progress`: one resource of an apply is done."""

    run_id: str
    fence: int
    result: ResourceResult


class ArtifactChunk(msgspec.Struct, frozen=True):
    """`artifact`: a piece of an artifact; the last piece completes `size` bytes."""

    sha256: str
    kind: str
    offset: int
    size: int
    data: bytes


class Finished(msgspec.Struct, frozen=True):
    """`finished`: the step's outcome; `artifact` names its result document, sent before.

    The document is JSON: a `PlanResult`, `ApplyResult`, `DriftRecord` or `CommandResult`. `reason`
    is a `Reason` value where not all was done: `plan_changed`, `module_unsigned`.
    """

    run_id: str
    fence: int
    outcome: StepOutcome
    artifact: str | None = None
    digest: str = ""
    message: str = ""
    reason: str = ""


class Drift(msgspec.Struct, frozen=True):
    """`drift`: a look of the agent's own found a change of state."""

    record: DriftRecord
    seen_after_ms: int | None = None


class Audit(msgspec.Struct, frozen=True):
    """`audit`: something the operators must be able to know of, with a reason code if refused."""

    event: str
    message: str
    reason: str | None = None
    severity: Literal["info", "warning", "critical"] = "info"


Body = (
    Accepted | RefusedStep | Started | Progress | Output | ArtifactChunk | Finished | Drift | Audit
)
BODY_TYPES: dict[journal.EntryKind, type[Body]] = {
    "accepted": Accepted,
    "refused": RefusedStep,
    "started": Started,
    "progress": Progress,
    "output": Output,
    "artifact": ArtifactChunk,
    "finished": Finished,
    "drift": Drift,
    "audit": Audit,
}

Up = Hello | Proof | Facts | Journal | Heartbeat | ArtifactAsk | Close
# What a coordinator may say on an established link, beside the session's own words.
Signed = RosterUpdate | StatementUpdate | RevocationUpdate
Told = Desired | Offer | Cancel | Signed | ArtifactPart | Ack
Down = Challenge | Welcome | Rejected | Told | Close
Message = Up | Down

_encoder = msgspec.msgpack.Encoder()
_up: msgspec.msgpack.Decoder[Up] = msgspec.msgpack.Decoder(Up)
_down: msgspec.msgpack.Decoder[Down] = msgspec.msgpack.Decoder(Down)


def encode(message: Message) -> bytes:
    """Return the frame that carries a message.

    Raises:
        DecodeError: the frame would be over the limit.
    """
    data = _encoder.encode(message)
    if len(data) > MAX_FRAME:
        raise DecodeError(f"message of {len(data)} bytes is over the limit of {MAX_FRAME}")
    return data


def decode_up(data: bytes) -> Up:
    """Return the message of a frame from an agent.

    Raises:
        DecodeError: too long, not msgpack, or not a message that agents send.
    """
    _check_size(data)
    try:
        return _up.decode(data)
    except MALFORMED as error:
        raise DecodeError(f"not a message of an agent: {error}") from error


def decode_down(data: bytes) -> Down:
    """Return the message of a frame from the coordinator.

    Raises:
        DecodeError: too long, not msgpack, or not a message that the coordinator sends.
    """
    _check_size(data)
    try:
        return _down.decode(data)
    except MALFORMED as error:
        raise DecodeError(f"not a message of the coordinator: {error}") from error


def _check_size(data: bytes) -> None:
    if len(data) > MAX_FRAME:
        raise DecodeError(f"frame of {len(data)} bytes is over the limit of {MAX_FRAME}")


def encode_body(body: Body) -> bytes:
    """Return the body of a journal entry."""
    return _encoder.encode(body)


def decode_body(entry: journal.Entry) -> Body:
    """Return the body of a journal entry by its kind.

    Raises:
        DecodeError: the body does not hold what its kind says.
    """
    try:
        return msgspec.msgpack.decode(entry.body, type=BODY_TYPES[entry.kind])
    except MALFORMED as error:
        raise DecodeError(f"journal entry {entry.seq} ({entry.kind}): {error}") from error
