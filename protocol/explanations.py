"""What every code of a refusal means to a person, and what to type next: hosts' and the API's.

The reasons of hosts stand in `protocol.reasons`; here are the words of the API beside them.
"""

from __future__ import annotations

from collections.abc import Mapping

from protocol.reasons import EXPLAIN, Explanation, Reason

API: Mapping[str, Explanation] = {
    "bad_request": Explanation(
        "the request breaks a rule; its details say which field and what would be right", ""
    ),
    "unauthorized": Explanation(
        "no valid session or token came with the request", "standfast operator whoami"
    ),
    "forbidden": Explanation(
        "your role, or the token's capabilities, do not allow this", "standfast operator whoami"
    ),
    "not_found": Explanation("there is nothing of that id or name", ""),
    "conflict": Explanation(
        "the object is not in the state that the request needs: look at it again", ""
    ),
    "payload_too_large": Explanation("the body is over the limit", ""),
    "validation_failed": Explanation("a field breaks its rule; the details say which and how", ""),
    "too_many_requests": Explanation(
        "too many requests at once; the answer says when to come back", "wait a little"
    ),
    "service_unavailable": Explanation(
        "the coordinator cannot do this now", "try again in some seconds"
    ),
    "internal_server_error": Explanation(
        "a fault of the coordinator; its log has the request's id", ""
    ),
    "decision_open": Explanation(
        "another decision collects signatures for this run: co-signing needs the same bytes",
        "standfast approvals show RUN, then standfast approve RUN",
    ),
    "statement_missing": Explanation(
        "no operator has signed what this host is: grants and secrets that ask tags pass it by",
        "standfast agents vouch NODE",
    ),
    "proposal_closed": Explanation(
        "the proposed roster was accepted, replaced by another, or has expired",
        "standfast roster show",
    ),
    "pending_full": Explanation(
        "as many hosts wait for approval as the coordinator keeps", "standfast agents list"
    ),
    "invalid_key": Explanation(
        "the enrolment key is unknown, used up or expired", "standfast enrol-key list"
    ),
}


def explain(code: str) -> Explanation | None:
    """Return what a code means, or None for one that no part of the system says."""
    if code in set(Reason):
        return EXPLAIN[Reason(code)]
    return API.get(code)


def codes() -> tuple[str, ...]:
    """Return every code that can be explained, sorted."""
    return tuple(sorted({*(reason.value for reason in Reason), *API}))
