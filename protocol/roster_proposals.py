"""A proposed roster: whether it may follow the one in force, before enough have signed it."""

from __future__ import annotations

import msgspec

from protocol import dsse
from protocol.reasons import Reason, Refused
from protocol.roster import TrustedRoster, verify_next


def follows(held: TrustedRoster, envelope: dsse.Envelope) -> TrustedRoster | Refused:
    """Verify all that is asked of the next version but the number of signatures: one will do.

    What comes back says what the proposal holds; in force it is only once `verify_next` takes it.
    """
    lenient = msgspec.structs.replace(
        held.roster,
        threshold=1,
        recovery_threshold=min(1, held.roster.recovery_threshold),
    )
    found = verify_next(msgspec.structs.replace(held, roster=lenient), envelope)
    if isinstance(found, TrustedRoster) and found.digest == held.digest:
        return Refused(Reason.ROSTER_ROLLBACK, f"version {held.roster.version} is in force already")
    return found
