"""The bodies of the API that explain: why a host is as it is, and what a code means."""

from __future__ import annotations

import msgspec


class WhyLine(msgspec.Struct, frozen=True):
    """One thing about a node that a person asks for: code, cause, next command."""

    at: str
    code: str
    meaning: str
    detail: str
    next: str
    severity: str = "info"
    run_id: str | None = None


class Why(msgspec.Struct, frozen=True):
    """GET /agents/{node_id}/why: newest first."""

    node_id: str
    name: str | None
    lines: tuple[WhyLine, ...]


class Explained(msgspec.Struct, frozen=True):
    """What a refusal's code means to a person, and the command that helps."""

    code: str
    meaning: str
    next: str
