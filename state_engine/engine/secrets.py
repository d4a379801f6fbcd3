"""Secrets in one operation: values put in for a look or an act, and taken out of all that leaves.

A value lives as long as the call that needs it. What is kept holds `state_engine.references`.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from functools import cached_property

import msgspec

from protocol.canonical import Json
from protocol.reports import Change, ResourceDiff
from state_engine.engine import redaction, scrub
from state_engine.model import AppliedResource, ResolvedResource
from state_engine.ports import PortError, Ports
from state_engine.references import Reference, fingerprinted, references_in, replaced


def value_of(reference: Reference, ports: Ports) -> str:
    """Return the value that a reference stands for.

    Raises:
        PortError: this host cannot have it, or it is not the value that was referred to.
    """
    value = ports.secrets.reveal(reference.name, reference.version)
    made = fingerprinted(reference.name, reference.version, value)
    if not hmac.compare_digest(ports.fingerprint(made), reference.fingerprint):
        raise PortError(f"{reference.shown} is not the value that was resolved; plan again")
    return value


def revealed(resource: ResolvedResource, ports: Ports) -> dict[str, Json]:
    """Return a resource's specification with its secrets in place.

    Raises:
        PortError: one of them cannot be had.
    """
    if not resource.sensitive:
        return resource.spec
    spec = dict(resource.spec)
    for field in resource.sensitive:
        if field in spec:
            spec[field] = replaced(spec[field], lambda reference: value_of(reference, ports))
    return spec


class Secrecy:
    """What one operation must not say: the values of all secrets that it or the host's state uses.

    They are opened when the first text is to leave, so an operation without secrets pays nothing.
    """

    def __init__(
        self,
        ports: Ports,
        resources: Iterable[ResolvedResource],
        applied: Iterable[AppliedResource],
    ) -> None:
        self._ports = ports
        self._resources = resources
        self._applied = applied

    @cached_property
    def scrub(self) -> scrub.Scrub:
        """The function that takes all these values out of a text."""
        return scrub.scrubber(self._values())

    def _values(self) -> Iterable[str]:
        sensitive = [one for one in self._resources if one.sensitive]
        sensitive += [one.resource for one in self._applied if one.resource.sensitive]
        known: set[Reference] = set()
        for resource in sensitive:
            known.update(references_in(resource.spec))
            yield from redaction.opaque_texts(resource)
        for reference in known:
            try:
                yield value_of(reference, self._ports)
            except PortError:
                # What cannot be opened cannot be looked for; nothing is done with it either.
                continue

    def item(self, item: ResourceDiff) -> ResourceDiff:
        """Return a plan item that says nothing secret."""
        if item.message is None and not item.changes:
            return item
        say = self.scrub
        if say is scrub.unchanged:
            return item
        return msgspec.structs.replace(
            item,
            message=None if item.message is None else scrub.scrub_cut(item.message, say),
            changes=tuple(_scrubbed(change, say) for change in item.changes),
        )


def _scrubbed(change: Change, say: scrub.Scrub) -> Change:
    return msgspec.structs.replace(
        change,
        current=None if change.current is None else say(change.current),
        desired=None if change.desired is None else say(change.desired),
        diff=tuple(scrub.scrub_cut(line, say) for line in change.diff),
    )


def redacted(
    changes: tuple[Change, ...],
    resource: ResolvedResource,
    held: AppliedResource | None,
    ports: Ports,
) -> tuple[Change, ...]:
    """Return the changes of one resource without what is secret in it, or was when it was applied.

    What the module says stays readable, with the names of secrets where their values would be.
    """
    before = None if held is None or not held.resource.sensitive else held.resource
    if not resource.sensitive and before is None:
        return changes
    return redaction.redacted(changes, resource, before, ports)
