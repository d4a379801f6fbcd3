"""Reason codes of refusals: one word per cause, the same in agent, API, CLI and audit."""

from __future__ import annotations

import enum

import msgspec


class Reason(enum.StrEnum):
    """Why a host (or the coordinator) refused; each has a sentence and a next step in `EXPLAIN`."""

    ENVELOPE_INVALID = "envelope_invalid"
    UNSIGNED = "unsigned"
    SIGNER_UNKNOWN = "signer_unknown"
    SIGNATURE_INVALID = "signature_invalid"
    ROLE_FORBIDDEN = "role_forbidden"
    QUORUM_MISSING = "quorum_missing"
    VERDICT_DENIED = "verdict_denied"
    CAPABILITY_MISMATCH = "capability_mismatch"
    SCOPE_MISMATCH = "scope_mismatch"
    NODE_NOT_NAMED = "node_not_named"
    ACTION_MISMATCH = "action_mismatch"
    PLAN_CHANGED = "plan_changed"
    EPOCH_OLD = "epoch_old"
    REPLAYED = "replayed"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    POLICY_DENIED = "policy_denied"
    MODULE_UNSIGNED = "module_unsigned"
    MODULE_INVALID = "module_invalid"
    ROSTER_ROLLBACK = "roster_rollback"
    ROSTER_FORK = "roster_fork"
    ROSTER_INVALID = "roster_invalid"
    ROSTER_UNKNOWN = "roster_unknown"
    GENERATION_OLD = "generation_old"
    GENERATION_CONFLICT = "generation_conflict"
    FENCE_OLD = "fence_old"
    BUSY = "busy"
    NOT_APPROVED = "not_approved"
    COORDINATOR_KEY_CHANGED = "coordinator_key_changed"
    DISK_FULL = "disk_full"
    UNSUPPORTED = "unsupported"


class Explanation(msgspec.Struct, frozen=True):
    """What a reason means to a person, and the command that helps."""

    meaning: str
    next: str


class Refused(msgspec.Struct, frozen=True):
    """A refusal as a value: the code, what exactly was wrong, with which object."""

    reason: Reason
    detail: str


EXPLAIN: dict[Reason, Explanation] = {
    Reason.ENVELOPE_INVALID: Explanation(
        "the decision is not a well-formed signed envelope",
        "standfast state plan NODE, then approve the new plan",
    ),
    Reason.UNSIGNED: Explanation(
        "nobody signed the decision; this host runs nothing unsigned",
        "standfast approve RUN",
    ),
    Reason.SIGNER_UNKNOWN: Explanation(
        "the signing key is not an operator in the roster that this host trusts",
        "standfast operator list",
    ),
    Reason.SIGNATURE_INVALID: Explanation(
        "a signature does not match the bytes it stands for: they were changed on the way",
        "standfast state plan NODE, and look at who can write to the coordinator",
    ),
    Reason.ROLE_FORBIDDEN: Explanation(
        "the signer's role may not decide this", "ask an admin or operator to approve"
    ),
    Reason.QUORUM_MISSING: Explanation(
        "fewer operators signed than this host's policy demands", "standfast approve RUN"
    ),
    Reason.VERDICT_DENIED: Explanation("an operator said no", "standfast state show RUN"),
    Reason.CAPABILITY_MISMATCH: Explanation(
        "the decision allows another kind of work than the one offered",
        "standfast approve RUN",
    ),
    Reason.SCOPE_MISMATCH: Explanation(
        "the decision belongs to another scope than this host", "standfast agents list"
    ),
    Reason.NODE_NOT_NAMED: Explanation(
        "the decision does not name this host", "standfast state apply NODE"
    ),
    Reason.ACTION_MISMATCH: Explanation(
        "the work offered is not the work that was signed", "standfast state plan NODE"
    ),
    Reason.PLAN_CHANGED: Explanation(
        "the host is no longer in the state that the approved plan was made from",
        "standfast state plan NODE, then approve the new plan",
    ),
    Reason.EPOCH_OLD: Explanation(
        "the decision was made before the operators drew a line under older ones",
        "standfast approve RUN",
    ),
    Reason.REPLAYED: Explanation(
        "the decision has been used up on this host", "standfast state apply NODE"
    ),
    Reason.NOT_YET_VALID: Explanation(
        "the decision is not valid yet by this host's clock", "check the clocks of both machines"
    ),
    Reason.EXPIRED: Explanation(
        "the decision's time is over by the latest time this host has seen",
        "standfast state apply NODE",
    ),
    Reason.POLICY_DENIED: Explanation(
        "the host's own policy file forbids it", "read /etc/standfast/policy.toml on the host"
    ),
    Reason.MODULE_UNSIGNED: Explanation(
        "the module carries no signature that holds, so commands in it are not run to look",
        "standfast state upload FILE",
    ),
    Reason.MODULE_INVALID: Explanation(
        "a module could not be loaded or resolved for this host", "standfast-state validate FILE"
    ),
    Reason.ROSTER_ROLLBACK: Explanation(
        "the roster offered is older than the one this host trusts",
        "look for a restored or stolen coordinator database",
    ),
    Reason.ROSTER_FORK: Explanation(
        "the roster offered does not continue the one this host trusts",
        "look for a second or stolen coordinator",
    ),
    Reason.ROSTER_INVALID: Explanation(
        "the roster is malformed or not signed by a quorum of the previous admins",
        "standfast operator list",
    ),
    Reason.ROSTER_UNKNOWN: Explanation(
        "this host has no roster yet, so nobody can approve anything on it",
        "standfast operator init, then log in once",
    ),
    Reason.GENERATION_OLD: Explanation(
        "the desired state offered is older than the one on disk", "standfast why NODE"
    ),
    Reason.GENERATION_CONFLICT: Explanation(
        "another desired state came under a number that is already taken", "standfast why NODE"
    ),
    Reason.FENCE_OLD: Explanation("a newer offer has replaced this one", "standfast state list"),
    Reason.BUSY: Explanation("the host already holds as many offers as it keeps", "wait"),
    Reason.NOT_APPROVED: Explanation(
        "the host is not approved", "standfast agents approve NODE --name NAME"
    ),
    Reason.COORDINATOR_KEY_CHANGED: Explanation(
        "the coordinator answers with another key than the pinned one, and no rotation statement",
        "compare the keys; enrol again only if the change was yours",
    ),
    Reason.DISK_FULL: Explanation("the host's disk is full", "make room on the host"),
    Reason.UNSUPPORTED: Explanation(
        "this agent's version does not know this kind of work", "upgrade the agent"
    ),
}
