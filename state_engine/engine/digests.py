"""The digests that a decision binds: the desired specification, and the state found before.

A resource with sensitive fields gets a keyed digest: a plain one would let a reader of the plan
try out guesses of a secret.
"""

from __future__ import annotations

from protocol import canonical
from protocol.canonical import Json
from state_engine.model import AppliedResource, ResolvedResource
from state_engine.ports import Ports
from state_engine.resources.contract import Observation

_CONTEXT = "standfast/resource/v1"


def desired_digest(resource: ResolvedResource, ports: Ports) -> str:
    """Return the digest of the whole desired specification."""
    value: Json = {"context": _CONTEXT, "kind": resource.kind, "spec": resource.spec}
    return _digest(value, resource, ports)


def removal_digest(applied: AppliedResource, ports: Ports) -> str:
    """Return the digest of what a removal would do: it follows from what was applied."""
    value: Json = {
        "context": _CONTEXT,
        "kind": applied.resource.kind,
        "remove": applied.resource.spec,
        "created": applied.created,
        "pre_image": applied.pre_image,
    }
    return _digest(value, applied.resource, ports)


def observed_digest(
    observation: Observation | None, resource: ResolvedResource, ports: Ports
) -> str:
    """Return the digest of what was found; nothing found has a digest too."""
    state = None if observation is None else observation.state()
    return _digest({"context": _CONTEXT, "observed": state}, resource, ports)


def _digest(value: Json, resource: ResolvedResource, ports: Ports) -> str:
    if resource.sensitive:
        return ports.fingerprint(canonical.encode(value))
    return canonical.digest(value)
