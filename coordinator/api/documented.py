"""What the framework cannot see of an operation, added to its entry in the API document."""

from __future__ import annotations

from dataclasses import dataclass

from litestar.openapi.spec import Operation, Parameter, Schema
from litestar.openapi.spec.enums import OpenAPIType

TAGS: tuple[tuple[str, str], ...] = (
    ("status", "Health and identity of the coordinator, and discovery."),
    ("auth", "Log-in: a challenge, and its signature for a session token."),
    ("tokens", "Named tokens for programs: made by an admin, shown once."),
    ("audit", "The event log as evidence: read, sign, prune, export."),
    ("operators", "Who may use the API."),
    ("roster", "The signed list of operators that hosts trust."),
    ("clones", "Hosts of which several hold the key, and the choice between them."),
    ("agents", "Managed hosts: approval, attributes, tags."),
    ("enrollment keys", "Strings that let new hosts in."),
    ("modules", "Files of desired state, by content hash."),
    ("artifacts", "Bytes by SHA-256: what modules name, and what hosts and events left."),
    ("secrets", "Values sealed to hosts and operators; the coordinator cannot read them."),
    ("state", "Plan, apply and drift of one host."),
    ("runs", "Work over one or more hosts, its decisions and progress."),
    ("commands", "Commands over many hosts, each host's execution, and what it printed."),
    ("approvals", "What waits for signatures, who signed, and taking a decision back."),
    ("events", "What happened, in one sequence."),
    ("health", "Probes for a supervisor or load balancer."),
)


def header(name: str, description: str) -> Parameter:
    """Return an optional header that is text."""
    return Parameter(
        name=name,
        param_in="header",
        description=description,
        required=False,
        schema=Schema(type=OpenAPIType.STRING),
    )


IDEMPOTENCY = header(
    "Idempotency-Key",
    "Any string of up to 255 characters: the same key with the same request gives the same answer"
    " for a day, and the work is done once; with another request it is a conflict.",
)
IF_MATCH = header(
    "If-Match",
    'The `resource_version` in quotes, such as "12": the change is refused if it is another now.',
)
PREFER = header(
    "Prefer",
    "`wait=N` waits up to N seconds for the result (30 unless said, at most 120);"
    " `respond-async` answers at once with the run.",
)


@dataclass
class Creating(Operation):
    """An operation that takes `Idempotency-Key`."""

    def __post_init__(self) -> None:
        """Add the header."""
        self.parameters = [*(self.parameters or []), IDEMPOTENCY]


@dataclass
class Updating(Operation):
    """An operation that takes `If-Match`."""

    def __post_init__(self) -> None:
        """Add the header."""
        self.parameters = [*(self.parameters or []), IF_MATCH]


@dataclass
class Deciding(Operation):
    """An operation that takes `Idempotency-Key` and `If-Match`."""

    def __post_init__(self) -> None:
        """Add both headers."""
        self.parameters = [*(self.parameters or []), IDEMPOTENCY, IF_MATCH]


@dataclass
class Waiting(Operation):
    """An operation that starts a run and may wait for its end."""

    def __post_init__(self) -> None:
        """Add both headers."""
        self.parameters = [*(self.parameters or []), IDEMPOTENCY, PREFER]
