"""Modules: validated at upload, kept by content hash, carried with their makers' signatures."""

from __future__ import annotations

import msgspec

from coordinator.domain import roster
from coordinator.domain.actor import Actor
from coordinator.domain.outcomes import sure
from coordinator.domain.refusals import Refusal, invalid, not_found
from coordinator.store import module_versions, records
from coordinator.store.database import Tx
from coordinator.store.events import NewEvent, Principal
from coordinator.store.records import Record
from protocol import api, dsse, ids
from protocol.errors import DecodeError
from protocol.limits import MAX_MODULE
from protocol.messages import ModuleVersion
from protocol.reasons import Reason
from protocol.reports import content_digest
from protocol.roster import DECIDING_ROLES
from state_engine.language.validate import check_text

KIND = "module"
SCOPE = ids.DEFAULT_SCOPE
# Problems in one answer: what a person reads at once.
MAX_PROBLEMS = 50


class ModuleSpec(msgspec.Struct, frozen=True):
    """Which version a module's name stands for now, and what its upload found."""

    sha256: str
    uploaded_at: float
    uploaded_by: str
    signed_by: tuple[str, ...]
    warnings: tuple[str, ...]


class Examined(msgspec.Struct, frozen=True):
    """A module that may be stored: its version, whose signatures hold, what to warn of."""

    version: ModuleVersion
    signed_by: tuple[str, ...]
    warnings: tuple[str, ...]


class Missing(msgspec.Struct, frozen=True):
    """Names that no module has."""

    names: tuple[str, ...]


def examine(tx: Tx, request: api.UploadModuleRequest) -> Examined | Refusal:
    """Check a module's text and its signatures; reads only, and may take a while."""
    try:
        content = request.content.encode()
    except UnicodeEncodeError:
        return invalid("content", "content holds a lone surrogate; it must be valid Unicode text")
    if len(content) > MAX_MODULE:
        return invalid("content", f"a module has at most {MAX_MODULE} bytes, not {len(content)}")
    module, problems = check_text(content, request.name)
    warnings = tuple(str(p) for p in problems if p.severity == "warning")[:MAX_PROBLEMS]
    if module is None:
        errors = tuple(str(p) for p in problems if p.severity == "error")[:MAX_PROBLEMS]
        return Refusal(
            "bad_request",
            f"the module has {len(errors)} problems: {errors[0]}"
            if errors
            else "the module cannot be read",
            {"content": errors},
            Reason.MODULE_INVALID,
        )
    if module.name != request.name:
        return invalid("name", f"the file calls itself {module.name!r}, not {request.name!r}")
    signed_by = _signers(tx, content, request.envelope)
    if isinstance(signed_by, Refusal):
        return signed_by
    if not signed_by:
        warnings = (*warnings, "unsigned: hosts will not run its commands to look at their state")
    version = ModuleVersion(module.name, content_digest(content), content, request.envelope)
    return Examined(version, signed_by, warnings)


def store(tx: Tx, by: Actor, examined: Examined) -> api.Module | Refusal:
    """Store an examined module; its name now stands for this version."""
    version = examined.version
    old = records.get(tx, KIND, SCOPE, version.name)
    if old is not None and old.name != version.name:
        return Refusal("conflict", f"the name looks the same as that of module {old.name!r}")
    module_versions.put(tx, SCOPE, version, by.username)
    spec = ModuleSpec(version.sha256, tx.now, by.username, examined.signed_by, examined.warnings)
    stored = (
        records.create(tx, kind=KIND, scope=SCOPE, name=version.name, spec=spec)
        if old is None
        else records.update(tx, old.uid, spec=spec)
    )
    made = sure(stored, f"module {version.name}")
    target = Principal("module", version.sha256, version.name)
    summary = f"module {version.name} was uploaded as {version.sha256[:16]}"
    tx.emit(NewEvent("module.uploaded", SCOPE, by.principal(), target, summary))
    return _view(made)


def listing(tx: Tx) -> tuple[api.Module, ...]:
    """Return all modules, by name."""
    found = sorted(records.listing(tx, KIND, SCOPE), key=lambda record: record.name or "")
    return tuple(_view(record) for record in found)


def get(tx: Tx, name: str) -> api.ModuleDetail | Refusal:
    """Return one module with its text."""
    record = records.get(tx, KIND, SCOPE, name)
    if record is None or record.name != name:
        return not_found("module", name)
    seen = _view(record)
    version = module_versions.get(tx, SCOPE, name, seen.sha256)
    if version is None:
        raise AssertionError(f"module {name}: version {seen.sha256} is not stored")
    return api.ModuleDetail(
        name=seen.name,
        uploaded_at=seen.uploaded_at,
        uploaded_by=seen.uploaded_by,
        sha256=seen.sha256,
        signed_by=seen.signed_by,
        warnings=seen.warnings,
        content=version.content.decode(),
    )


def delete(tx: Tx, by: Actor, name: str) -> Refusal | None:
    """Take a module's name away; runs that froze a version keep it, hosts keep what is applied."""
    record = records.get(tx, KIND, SCOPE, name)
    if record is None or record.name != name:
        return not_found("module", name)
    records.delete(tx, record.uid)
    target = Principal("module", record.spec_as(ModuleSpec).sha256, name)
    tx.emit(NewEvent("module.deleted", SCOPE, by.principal(), target, f"module {name} was deleted"))
    return None


def resolve(tx: Tx, scope: str, names: tuple[str, ...]) -> tuple[ModuleVersion, ...] | Missing:
    """Return the versions that names stand for now, in the order given, each name once."""
    found: dict[str, ModuleVersion] = {}
    missing: list[str] = []
    for name in names:
        record = records.get(tx, KIND, scope, name)
        version = (
            module_versions.get(tx, scope, name, record.spec_as(ModuleSpec).sha256)
            if record is not None and record.name == name
            else None
        )
        if version is None:
            missing.append(name)
        else:
            found[name] = version
    return Missing(tuple(missing)) if missing else tuple(found.values())


def _signers(tx: Tx, content: bytes, envelope: dsse.Envelope | None) -> tuple[str, ...] | Refusal:
    if envelope is None:
        return ()
    held = roster.current(tx)
    try:
        if envelope.payload_type != dsse.MODULE or envelope.content() != content:
            return _bad_envelope("the envelope does not hold exactly the bytes of `content`")
        known = held.roster.keys(DECIDING_ROLES) if held is not None else {}
        signers = dsse.signers(envelope, known)
    except DecodeError as error:
        return _bad_envelope(str(error))
    if not signers:
        return _bad_envelope(
            "no signature on it holds and is an operator's in the roster"
            if held is not None
            else "there is no roster yet, so no signature can be checked"
        )
    return signers


def _bad_envelope(message: str) -> Refusal:
    return Refusal("bad_request", message, {"envelope": (message,)}, Reason.SIGNATURE_INVALID)


def _view(record: Record) -> api.Module:
    spec = record.spec_as(ModuleSpec)
    return api.Module(
        name=record.name or "",
        uploaded_at=int(spec.uploaded_at),
        uploaded_by=spec.uploaded_by,
        sha256=spec.sha256,
        signed_by=spec.signed_by,
        warnings=spec.warnings,
    )
