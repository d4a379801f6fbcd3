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
    GRANT_MISSING = "grant_missing"
    ROSTER_BEHIND = "roster_behind"
    REQUESTER_UNPROVEN = "requester_unproven"
    QUORUM_MISSING = "quorum_missing"
    VERDICT_DENIED = "verdict_denied"
    CAPABILITY_MISMATCH = "capability_mismatch"
    SCOPE_MISMATCH = "scope_mismatch"
    NODE_NOT_NAMED = "node_not_named"
    ACTION_MISMATCH = "action_mismatch"
    PLAN_CHANGED = "plan_changed"
    EPOCH_OLD = "epoch_old"
    REPLAYED = "replayed"
    REVOKED = "revoked"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    OUTSIDE_WINDOW = "outside_window"
    TOO_SOON = "too_soon"
    POLICY_DENIED = "policy_denied"
    POLICY_OPERATOR = "policy_operator"
    POLICY_WINDOW = "policy_window"
    POLICY_KIND = "policy_kind"
    POLICY_PATH = "policy_path"
    POLICY_USER = "policy_user"
    MODULE_UNSIGNED = "module_unsigned"
    MODULE_INVALID = "module_invalid"
    ROSTER_ROLLBACK = "roster_rollback"
    ROSTER_FORK = "roster_fork"
    ROSTER_INVALID = "roster_invalid"
    ROSTER_UNKNOWN = "roster_unknown"
    STATEMENT_INVALID = "statement_invalid"
    STATEMENT_OLD = "statement_old"
    REVOCATION_INVALID = "revocation_invalid"
    GENERATION_OLD = "generation_old"
    GENERATION_CONFLICT = "generation_conflict"
    FENCE_OLD = "fence_old"
    BUSY = "busy"
    NOT_APPROVED = "not_approved"
    COORDINATOR_KEY_CHANGED = "coordinator_key_changed"
    DISK_FULL = "disk_full"
    AUDIT_FORKED = "audit_forked"
    AUDIT_ROLLED_BACK = "audit_rolled_back"
    AUDIT_HEAD_INVALID = "audit_head_invalid"
    UNSUPPORTED = "unsupported"
    ROLLBACK_UNKNOWN = "rollback_unknown"
    SECRET_INVALID = "secret_invalid"  # noqa: S105 - a code, not a password
    SECRET_ROLLBACK = "secret_rollback"  # noqa: S105 - a code, not a password
    SECRET_FORBIDDEN = "secret_forbidden"  # noqa: S105 - a code, not a password


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
    Reason.GRANT_MISSING: Explanation(
        "no grant of the signer covers this work, in this scope, on this host's signed tags",
        "standfast roster show, and ask somebody whose grants cover it",
    ),
    Reason.ROSTER_BEHIND: Explanation(
        "the signer held a newer roster than this host: somebody keeps the news from it",
        "standfast why NODE, and look at what lies between the host and the coordinator",
    ),
    Reason.QUORUM_MISSING: Explanation(
        "fewer operators signed than the roster or this host's policy demands",
        "standfast approve RUN",
    ),
    Reason.REQUESTER_UNPROVEN: Explanation(
        "the rule leaves out whoever asked, and who asked has not signed",
        "the requester signs too: standfast approve RUN",
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
    Reason.REVOKED: Explanation("an operator took the decision back", "standfast state apply NODE"),
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
    Reason.OUTSIDE_WINDOW: Explanation(
        "the schedule's signed windows do not hold this moment", "wait for the next window"
    ),
    Reason.TOO_SOON: Explanation(
        "the schedule ran on this host less than its signed interval ago", "wait"
    ),
    Reason.POLICY_OPERATOR: Explanation(
        "the host's own policy file lets other operators decide this",
        "standfast-agent policy show, on the host",
    ),
    Reason.POLICY_WINDOW: Explanation(
        "the host's own policy file allows this at other times only",
        "standfast-agent policy show, on the host",
    ),
    Reason.POLICY_KIND: Explanation(
        "the host's own policy file does not allow a kind of resource that the modules hold",
        "standfast-agent policy show, on the host",
    ),
    Reason.POLICY_PATH: Explanation(
        "the host's own policy file does not allow a path that the modules write to",
        "standfast-agent policy show, on the host",
    ),
    Reason.POLICY_USER: Explanation(
        "the host's own policy file does not allow a user that the modules run programs as",
        "standfast-agent policy show, on the host",
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
    Reason.STATEMENT_INVALID: Explanation(
        "the statement about a host is malformed, or not signed by whom it takes",
        "standfast agents vouch NODE",
    ),
    Reason.STATEMENT_OLD: Explanation(
        "the statement about this host is not newer than the one it holds",
        "look for a restored or stolen coordinator database",
    ),
    Reason.REVOCATION_INVALID: Explanation(
        "what should take a decision back is malformed, or no operator signed it",
        "standfast approvals revoke DECISION",
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
    Reason.AUDIT_FORKED: Explanation(
        "the coordinator signed two event logs that differ: it or its key is in other hands",
        "standfast audit verify --live, and look for a second or stolen coordinator",
    ),
    Reason.AUDIT_ROLLED_BACK: Explanation(
        "the coordinator's event log is shorter than it was: it was restored or cut",
        "standfast audit verify --live; if the restore was yours: standfast audit accept",
    ),
    Reason.AUDIT_HEAD_INVALID: Explanation(
        "what came as a signed head of the event log is not signed by the pinned coordinator",
        "standfast audit verify --live",
    ),
    Reason.ROLLBACK_UNKNOWN: Explanation(
        "nothing is kept of that operation on this host: it is too old, or changed nothing here",
        "standfast state list --agent NODE, or apply the modules as they were",
    ),
    Reason.UNSUPPORTED: Explanation(
        "this agent's version does not know this kind of work", "upgrade the agent"
    ),
    Reason.SECRET_INVALID: Explanation(
        "a secret came without an operator's signature that holds, or with changed bytes",
        "standfast secrets set NAME, and look at who can write to the coordinator",
    ),
    Reason.SECRET_ROLLBACK: Explanation(
        "an older version of a secret was offered than this host has seen",
        "look for a restored or stolen coordinator database",
    ),
    Reason.SECRET_FORBIDDEN: Explanation(
        "the secret's signed restriction does not allow this host",
        "standfast secrets show NAME",
    ),
}
