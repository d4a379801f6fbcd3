"""The dead-man switch: a change that may cut a host off goes back unless somebody confirms it.

One table says what each event does in each state. It is pure: whoever keeps the switch writes it
down before it acts on what the table says, so that a crash or a reboot finds it as it was.
"""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["idle", "armed", "reverting", "confirmed", "reverted"]
# arm: a risky change is about to be made · confirm: the host was reached anew · expire: it was not
# in time · start: the keeper starts, perhaps after a crash · done: the change was taken back.
Event = Literal["arm", "confirm", "expire", "start", "done"]
Act = Literal["nothing", "wait", "revert", "refuse"]

# A firewall drops at once; a link that comes up anew, DHCP and name servers take half a minute.
WINDOW = 60.0

TABLE: dict[tuple[State, Event], tuple[State, Act]] = {
    ("idle", "arm"): ("armed", "wait"),
    ("idle", "confirm"): ("idle", "refuse"),
    ("idle", "expire"): ("idle", "nothing"),
    ("idle", "start"): ("idle", "nothing"),
    ("idle", "done"): ("idle", "nothing"),
    # Another change meanwhile would go back with the first, or stay without it.
    ("armed", "arm"): ("armed", "refuse"),
    ("armed", "confirm"): ("confirmed", "nothing"),
    ("armed", "expire"): ("reverting", "revert"),
    # Nobody knows how much of the time is over: all of it runs again.
    ("armed", "start"): ("armed", "wait"),
    ("armed", "done"): ("armed", "nothing"),
    ("reverting", "arm"): ("reverting", "refuse"),
    # Too late: half of it may be back.
    ("reverting", "confirm"): ("reverting", "refuse"),
    ("reverting", "expire"): ("reverting", "nothing"),
    # Taking back twice is the same as once.
    ("reverting", "start"): ("reverting", "revert"),
    ("reverting", "done"): ("reverted", "nothing"),
    ("confirmed", "arm"): ("armed", "wait"),
    ("confirmed", "confirm"): ("confirmed", "nothing"),
    ("confirmed", "expire"): ("confirmed", "nothing"),
    ("confirmed", "start"): ("confirmed", "nothing"),
    ("confirmed", "done"): ("confirmed", "nothing"),
    ("reverted", "arm"): ("armed", "wait"),
    ("reverted", "confirm"): ("reverted", "refuse"),
    ("reverted", "expire"): ("reverted", "nothing"),
    ("reverted", "start"): ("reverted", "nothing"),
    ("reverted", "done"): ("reverted", "nothing"),
}


class Switch(msgspec.Struct, frozen=True):
    """A dead-man switch: its state, whose change it guards, and how many seconds that has."""

    state: State = "idle"
    operation_id: str = ""
    window: float = WINDOW

    @property
    def undecided(self) -> bool:
        """Whether the change may still go back."""
        return self.state in {"armed", "reverting"}

    def on(self, event: Event) -> tuple[Switch, Act]:
        """Return the switch after an event, and what is to be done once it is written down."""
        state, act = TABLE[self.state, event]
        return msgspec.structs.replace(self, state=state), act

    def armed_for(self, operation_id: str, window: float = WINDOW) -> tuple[Switch, Act]:
        """Return the switch armed for an operation; one that is armed for it already stays so."""
        if self.state == "armed" and self.operation_id == operation_id:
            return self, "wait"
        state, act = TABLE[self.state, "arm"]
        return (self if act == "refuse" else Switch(state, operation_id, window)), act
