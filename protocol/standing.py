"""Standing decisions: the signed action of a schedule binds module versions, not one plan.

Whatever differs from these versions when the moment comes may be put right, within the windows, no
oftener than `min_interval`, and with no more removals than the guard allows. Whether a decision
over this action holds is `protocol.decisions`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec

from protocol import canonical, ids
from protocol import windows as times
from protocol.canonical import MAX_INTEGER, Json
from protocol.errors import DecodeError, InvalidName
from protocol.limits import MAX_DECISION_SECONDS, MAX_ID
from protocol.reasons import Reason, Refused

# Modules of one schedule: an offer carries them all.
MAX_MODULES = 64
_SCHEDULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}\Z")


class Standing(msgspec.Struct, frozen=True):
    """What an offer carries to rebuild the signed action: the schedule's name, when and how often.

    `windows` are in UTC (`protocol.windows`), none: any time. `min_interval` is in seconds.
    """

    schedule: Annotated[str, msgspec.Meta(max_length=MAX_ID)]
    windows: Annotated[tuple[str, ...], msgspec.Meta(max_length=times.MAX_WINDOWS)] = ()
    min_interval: Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER)] = 0


def action(modules: Mapping[str, str], removal_limit: int, standing: Standing) -> bytes:
    """Return the canonical action that a standing decision signs; `modules`: name to SHA-256.

    Raises:
        DecodeError: a name, a digest, a window or a number is not one.
    """
    check(standing)
    if not 1 <= len(modules) <= MAX_MODULES:
        raise DecodeError(f"a standing decision names 1 to {MAX_MODULES} modules")
    try:
        versions: dict[str, Json] = {
            name: ids.check_hex64(digest, "module version").hex()
            for name, digest in modules.items()
        }
    except InvalidName as error:
        raise DecodeError(str(error)) from error
    if removal_limit < 0:
        raise DecodeError("removal_limit is at least 0")
    return canonical.encode(
        {
            "capability": "state.apply",
            "min_interval": standing.min_interval,
            "modules": versions,
            "removal_limit": removal_limit,
            "schedule": standing.schedule,
            "v": 2,
            "windows": list(standing.windows),
        }
    )


def check(standing: Standing) -> None:
    """Check that a standing order says something that can be held to.

    Raises:
        DecodeError: it does not; the text says what is wrong.
    """
    if not _SCHEDULE.match(standing.schedule):
        raise DecodeError(f"schedule {standing.schedule[:64]!r} is not a name")
    if not 0 <= standing.min_interval <= MAX_DECISION_SECONDS:
        raise DecodeError(f"min_interval is 0 to {MAX_DECISION_SECONDS} seconds")
    times.check(standing.windows)


def too_early(standing: Standing, last: float | None, now: float) -> Refused | None:
    """Return why a checked standing order may not run at this moment, by window and interval.

    `last` is when this host acted on its decision last, None if never.
    """
    if not times.any_holds(standing.windows, now):
        text = f"{standing.schedule}: now is in none of {', '.join(standing.windows)} (UTC)"
        return Refused(Reason.OUTSIDE_WINDOW, text)
    # Written so that a clock that is not a number, or was set back, refuses.
    if last is not None and not now - last >= standing.min_interval:
        text = f"{standing.schedule}: {now - last:.0f} of {standing.min_interval} seconds passed"
        return Refused(Reason.TOO_SOON, text)
    return None
