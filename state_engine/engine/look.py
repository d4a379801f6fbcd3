"""One look at one resource: observe, compare, and say it as a plan item. Changes nothing.

A kind's errors become items; nothing here decides whether the item may be acted on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from protocol.errors import DecodeError
from protocol.reports import ResourceDiff, Trigger, TriggerKind, item_digest
from state_engine.engine.digests import observed_digest
from state_engine.engine.limited import limited
from state_engine.engine.prepared import Prepared
from state_engine.engine.private_files import touches_private, without_digests
from state_engine.engine.secrets import redacted, revealed
from state_engine.model import AppliedResource, ResourceKey
from state_engine.ports import PortError, Ports
from state_engine.resources.contract import Context, Difference, Observation
from state_engine.resources.parts.accounts import gid_of, uid_of

UNWRITABLE = "what was found on the host cannot be written down"
# What has no digest and no changes to show.
_SILENT = frozenset({"none", "unknown", "error"})
UNSIGNED = "unsigned: its check was not run, for no trusted operator signed this module version"


@dataclass(frozen=True, slots=True)
class Look:
    """What was found, what it differs in, and the plan item that says so."""

    item: ResourceDiff
    difference: Difference
    observation: Observation | None = None


class Glancer:
    """Answers whether a cheap look suffices, for one plan, apply or drift look.

    Account names are asked once per look: a renumbered user is seen by the next one.
    """

    def __init__(self, ports: Ports) -> None:
        self._matches = ports.files.matches
        self._digest = ports.files.digest
        self._accounts = ports.accounts
        self._uids: dict[str, int | None] = {}
        self._gids: dict[str, int | None] = {}

    def converged(self, prepared: Prepared) -> bool:
        """Return True only if the host is seen to be as desired."""
        glance = prepared.glance
        if glance is None:
            return False
        uid = gid = None
        if glance.owner is not None:
            uid = self._uid(glance.owner)
            if uid is None:
                return False
        if glance.group is not None:
            gid = self._gid(glance.group)
            if gid is None:
                return False
        if self._matches(glance.path, glance.type, glance.mode, uid, gid, glance.digest):
            return True
        if glance.digest is None or not self._matches(
            glance.path, glance.type, glance.mode, uid, gid, None
        ):
            return False
        # Only the content is not known yet: read it once, which costs a third of a whole look.
        try:
            return self._digest(glance.path) == glance.digest
        except PortError:
            return False

    def _uid(self, owner: str) -> int | None:
        try:
            return self._uids[owner]
        except KeyError:
            found = self._uids[owner] = uid_of(owner, self._accounts)
            return found

    def _gid(self, group: str) -> int | None:
        try:
            return self._gids[group]
        except KeyError:
            found = self._gids[group] = gid_of(group, self._accounts)
            return found


def look(
    prepared: Prepared,
    ports: Ports,
    context: Context,
    held: AppliedResource | None = None,
    *,
    verify: bool = False,
) -> Look:
    """Observe and compare one resource; the item has no triggers and no digests yet.

    `held` is what an earlier apply left: what was sensitive then is hidden now, for it may still
    stand on the host.
    """
    resource, kind = prepared.resource, prepared.kind
    hidden = resource.sensitive
    if held is not None and held.resource.sensitive:
        hidden = (*hidden, *held.resource.sensitive)
    elif held is not None:
        context = msgspec.structs.replace(context, left=held.resource.spec)
    if kind is None:
        return _refused(prepared, f"`{resource.kind}` is not a kind of resource that is known here")
    if prepared.runs_code and not resource.trusted:
        difference = Difference("unknown", message=UNSIGNED)
        return Look(_item(prepared, difference), difference)
    try:
        spec = revealed(resource, ports)
        observation = kind.observe(spec, limited(resource, ports), verify=verify)
        difference = kind.compare(spec, observation, context)
    except (PortError, msgspec.ValidationError) as error:
        return _refused(prepared, str(error))
    if not hidden:
        if difference.action in _SILENT or not touches_private(kind, spec, ports):
            return Look(_item(prepared, difference), difference, observation)
        marked = without_digests(difference.changes, ports)
        item = _item(prepared, msgspec.structs.replace(difference, changes=marked))
        return Look(item, difference, observation)
    changes = redacted(difference.changes, resource, held, ports)
    item = _item(prepared, msgspec.structs.replace(difference, changes=changes))
    return Look(item, difference, observation)


def bound(found: Look, prepared: Prepared, ports: Ports, triggers: tuple[Trigger, ...]) -> Look:
    """Return the look with its digests filled in, if its item is one that a decision binds.

    A run that a trigger causes happens whatever is there, so it binds no state before it: the
    change that triggers it may well turn the verdict of a script's check.
    """
    if found.item.action in {"none", "unknown", "error"}:
        return found
    whatever = bool(triggers) and found.item.action == "run"
    before = None if whatever else found.observation
    try:
        item = msgspec.structs.replace(
            found.item,
            triggers=triggers,
            desired=prepared.desired(ports),
            observed=observed_digest(before, ports, binds=found.difference.binds),
        )
        item = msgspec.structs.replace(item, digest=item_digest(item))
    except DecodeError as error:
        return _refused(prepared, f"{UNWRITABLE}: {error}")
    return replace(found, item=item)


def triggers_of(
    prepared: Prepared, changing: dict[ResourceKey, str], *, pending: bool
) -> tuple[Trigger, ...]:
    """Return why a resource acts: what it reacts to changes, or an earlier trigger is pending."""
    found: list[Trigger] = []
    for trigger in prepared.resource.triggers:
        because = tuple(changing[key] for key in trigger.on if key in changing)
        if because or pending:
            found.append(Trigger(trigger.kind, because))
    return tuple(found)


def kinds_of(triggers: tuple[Trigger, ...]) -> tuple[TriggerKind, ...]:
    """Return the kinds of triggers without repetition, in order."""
    return tuple(dict.fromkeys(trigger.kind for trigger in triggers))


def _refused(prepared: Prepared, message: str) -> Look:
    difference = Difference("error", message=message)
    return Look(_item(prepared, difference), difference)


def _item(prepared: Prepared, difference: Difference) -> ResourceDiff:
    if difference.action == "none" and difference.message is None:
        return prepared.converged
    return msgspec.structs.replace(
        prepared.converged,
        action=difference.action,
        changes=difference.changes,
        message=difference.message,
    )
