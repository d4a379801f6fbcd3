"""The bodies of the HTTP API: what client and coordinator both read and write.

Request structs forbid unknown fields, response structs ignore them. Times named `*_at` are unix
seconds in the published families that use them (agents, operators, modules), RFC 3339 elsewhere.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from protocol import dsse
from protocol.canonical import Json
from protocol.decisions import PlanProof
from protocol.messages import Approval, StepKind
from protocol.receipts import Receipt
from protocol.reports import DriftRecord, OperationStatus, ResourceResult

RunPhase = Literal[
    "planning",
    "waiting_approval",
    "queued",
    "running",
    "completed",
    "failed",
    "cancelled",
    "denied",
    "expired",
]
StepPhase = Literal[
    "pending",
    "offered",
    "accepted",
    "running",
    "succeeded",
    "failed",
    "refused",
    "cancelled",
    "interrupted",
    "expired",
]


class Status(msgspec.Struct, frozen=True):
    """GET /status: health and identity of the coordinator; more only to operators.

    `rotations` are the statements by which its older keys named their successors.
    """

    protocol_version: int
    status: str
    public_key: str
    version: str = ""
    roster_version: int = 0
    roster_digest: str = ""
    agents: dict[str, int] = {}
    rotations: tuple[dsse.Envelope, ...] = ()


class DiscoverRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /discover: broadcast once, or send to one `host:port`."""

    target: str | None = None


class ChallengeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /auth/challenge."""

    public_key: str


class ChallengeResponse(msgspec.Struct, frozen=True):
    """What the operator signs: `protocol.login.statement` of these fields, for 60 s, once."""

    nonce: str
    challenge_id: str
    coordinator_key: str
    expires_at: int


class VerifyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /auth/verify; without `challenge_id` the latest challenge of the key is meant."""

    public_key: str
    signature: str
    challenge_id: str | None = None


class VerifyResponse(msgspec.Struct, frozen=True):
    """A session's bearer token and the unix second at which it ends."""

    token: str
    expires_at: int


class Operator(msgspec.Struct, frozen=True):
    """One operator; `in_roster` says whether hosts count this operator's signatures."""

    operator_id: str
    username: str
    role: str
    added_at: int
    added_by: str
    bootstrap: bool
    removed_at: int | None = None
    removed_by: str | None = None
    in_roster: bool = False


class AddOperatorRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /operators."""

    public_key: str
    username: str
    role: Literal["admin", "operator"] = "operator"


class RosterResponse(msgspec.Struct, frozen=True):
    """GET /roster: the chain after `?after=VERSION`, oldest first, with version and digest held."""

    version: int
    digest: str
    chain: tuple[dsse.Envelope, ...]


class RosterRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /roster: the next version, signed by a quorum of admins of the one held."""

    envelope: dsse.Envelope


class Agent(msgspec.Struct, frozen=True):
    """One managed host as the coordinator knows it; ours are the fields after `attributes`."""

    node_id: str
    name: str | None
    initial_hostname: str
    initial_ip: str
    agent_version: str
    status: Approval
    connected: bool
    connected_at: int
    updated_at: int
    tags: dict[str, str]
    attributes: dict[str, str]
    fingerprint: str = ""
    sealing_key: str = ""
    last_seen_at: int = 0
    roster_version: int = 0
    drift: str | None = None
    enrolment_key_id: str | None = None
    scope: str = ""
    resource_version: int = 0
    cloned: bool = False
    public_key: str = ""
    sealing_sig: str = ""


class StatusChangeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /agents/{node_id}; `name` is required when approving."""

    status: Literal["approved", "rejected"]
    name: str | None = None


class SetTagsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """PUT /agents/{node_id}/tags: replaces the whole set."""

    tags: dict[str, str]


class SetTagRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """PUT /agents/{node_id}/tags/{key}."""

    value: str


class TagsResponse(msgspec.Struct, frozen=True):
    """GET /tags: every key in use with its values."""

    tags: dict[str, tuple[str, ...]]


class UploadModuleRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /modules; `envelope` is the operator's signature over the exact bytes of `content`."""

    name: str
    content: str
    envelope: dsse.Envelope | None = None


class Module(msgspec.Struct, frozen=True):
    """One module; `sha256` is its version, `signed_by` the operators whose signatures hold."""

    name: str
    uploaded_at: int
    uploaded_by: str
    sha256: str = ""
    signed_by: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class ModuleDetail(Module, frozen=True):
    """GET /modules/{name}."""

    content: str = ""


class StateOperationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /agents/{node_id}/plan and /apply.

    For an apply, `plan_run_id` names the plan to be approved (else one is made first), `decision`
    may bring the signature along, `removal_limit` is how many removals the operator allows.
    `rollback_of` is an operation on this host that is to be taken back, in place of modules.
    """

    modules: tuple[str, ...] = ()
    plan_run_id: str | None = None
    removal_limit: int = 0
    decision: dsse.Envelope | None = None
    rollback_of: str | None = None


class RunRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /runs: the same over several hosts, by ids or by a selector that is resolved now."""

    step: StepKind
    nodes: tuple[str, ...] = ()
    selector: str | None = None
    modules: tuple[str, ...] = ()
    plan_run_id: str | None = None
    removal_limit: int = 0
    rollback_of: str | None = None


class RunStep(msgspec.Struct, frozen=True):
    """What a run did on one node; `result` is the plan, apply result or drift record, if there.

    `receipt` is the host's signed word for it: it names the bytes of `artifact`.
    """

    node_id: str
    name: str | None
    phase: StepPhase
    operation_id: str
    fence: int = 0
    reason: str | None = None
    message: str = ""
    artifact: str | None = None
    digest: str = ""
    plan_digest: str = ""
    plan_proof: PlanProof | None = None
    result: Json = None
    receipt: Receipt | None = None


class Run(msgspec.Struct, frozen=True):
    """A run over one or more nodes.

    For `state.apply` in `waiting_approval`, `action_hash` is what a decision must carry,
    `plan_root` and `removal_limit` are what it is made of, `plan_run_id` names the plans, and
    `decision` is the one that collects signatures, if there is any yet.
    """

    run_id: str
    step: StepKind
    phase: RunPhase
    scope: str
    created_at: str
    created_by: str
    modules: tuple[str, ...]
    steps: tuple[RunStep, ...]
    finished_at: str | None = None
    plan_run_id: str | None = None
    plan_root: str | None = None
    action_hash: str | None = None
    removal_limit: int = 0
    decision: dsse.Envelope | None = None
    rollback_of: str | None = None


class DecisionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /runs/{run_id}/decisions: a signed yes or no."""

    envelope: dsse.Envelope


class Operation(msgspec.Struct, frozen=True):
    """One apply on one host, as the published interface shows it."""

    operation_id: str
    kind: Literal["apply"]
    node_id: str
    actor: str
    modules: tuple[str, ...]
    started_at: int
    finished_at: int | None
    status: OperationStatus | Literal["waiting_approval", "refused", "expired", "denied"]
    resources: tuple[ResourceResult, ...] = ()
    snapshot_id: str | None = None
    run_id: str = ""
    reason: str | None = None
    message: str = ""


class OperationPage(msgspec.Struct, frozen=True):
    """Operations, newest first."""

    operations: tuple[Operation, ...]
    total: int
    limit: int
    offset: int


class DriftPage(msgspec.Struct, frozen=True):
    """Drift records of one agent, newest first."""

    records: tuple[DriftRecord, ...]


class CreateEnrolmentKeyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /clusters/{cluster}/enrollment_keys; null uses means without limit.

    `recovers` names a host that was installed anew and is to keep its id: one use only.
    """

    name: str | None = None
    uses_remaining: int | msgspec.UnsetType | None = msgspec.UNSET
    expires_at: str | None = None
    tags: dict[str, str] = {}
    auto_approve: bool = False
    urls: tuple[str, ...] = ()
    recovers: str | None = None


class UpdateEnrolmentKeyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """PATCH /enrollment_keys/{id}: absent keeps, null clears."""

    name: str | msgspec.UnsetType | None = msgspec.UNSET
    uses_remaining: int | msgspec.UnsetType | None = msgspec.UNSET
    expires_at: str | msgspec.UnsetType | None = msgspec.UNSET


class EnrolmentKeyInfo(msgspec.Struct, frozen=True):
    """One enrolment key; `key`, the string itself, is there only in the answer that creates it."""

    id: str
    cluster_name: str
    name: str | None
    uses_remaining: int | None
    expires_at: str | None
    last_used_at: str | None
    inserted_at: str
    updated_at: str
    auto_approve: bool = False
    tags: dict[str, str] = {}
    key: str | None = None
    recovers: str | None = None


class Pagination(msgspec.Struct, frozen=True):
    """Where a page stands in its list."""

    page: int
    page_size: int
    total_count: int
    total_pages: int
    has_next: bool
    has_prev: bool
    next_page: int | None
    prev_page: int | None


class Meta(msgspec.Struct, frozen=True, omit_defaults=True):
    """What every enveloped answer and every error carries."""

    request_id: str
    timestamp: str
    trace_id: str | None = None
    pagination: Pagination | None = None


class ErrorBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong: a stable code, a sentence, per field what would be right, what to type."""

    code: str
    message: str
    details: dict[str, tuple[str, ...]] | None = None
    next: str | None = None


class ErrorResponse(msgspec.Struct, frozen=True):
    """The one shape of every error."""

    error: ErrorBody
    meta: Meta
