"""What a host gets of an artifact that it asks for over its link.

A host may have an artifact if an operator uploaded it in the host's scope, and if its digest
stands in a module version which the host was offered and which an operator has signed. It can
neither fish for what others use, nor for what other hosts have sent.
"""

from __future__ import annotations

import msgspec

from coordinator.domain import artifacts as uploaded
from coordinator.domain import roster
from coordinator.domain.host_reports import Host
from coordinator.store import artifacts, module_versions, records, runs
from coordinator.store.database import Tx
from coordinator.store.runs import ModuleRef
from protocol import dsse
from protocol.artifacts import ArtifactAsk, ArtifactPart
from protocol.errors import DecodeError
from protocol.limits import ARTIFACT_PART
from protocol.messages import ModuleVersion
from protocol.roster import DECIDING_ROLES

# How many of a host's latest runs are looked through: a month of one a day, twice over. What was
# applied longer ago is asked for anew with its next plan.
RUNS_LOOKED_AT = 64


class Granted(msgspec.Struct, frozen=True):
    """An artifact that a host was found to be allowed; it asks for the rest of it part by part."""

    sha256: str
    size: int


def grant(tx: Tx, host: Host, sha256: str) -> Granted | str:
    """Say whether a host may have an artifact: its size, or why not."""
    record = records.get(tx, uploaded.KIND, host.scope, sha256)
    known = artifacts.find(tx, sha256)
    if record is None or known is None or not known.kept:
        return "nobody has uploaded it: standfast artifacts upload FILE"
    if not any(_names(tx, host, ref, sha256) for ref in _offered(tx, host)):
        return "it stands in no signed module that this host was offered"
    return Granted(sha256, known.size)


def answer(tx: Tx, ask: ArtifactAsk, granted: Granted) -> ArtifactPart:
    """Return the next part of an artifact that a host was granted."""
    if ask.offset >= granted.size and granted.size:
        return refusal(ask, f"it has only {granted.size} bytes")
    data = tx.files.part(ask.sha256, ask.offset, ARTIFACT_PART)
    if data is None:
        return refusal(ask, "its bytes are lost here: upload it again")
    return ArtifactPart(ask.sha256, ask.offset, granted.size, data)


def refusal(ask: ArtifactAsk, why: str) -> ArtifactPart:
    """Return the answer that an ask is refused with."""
    return ArtifactPart(ask.sha256, ask.offset, refused=why)


def _offered(tx: Tx, host: Host) -> list[ModuleRef]:
    found, _ = runs.listing(tx, limit=RUNS_LOOKED_AT, scope=host.scope, node_id=host.node_id)
    offered = (run for run in found if run.state.steps[host.node_id].fence > 0)
    return list(dict.fromkeys(ref for run in offered for ref in run.details.modules))


def _names(tx: Tx, host: Host, ref: ModuleRef, sha256: str) -> bool:
    version = module_versions.get(tx, host.scope, ref.name, ref.sha256)
    # Anywhere in it: the digest may be the default of a parameter.
    named = version is not None and sha256.encode() in version.content
    return version is not None and named and _signed(tx, version)


def _signed(tx: Tx, version: ModuleVersion) -> bool:
    held, envelope = roster.current(tx), version.envelope
    if held is None or envelope is None or envelope.payload_type != dsse.MODULE:
        return False
    try:
        if envelope.content() != version.content:
            return False
        return bool(dsse.signers(envelope, held.roster.keys(DECIDING_ROLES)))
    except DecodeError:
        return False
