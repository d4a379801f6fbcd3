"""A change of the roster on its way: signed alone where that is enough, else collecting signatures.

Whatever is signed was made or shown here: a proposal is held against the roster that is trusted.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from client import approvals_api, operator_key, roster_cache
from client.failures import AuthError, NotFoundError, UntrustedError
from client.render.rosters import changes
from client.session import Session
from protocol import dsse, ids, roster, roster_proposals
from protocol.api_approvals import Proposal
from protocol.keys import SigningKey
from protocol.reasons import Refused
from protocol.roster import Roster, TrustedRoster


class Brought(msgspec.Struct, frozen=True):
    """What became of a change: the roster in force with it, or the proposal that waits."""

    newest: TrustedRoster | None
    proposal: Proposal | None


def signing_key(session: Session, key_file: str | None) -> SigningKey:
    """Return the key to sign a roster with: one's own, or a recovery key from a file."""
    return operator_key.load_file(Path(key_file)) if key_file else session.key


def bring(session: Session, trusted: TrustedRoster, following: Roster, key: SigningKey) -> Brought:
    """Sign the next version; it is in force at once if one signature is enough.

    Raises:
        AuthError: the key is no admin's and no recovery key, or hosts would refuse the change.
    """
    own = ids.operator_id(key.public)
    if own not in _able(trusted.roster):
        raise AuthError(
            "only an admin of the roster, or a recovery key, changes who may sign",
            next_command="standfast operator whoami",
            code="not_admin",
        )
    envelope = dsse.sign(dsse.ROSTER, roster.encode(following), key, own)
    refused = roster_proposals.follows(trusted, envelope)
    if isinstance(refused, Refused):
        raise AuthError(f"hosts would refuse this: {refused.detail}", code=str(refused.reason))
    newest = roster.verify_next(trusted, envelope)
    if isinstance(newest, TrustedRoster) and not newest.recovered:
        session.api.post_roster(envelope)
        roster_cache.save(session.directory, session.profile.name, newest)
        return Brought(newest, None)
    return _outcome(session, approvals_api.propose(session.api, envelope))


def find(session: Session, digest: str) -> Proposal:
    """Return the open proposal that the beginning of a digest means; "" means the only one.

    Raises:
        NotFoundError: none, or more than one.
    """
    found = [
        one
        for one in approvals_api.proposals(session.api)
        if one.status == "open" and one.digest.startswith(digest)
    ]
    if len(found) != 1:
        meant = f" {digest!r}" if digest else ""
        many = f"{len(found)} proposals begin with{meant}" if digest else "several are open"
        raise NotFoundError(
            f"{many}: say which, by its digest" if found else f"there is no open proposal{meant}",
            next_command="standfast roster show",
            code="proposal_not_found",
        )
    return found[0]


def checked(trusted: TrustedRoster, proposal: Proposal) -> TrustedRoster:
    """Return what a proposal holds, if it may follow the roster that is trusted here.

    Raises:
        UntrustedError: it may not, or is another one than it says.
    """
    found = roster_proposals.follows(trusted, proposal.envelope)
    if isinstance(found, Refused):
        raise UntrustedError(
            f"the proposal does not follow the roster held here: {found.detail}",
            next_command="standfast roster show",
            code=str(found.reason),
        )
    if found.digest != proposal.digest:
        raise UntrustedError("the proposal is not the one that it says", code="proposal_changed")
    return found


def co_sign(session: Session, proposal: Proposal, key: SigningKey) -> Brought:
    """Add a signature to a proposal that was `checked` and shown."""
    own = ids.operator_id(key.public)
    signed = dsse.add_signature(proposal.envelope, key, own)
    answer = approvals_api.sign_proposal(session.api, proposal.digest, signed.signatures[-1])
    return _outcome(session, answer)


def words(trusted: TrustedRoster, proposed: TrustedRoster) -> list[str]:
    """Return what would change, a sentence each."""
    return changes(trusted.roster, proposed.roster)


def _outcome(session: Session, proposal: Proposal) -> Brought:
    if proposal.status != "accepted":
        return Brought(None, proposal)
    # Not its word is taken, but the chain: it is fetched and verified like any other.
    newest = session.trusted()
    if newest.roster.version < proposal.version:
        raise UntrustedError("the coordinator does not show the roster that it accepted")
    return Brought(newest, proposal)


def _able(held: Roster) -> dict[str, bytes]:
    return held.recovery_keys() | held.keys(frozenset({"admin"}))
