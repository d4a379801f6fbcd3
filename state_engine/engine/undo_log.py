"""The log of how an operation is taken back: written before each item acts, and when it has.

The host keeps it on disk, so that `rollback`, the dead-man switch and whoever comes after a crash
can carry it out.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from protocol.errors import MALFORMED
from protocol.reports import ResourceDiff
from state_engine.engine.prepared import Prepared
from state_engine.engine.reverse import SECRET, Reverse, paths_of, reverse_of, standing
from state_engine.engine.risk import risk_of_resource
from state_engine.model import AppliedResource, ResolvedResource, ResourceKey
from state_engine.ports import PortError, Ports
from state_engine.resources.contract import Observation, Step, reversible


class Acting(msgspec.Struct, frozen=True, tag="acting", omit_defaults=True):
    """An item is about to act, and this is how that is taken back.

    `held` is what the snapshot said of the resource before, `item` what the plan said of the act.
    """

    key: ResourceKey
    item: ResourceDiff
    resource: ResolvedResource
    reverse: Reverse
    held: AppliedResource | None = None
    removal: bool = False


class Acted(msgspec.Struct, frozen=True, tag="acted", omit_defaults=True):
    """An item has acted; `after` says what stands at each path that it touched."""

    key: ResourceKey
    after: dict[str, str] = {}


class Deed(msgspec.Struct, frozen=True):
    """One item of an operation that acted; `after` is None if it is not known how that ended."""

    acting: Acting
    after: dict[str, str] | None = None


AtRisk = Callable[[], None]


def nothing() -> None:
    """Do nothing: nobody guards the operation."""


_records: msgspec.json.Decoder[Acting | Acted] = msgspec.json.Decoder(Acting | Acted)


class UndoLog:
    """The log of one operation that is under way.

    `at_risk` is called before the first act that may cut the host off, once the way back is noted.
    """

    def __init__(self, operation_id: str, ports: Ports, at_risk: AtRisk = nothing) -> None:
        self._operation_id = operation_id
        self._ports = ports
        self._at_risk: AtRisk | None = at_risk
        self._paths: dict[ResourceKey, tuple[str, ...]] = {}

    def acting(
        self,
        prepared: Prepared,
        item: ResourceDiff,
        steps: tuple[Step, ...],
        held: AppliedResource | None,
        observation: Observation | None,
        *,
        removal: bool = False,
    ) -> None:
        """Note how an act is taken back, before it is done.

        Raises:
            PortError: it cannot be noted; then the act must not be done.
        """
        resource = prepared.resource
        old_secret = held is not None and bool(held.resource.sensitive)
        new_secret = bool(resource.sensitive) and not removal
        try:
            reverse = reverse_of(steps, self._ports, old_secret=old_secret, new_secret=new_secret)
        except PortError as error:
            reverse = Reverse(problem=str(error))
        kind = reversible(prepared.kind)
        if kind is not None and not removal:
            back = kind.revert(resource.spec, observation, reverse.copies)
            if back and (old_secret or new_secret):
                reverse = msgspec.structs.replace(reverse, steps=(), problem=SECRET)
            elif back:
                reverse = msgspec.structs.replace(reverse, steps=back, problem=None)
        elif removal and reverse.problem is not None and not old_secret:
            back = _brought_back(prepared, self._ports, reverse)
            if back:
                reverse = msgspec.structs.replace(reverse, steps=back, problem=None)
        self._paths[prepared.key] = paths_of(steps)
        shown = tuple(msgspec.structs.replace(change, diff=()) for change in item.changes)
        item = msgspec.structs.replace(item, changes=shown)
        record = Acting(prepared.key, item, resource, reverse, held, removal)
        risky = risk_of_resource(resource) != "none"
        self._add(record, durable=risky)
        if risky and self._at_risk is not None:
            self._at_risk()
            self._at_risk = None

    def acted(self, key: ResourceKey) -> None:
        """Note what stands there now; losing it costs only the certainty that it still does."""
        try:
            after = {path: standing(path, self._ports) for path in self._paths.pop(key, ())}
            self._add(Acted(key, after), durable=False)
        except PortError:
            return

    def _add(self, record: Acting | Acted, *, durable: bool) -> None:
        line = msgspec.json.encode(record)
        self._ports.reverts.add(self._operation_id, line, durable=durable)


def _brought_back(prepared: Prepared, ports: Ports, reverse: Reverse) -> tuple[Step, ...]:
    """Return how its kind brings back what is about to be removed; () if it does not say.

    A removal is to a kind what `ensure: absent` is: that is looked at, and taken back.
    """
    kind, back, spec = prepared.kind, reversible(prepared.kind), prepared.resource.spec
    if kind is None or back is None or kind.runs_code(spec):
        return ()
    if "ensure" not in {field.name for field in msgspec.structs.fields(kind.spec_type)}:
        return ()
    gone = {**spec, "ensure": "absent"}
    try:
        found = kind.observe(gone, ports, verify=False)
        return back.revert(gone, found, reverse.copies)
    except (PortError, msgspec.ValidationError):
        return ()


def deeds_of(operation_id: str, ports: Ports) -> tuple[Deed, ...]:
    """Return what an operation did, in its order; () if nothing of it is kept.

    Of an item that was begun twice (the host fell in between) the first beginning counts.

    Raises:
        PortError: it cannot be read.
    """
    deeds: dict[ResourceKey, Deed] = {}
    for line in ports.reverts.lines(operation_id):
        try:
            record = _records.decode(line)
        except MALFORMED as error:
            raise PortError(f"what is kept of operation {operation_id} is damaged") from error
        if isinstance(record, Acting):
            known = deeds.get(record.key)
            deeds[record.key] = Deed(record if known is None else known.acting)
        elif record.key in deeds:
            deeds[record.key] = Deed(deeds[record.key].acting, record.after)
    return tuple(deeds.values())
