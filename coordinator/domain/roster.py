"""The roster as the coordinator carries it: each new version is verified in its own transaction."""

from __future__ import annotations

from coordinator.domain import operators
from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal, RefusalKind
from coordinator.store import rosters
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
        return _refusal(verified)
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
            return _refusal(verified)
        refused = _store(tx, COORDINATOR, trusted.roster if trusted else None, verified)
        if refused is not None:
            return refused
        trusted = verified
    return trusted or Refusal("bad_request", "the roster file is empty")


def _store(tx: Tx, by: Principal, old: Roster | None, new: TrustedRoster) -> Refusal | None:
    refused = operators.follow_roster(tx, by, old, new.roster)
    if refused is not None:
        return refused
    rosters.append(tx, rosters.StoredRoster(new.roster.version, new.digest, new.envelope))
    target = Principal("roster", new.digest, f"version {new.roster.version}")
    count = len(new.roster.operators)
    summary = f"roster version {new.roster.version} with {count} operators was accepted"
    tx.emit(NewEvent("roster.changed", ids.DEFAULT_SCOPE, by, target, summary))
    return None


def _names_as_admin(roster: Roster, by: Actor) -> bool:
    own = roster.find(by.operator_id)
    return own is not None and own.role == "admin"


def _refusal(refused: Refused) -> Refusal:
    behind = refused.reason in {Reason.ROSTER_FORK, Reason.ROSTER_ROLLBACK}
    kind: RefusalKind = "conflict" if behind else "bad_request"
    return Refusal(kind, refused.detail, {"envelope": (refused.detail,)}, refused.reason)
