"""Proposed rosters: the next version collects signatures until it may take the place of the last.

It ends accepted, void once another version was taken, or expired. Whether it follows is judged as
hosts and clients judge it.
"""

from __future__ import annotations

import msgspec

from coordinator.domain import roster, signatures
from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal, not_found
from coordinator.domain.run_views import rfc3339
from coordinator.store import roster_proposals as stored
from coordinator.store.database import Tx
from coordinator.store.events import NewEvent, Principal
from coordinator.store.roster_proposals import StoredProposal
from protocol import api_approvals, dsse, ids
from protocol.errors import DecodeError
from protocol.reasons import Reason, Refused
from protocol.roster import Roster, TrustedRoster, verify_next
from protocol.roster_proposals import follows

# People of several time zones and a weekend.
PROPOSAL_SECONDS = 7 * 86_400.0
# Changes that are discussed at the same time; each is bound by the body limit of 1 MiB.
MAX_OPEN = 32
# Of one person: who is to be removed must not fill the list before it is proposed.
MAX_OWN = 8


def listing(tx: Tx) -> api_approvals.ProposalPage:
    """Return the latest proposals, newest first."""
    held = roster.current(tx)
    return api_approvals.ProposalPage(tuple(_view(tx, one, held) for one in stored.listing(tx)))


def get(tx: Tx, digest: str) -> api_approvals.Proposal | Refusal:
    """Return one proposal."""
    found = stored.get(tx, digest)
    return not_found("proposal", digest) if found is None else _view(tx, found, roster.current(tx))


def propose(tx: Tx, by: Actor, envelope: dsse.Envelope) -> api_approvals.Proposal | Refusal:
    """Take the next version with one signature at least; with enough it is the roster at once."""
    held = roster.current(tx)
    if held is None:
        return _refusal(Refused(Reason.ROSTER_UNKNOWN, "bring the first roster with POST /roster"))
    following = follows(held, envelope)
    if isinstance(following, Refused):
        return _refusal(following)
    known = stored.get(tx, following.digest)
    if known is not None:
        return sign(tx, by, known.digest, envelope.signatures)
    full = _full(tx, by)
    if full is not None:
        return full
    proposal = StoredProposal(
        digest=following.digest,
        version=following.roster.version,
        envelope=signatures.only_valid(envelope, roster.signing_keys(held.roster)),
        status="open",
        proposed_by=by.username,
        created_at=tx.now,
        expires_at=tx.now + PROPOSAL_SECONDS,
    )
    stored.add(tx, proposal)
    _emit(tx, by, "roster.proposed", proposal, f"roster version {proposal.version} was proposed")
    return _settle(tx, by, proposal)


def sign(
    tx: Tx, by: Actor, digest: str, more: tuple[dsse.Signature, ...]
) -> api_approvals.Proposal | Refusal:
    """Add signatures to a proposal; the one that makes them enough makes it the roster."""
    found, held = stored.get(tx, digest), roster.current(tx)
    if found is None or held is None:
        return not_found("proposal", digest)
    if not _open(tx, found):
        if set(more) <= set(found.envelope.signatures):
            return _view(tx, found, held)
        status = "expired" if found.status == "open" else found.status
        message = f"proposal {digest[:16]} is {status}: propose the change again"
        return Refusal("conflict", message, code="proposal_closed")
    keys = roster.signing_keys(held.roster)
    try:
        envelope = signatures.merged(found.envelope, more, keys)
    except DecodeError as error:
        return _refusal(Refused(Reason.ROSTER_INVALID, str(error)))
    strangers = {one.keyid for one in more} - {one.keyid for one in envelope.signatures}
    if strangers:
        detail = f"the signature of {min(strangers)[:64]} is no admin's, or does not hold"
        return _refusal(Refused(Reason.ROSTER_INVALID, detail))
    proposal = msgspec.structs.replace(found, envelope=envelope)
    if envelope != found.envelope:
        stored.put(tx, digest, envelope=envelope, status="open")
        count = len(envelope.signatures)
        text = f"roster version {found.version} has {count} of {held.roster.threshold} signatures"
        _emit(tx, by, "roster.signed", proposal, text)
    return _settle(tx, by, proposal)


def _settle(tx: Tx, by: Actor, proposal: StoredProposal) -> api_approvals.Proposal | Refusal:
    held = roster.current(tx)
    if held is not None and isinstance(verify_next(held, proposal.envelope), TrustedRoster):
        outcome = roster.accept(tx, by, proposal.envelope)
        if isinstance(outcome, Refusal):
            return outcome
    return get(tx, proposal.digest)


def _full(tx: Tx, by: Actor) -> Refusal | None:
    waiting = [one for one in stored.listing(tx, "open") if _open(tx, one)]
    own = sum(one.proposed_by == by.username for one in waiting)
    if own < MAX_OWN and len(waiting) < MAX_OPEN:
        return None
    count = f"{own} proposals of yours" if own >= MAX_OWN else f"{len(waiting)} proposals"
    return Refusal("conflict", f"{count} are open: sign one, or let them expire")


def _open(tx: Tx, proposal: StoredProposal) -> bool:
    return proposal.status == "open" and proposal.expires_at > tx.now


def _view(tx: Tx, one: StoredProposal, held: TrustedRoster | None) -> api_approvals.Proposal:
    names = _names(held.roster) if held is not None else {}
    expired = one.status == "open" and not _open(tx, one)
    return api_approvals.Proposal(
        digest=one.digest,
        version=one.version,
        status="expired" if expired else one.status,
        proposed_by=one.proposed_by,
        created_at=rfc3339(one.created_at),
        expires_at=rfc3339(one.expires_at),
        signed=tuple(names.get(s.keyid, s.keyid) for s in one.envelope.signatures),
        threshold=held.roster.threshold if held is not None else 1,
        envelope=one.envelope,
    )


def _names(held: Roster) -> dict[str, str]:
    spare = {
        ids.operator_id(bytes.fromhex(key.public_key)): f"recovery key {key.name}"
        for key in held.recovery
    }
    return spare | {one.operator_id: one.username for one in held.operators}


def _emit(tx: Tx, by: Actor, kind: str, proposal: StoredProposal, summary: str) -> None:
    target = Principal("roster", proposal.digest, f"version {proposal.version}")
    tx.emit(NewEvent(kind, ids.DEFAULT_SCOPE, by.principal(), target, summary))


def _refusal(refused: Refused) -> Refusal:
    return roster.refusal(refused)
