"""The roster as the coordinator carries it: each new version is verified in its own transaction."""

from __future__ import annotations

from coordinator.domain import operators
from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal, RefusalKind
from coordinator.store import roster_proposals, rosters
from coordinator.store.database import Tx
from coordinator.store.events import COORDINATOR, NewEvent, Principal
from protocol import api, dsse, ids
from protocol.reasons import Reason, Refused
from protocol.roster import Roster, TrustedRoster, decode, verify_first, verify_next


def current(tx: Tx) -> TrustedRoster | None:
    """Return the newest roster, or None before there is any.

    It was verified when it was stored; the coordinator's own disk is trusted here, and hosts
    verify the chain themselves.
    """
    stored = rosters.current(tx)
    if stored is None:
        return None
    match decode(stored.envelope):
        case Refused(detail=detail):
            raise AssertionError(f"stored roster {stored.version}: {detail}")
        case Roster() as held:
            return TrustedRoster(held, stored.digest, stored.envelope)


def chain_after(tx: Tx, version: int) -> tuple[dsse.Envelope, ...]:
    """Return the versions after one, oldest first, at most as many as one message carries."""
    return rosters.after(tx, version)


def show(tx: Tx, after: int) -> api.RosterResponse:
    """Return the chain after a version, with the version and digest held."""
    stored = rosters.current(tx)
    chain = rosters.after(tx, after)
    if stored is None:
        return api.RosterResponse(0, "", chain)
    return api.RosterResponse(stored.version, stored.digest, chain)


def accept(tx: Tx, by: Actor, envelope: dsse.Envelope) -> api.RosterResponse | Refusal:
    """Take the next version if it follows the one held; the API's operators follow it."""
    held = current(tx)
    verified = verify_first(envelope, None) if held is None else verify_next(held, envelope)
    if isinstance(verified, Refused):
        return refusal(verified)
    if held is None and not _names_as_admin(verified.roster, by):
        return Refusal(
            "bad_request",
            "the first roster must name you, who bring it, as an admin",
            {"envelope": ("your own key is missing among its admins",)},
            Reason.ROSTER_INVALID,
        )
    if held is not None and verified.digest == held.digest:
        return show(tx, 0)
    refused = _store(tx, by.principal(), held.roster if held else None, verified)
    return refused or show(tx, 0)


def start_with(tx: Tx, chain: tuple[dsse.Envelope, ...]) -> TrustedRoster | Refusal:
    """Take the first roster of a new coordinator, from its own command line."""
    if current(tx) is not None:
        return Refusal("conflict", "this coordinator has a roster already")
    trusted: TrustedRoster | None = None
    for envelope in chain:
        verified = (
            verify_first(envelope, None) if trusted is None else verify_next(trusted, envelope)
        )
        if isinstance(verified, Refused):
            return refusal(verified)
        refused = _store(tx, COORDINATOR, trusted.roster if trusted else None, verified)
        if refused is not None:
            return refused
        trusted = verified
    return trusted or Refusal("bad_request", "the roster file is empty")


def whole_chain(tx: Tx) -> tuple[dsse.Envelope, ...]:
    """Return every version, oldest first."""
    chain: tuple[dsse.Envelope, ...] = ()
    while part := rosters.after(tx, len(chain)):
        chain += part
    return chain


def take(tx: Tx, chain: tuple[dsse.Envelope, ...]) -> TrustedRoster | Refusal:
    """Take versions that follow the one held, brought by hand from this coordinator's own host."""
    held = current(tx)
    if held is None:
        return start_with(tx, chain)
    for envelope in chain:
        verified = verify_next(held, envelope)
        if isinstance(verified, Refused):
            return refusal(verified)
        if verified.digest == held.digest:
            continue
        refused = _store(tx, COORDINATOR, held.roster, verified)
        if refused is not None:
            return refused
        held = verified
    return held


def _store(tx: Tx, by: Principal, old: Roster | None, new: TrustedRoster) -> Refusal | None:
    refused = operators.follow_roster(tx, by, old, new.roster)
    if refused is not None:
        return refused
    rosters.append(tx, rosters.StoredRoster(new.roster.version, new.digest, new.envelope))
    if roster_proposals.get(tx, new.digest) is not None:
        roster_proposals.put(tx, new.digest, envelope=new.envelope, status="accepted")
    roster_proposals.void_older(tx, new.roster.version, new.digest)
    target = Principal("roster", new.digest, f"version {new.roster.version}")
    count = len(new.roster.operators)
    summary = f"roster version {new.roster.version} with {count} operators was accepted"
    if new.recovered:
        summary += ", signed by recovery keys and not by the admins"
        event = NewEvent("roster.recovered", ids.DEFAULT_SCOPE, by, target, summary, "critical")
    else:
        event = NewEvent("roster.changed", ids.DEFAULT_SCOPE, by, target, summary)
    tx.emit(event)
    return None


def signing_keys(held: Roster) -> dict[str, bytes]:
    """Return id and key of all whose signature counts on the next version: admins and recovery."""
    return held.recovery_keys() | held.keys(frozenset({"admin"}))


def _names_as_admin(roster: Roster, by: Actor) -> bool:
    own = roster.find(by.operator_id)
    return own is not None and own.role == "admin"


def refusal(refused: Refused) -> Refusal:
    """Return why a roster is not taken, as an answer."""
    behind = refused.reason in {Reason.ROSTER_FORK, Reason.ROSTER_ROLLBACK}
    kind: RefusalKind = "conflict" if behind else "bad_request"
    return Refusal(kind, refused.detail, {"envelope": (refused.detail,)}, refused.reason)
