"""The digests that a decision binds: the desired specification, and the state found before.

What was found, and what a removal brings back, is always digested under the host's own key: a plain
digest would let a reader of the plan try out guesses of what a private file holds. Always, because
whether a file is private may change with another item of the same apply. What is desired is the
module's own text, and gets a keyed digest only where it holds a secret.
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
    value: dict[str, Json] = {
        "context": _CONTEXT,
        "kind": resource.kind,
        "spec": resource.spec,
        "on_remove": resource.on_remove,
    }
    if resource.on_drift != "report":  # so that what says nothing of it keeps its digest
        value["on_drift"] = resource.on_drift
    return _digest(value, ports, keyed=bool(resource.sensitive))


def removal_digest(applied: AppliedResource, ports: Ports) -> str:
    """Return the digest of what a removal would do: it follows from all that the record holds."""
    value: Json = {
        "context": _CONTEXT,
        "kind": applied.resource.kind,
        "remove": applied.resource.spec,
        "on_remove": applied.resource.on_remove,
        "created": applied.created,
        "pre_image": applied.pre_image,
        "pre_mode": applied.pre_mode,
        "pre_uid": applied.pre_uid,
        "pre_gid": applied.pre_gid,
    }
    return _digest(value, ports, keyed=True)


def observed_digest(
    observation: Observation | None, ports: Ports, *, binds: tuple[str, ...] = ()
) -> str:
    """Return the digest of what was found; nothing found has a digest too."""
    state = None if observation is None else observation.state()
    value: dict[str, Json] = {"context": _CONTEXT, "observed": state}
    if binds:
        value["binds"] = list(binds)
    return _digest(value, ports, keyed=True)


def _digest(value: Json, ports: Ports, *, keyed: bool) -> str:
    if keyed:
        return ports.fingerprint(canonical.encode(value))
    return canonical.digest(value)
