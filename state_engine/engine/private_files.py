"""Files that not every user may read: what a plan tells of them must not let anybody try guesses.

A plan needs no decision, so whoever holds the coordinator chooses which files it looks at. What
`engine.secrets` does for the secrets of modules is done here for what stands on the host.
"""

from __future__ import annotations

import msgspec

from protocol.reports import Change
from state_engine.engine.redaction import found_mark
from state_engine.model import AppliedResource
from state_engine.ports import PortError, Ports
from state_engine.resources.contract import Kind, Spec

_DIGEST = "sha256:"
_OTHERS = 0o004


def touches_private(kind: Kind, spec: Spec, ports: Ports) -> bool:
    """Say whether a resource is about a file that not every user may read."""
    try:
        return any(_is_private(path, ports) for path in kind.watches(spec))
    except PortError:
        # What cannot be looked at is nobody's to read.
        return True


def covered_private(applied: AppliedResource) -> bool:
    """Say whether a copy was kept of something that not every user could read."""
    mode = applied.pre_mode
    return applied.pre_image is not None and (mode is None or not mode & _OTHERS)


def without_digests(changes: tuple[Change, ...], ports: Ports) -> tuple[Change, ...]:
    """Return changes with a keyed mark in the place of each digest of what was found."""
    return tuple(
        msgspec.structs.replace(change, current=found_mark(change.current, ports))
        if change.current is not None and change.current.startswith(_DIGEST)
        else change
        for change in changes
    )


def without_any_digests(changes: tuple[Change, ...], ports: Ports) -> tuple[Change, ...]:
    """Return changes without the digests of what was found, and of what was there before it."""
    return tuple(
        msgspec.structs.replace(change, desired=found_mark(change.desired, ports))
        if change.desired is not None and change.desired.startswith(_DIGEST)
        else change
        for change in without_digests(changes, ports)
    )


def _is_private(path: str, ports: Ports) -> bool:
    stat = ports.files.stat(path)
    return stat is not None and stat.type == "file" and ports.files.read_public(path, 1) is None
