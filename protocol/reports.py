"""What a host says about its state: plan items, plans, results, drift records, machine state.

The shapes are those of the published interface (`docs/reference/api.md`), with our digests added.
Wire structs: unknown fields are ignored, so that a newer host can talk to an older coordinator.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

import msgspec

from protocol import canonical, ids, merkle
from protocol.canonical import Json

Action = Literal["none", "create", "update", "remove", "run", "unknown", "error"]
# Actions that a decision binds; the others are told but never done.
BOUND: frozenset[Action] = frozenset({"create", "update", "remove", "run"})
TriggerKind = Literal["reload", "restart", "rerun"]
ResultStatus = Literal[
    "unchanged", "changed", "removed", "failed", "skipped", "stale", "interrupted", "unknown"
]
DriftStatus = Literal["in_sync", "drifted", "failed", "cancelled"]
DriftSource = Literal["manual", "scheduled", "event"]
OperationStatus = Literal["running", "succeeded", "failed", "cancelled", "interrupted"]


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One field that differs; `diff` holds unified diff lines where the field is text.

    `sensitive`: it holds a secret, or did; `redacted`: the host has taken the secret out of what
    stands here, so that the rest can be shown.
    """

    field: str
    current: str | None = None
    desired: str | None = None
    sensitive: bool = False
    diff: tuple[str, ...] = ()
    redacted: bool = False


class Trigger(msgspec.Struct, frozen=True):
    """Why a resource acts although it is as desired: `because` names the resources that change."""

    kind: TriggerKind
    because: tuple[str, ...]


class Author(msgspec.Struct, frozen=True, omit_defaults=True):
    """The process that made a change, as far as it could still be seen when the change was told.

    `uid` is the user with whose rights it acted, `login_uid` the one who had logged in (whatever
    he became since); `user` and `login` are their names on that host. `command` is cut, and left
    out where a resource holds something sensitive; `parent` is the program that started it; `unit`
    is its service or session.
    """

    pid: int
    exe: str | None = None
    command: str | None = None
    uid: int | None = None
    user: str | None = None
    login_uid: int | None = None
    login: str | None = None
    unit: str | None = None
    parent: str | None = None

    def __str__(self) -> str:
        """Return one line: what it was, and in brackets under which number and for whom."""
        who = [f"pid {self.pid}"]
        if self.parent is not None:
            who.append(f"started by {self.parent}")
        if self.uid is not None:
            who.append(f"user {self.user or self.uid}")
        if self.login_uid is not None and self.login_uid != self.uid:
            who.append(f"logged in as {self.login or self.login_uid}")
        if self.unit is not None:
            who.append(self.unit)
        return f"{self.command or self.exe or 'a process that is gone'} ({', '.join(who)})"


class ResourceDiff(msgspec.Struct, frozen=True, omit_defaults=True):
    """One resource of a plan or a drift record.

    `desired` and `observed` are SHA-256 hex digests of the whole desired specification and of the
    observed state before the change; `digest` is the item's own digest, the leaf that a decision
    binds. Items with action `none`, `unknown` or `error` are not bound and have digest "".
    `changed_at` and `changed_by` say when (seconds since the epoch) and by whom a drifted resource
    was changed last, if the host knows.
    """

    module: str
    type: str
    identity: str
    action: Action
    id: str | None = None
    name: str | None = None
    changes: tuple[Change, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    message: str | None = None
    desired: str = ""
    observed: str = ""
    digest: str = ""
    changed_at: float | None = None
    changed_by: Author | None = None

    @property
    def address(self) -> str:
        """The name of the resource on its host: `module/identity`."""
        return f"{self.module}/{self.identity}"


class PlanSummary(msgspec.Struct, frozen=True):
    """How many resources of a plan fall under each action."""

    create: int = 0
    update: int = 0
    remove: int = 0
    run: int = 0
    none: int = 0
    unknown: int = 0
    error: int = 0


class PlanResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """A host's answer to a plan; `digest` is the Merkle root over its bound items."""

    node_id: str
    modules: tuple[str, ...]
    resources: tuple[ResourceDiff, ...]
    summary: PlanSummary
    digest: str = ""
    snapshot_of: str | None = None


class ResourceResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one resource in an apply."""

    module: str
    type: str
    identity: str
    action: Action
    status: ResultStatus
    duration_ms: int = 0
    id: str | None = None
    triggered: tuple[str, ...] = ()
    error: str | None = None
    has_output: bool = False
    digest: str = ""


class DriftRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One look at a host against the snapshot of its last successful apply.

    `checked_at` is the host's clock in seconds since the epoch. `repaired` is what became of the
    resources that the host put right by itself, because their module says `on_drift: repair`.
    `pending` is the other axis: how the modules that the host was shown last differ from what was
    applied; `resources` is how the host itself does.
    """

    drift_id: str
    node_id: str
    source: DriftSource
    checked_at: float
    status: DriftStatus
    snapshot_operation_id: str | None = None
    resources: tuple[ResourceDiff, ...] = ()
    message: str | None = None
    repaired: tuple[ResourceResult, ...] = ()
    pending: tuple[ResourceDiff, ...] = ()


class AppliedSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """One resource in a machine's believed state."""

    module: str
    type: str
    identity: str
    id: str | None = None
    desired: str = ""


class MachineState(msgspec.Struct, frozen=True):
    """What a machine is believed to hold: applied, no longer desired, not yet applied.

    Both axes as its newest drift record has them: `drifted` is how the host differs from what was
    applied, `pending` how what was applied differs from the modules that it was shown last.
    """

    applied: tuple[AppliedSummary, ...] = ()
    pending_removals: tuple[AppliedSummary, ...] = ()
    unapplied: tuple[AppliedSummary, ...] = ()
    drifted: tuple[ResourceDiff, ...] = ()
    pending: tuple[ResourceDiff, ...] = ()


class CapturedStream(msgspec.Struct, frozen=True):
    """Captured output of one program run; `exit` follows the shell (124 timeout, 128+n signal)."""

    exit: int
    stdout: str
    stderr: str
    truncated: bool = False


class ScriptOutput(msgspec.Struct, frozen=True, omit_defaults=True):
    """The captured phases of one script resource."""

    check: CapturedStream | None = None
    apply: CapturedStream | None = None
    undo: CapturedStream | None = None


class ApplyResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """A host's answer to an apply; `output` is keyed `module/identity`."""

    operation_id: str
    node_id: str
    modules: tuple[str, ...]
    status: OperationStatus
    started_at: float
    finished_at: float
    resources: tuple[ResourceResult, ...] = ()
    output: dict[str, ScriptOutput] = {}
    plan_digest: str = ""
    state: MachineState | None = None
    error: str | None = None


def item_digest(item: ResourceDiff) -> str:
    """Return the digest that a decision binds: what is done, to what, from which state to which.

    The diff text is left out: it is for people, redacted, and follows from the two states.
    """
    triggers: list[Json] = [
        {"kind": trigger.kind, "because": list(trigger.because)} for trigger in item.triggers
    ]
    return canonical.digest(
        {
            "context": "standfast/plan-item/v1",
            "module": item.module,
            "type": item.type,
            "identity": item.identity,
            "action": item.action,
            "desired": item.desired,
            "observed": item.observed,
            "triggers": triggers,
        }
    )


def plan_digest(items: tuple[ResourceDiff, ...]) -> str:
    """Return the digest of one host's plan: the Merkle root over its bound items, in sorted order.

    Order of items carries no meaning here (dependencies order the work), so sorting makes the
    digest the same for the same set of changes.
    """
    return approved_digest(item.digest for item in items if item.digest)


def approved_digest(digests: Iterable[str]) -> str:
    """Return the plan digest that a set of item digests makes, in whatever order they come.

    Raises:
        InvalidName: one of them is not a digest.
    """
    leaves = sorted(ids.check_hex64(digest, "item digest") for digest in digests)
    return merkle.root(leaves).hex()


def content_digest(data: bytes) -> str:
    """Return the SHA-256 of bytes as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()
