"""When drift may be put right by this host itself, and when to stop: the account of repairs. Pure.

Whether the module asks for it is the engine's to say, carrying it out that of `services.drift`.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from protocol.reports import ResourceDiff

# Who changes a file that is put back three times in ten minutes means it, and will do it again.
MAX_REPAIRS = 3
WINDOW_SECONDS = 600.0
# A fight is given up for an hour, or until an operator applies again.
REST_SECONDS = 3_600.0


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of one resource: when it was repaired, when it was given up, if it runs now.

    Times are seconds since the epoch. `running` is set before a repair and taken away after it.
    """

    at: tuple[float, ...] = ()
    given_up: float | None = None
    running: bool = False


class Repairs:
    """How often each resource was repaired lately; must be stored before a repair begins."""

    def __init__(self, records: dict[str, Record] | None = None) -> None:
        # Bounded by the resources that may be repaired: others are dropped by `keep`.
        self._records = dict(records or {})

    @property
    def records(self) -> dict[str, Record]:
        """What to store."""
        return dict(self._records)

    def interrupted(self) -> tuple[str, ...]:
        """Return the resources whose repair had begun when the agent ended."""
        return tuple(sorted(name for name, one in self._records.items() if one.running))

    def may(self, name: str, now: float) -> bool:
        """Say whether a resource may be repaired now."""
        one = self._records.get(name, Record())
        return one.given_up is None or not 0.0 <= now - one.given_up < REST_SECONDS

    def begin(self, name: str, now: float) -> bool:
        """Count one more repair; False if that would be one too many: from now on it is given up.

        What was counted stays counted, however the repair ends.
        """
        one = self._records.get(name, Record())
        lately = tuple(at for at in one.at if 0.0 <= now - at < WINDOW_SECONDS)
        if len(lately) >= MAX_REPAIRS:
            self._records[name] = Record(lately, given_up=now)
            return False
        self._records[name] = Record((*lately, now), running=True)
        return True

    def end(self, names: Iterable[str]) -> None:
        """Note that repairs have ended, well or badly."""
        for name in names:
            one = self._records.get(name)
            if one is not None:
                self._records[name] = msgspec.structs.replace(one, running=False)

    def give_up(self, name: str, now: float) -> None:
        """Note that a resource is not to be repaired for now."""
        one = self._records.get(name, Record())
        self._records[name] = Record(one.at, given_up=now)

    def given_up(self, now: float) -> tuple[str, ...]:
        """Return the resources that are left as they are for now."""
        return tuple(sorted(name for name in self._records if not self.may(name, now)))

    def start_afresh(self) -> None:
        """Forget everything: an operator has applied, and so decided anew."""
        self._records.clear()


def fight(item: ResourceDiff) -> str:
    """Return the sentence that says that somebody else wants it otherwise, and who."""
    text = (
        f"{item.type} {item.identity} was changed again after {MAX_REPAIRS} repairs within"
        f" {WINDOW_SECONDS / 60:.0f} minutes, and is left as it is until the next apply"
    )
    return text if item.changed_by is None else f"{text}; changed by {item.changed_by}"
