"""What is said of a secret: its description, who can open it, who was given it, when it ends."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from coordinator.domain import agents
from coordinator.domain.refusals import Refusal, not_found
from coordinator.store import records, secrets
from coordinator.store.database import Tx
from coordinator.store.events import COORDINATOR, NewEvent, Principal, Severity
from coordinator.store.records import Record
from coordinator.store.secrets import Ref
from protocol import api_secrets, ids
from protocol.secrets import Restriction

KIND = "secret"
SCOPE = ids.DEFAULT_SCOPE
# Days before its end at which a secret is warned of, and its end.
WARN_DAYS = (14, 7, 1, 0)
_DAY = 86_400


class SecretSpec(msgspec.Struct, frozen=True):
    """What the current version's signed document says, and the description beside it."""

    version: int
    revision: int
    description: str | None
    restriction: Restriction
    expires_at: int | None
    created_by: str
    updated_by: str


def ref_of(record: Record) -> Ref:
    """Return the secret that a record stands for."""
    return Ref(record.scope, record.name or "")


def listing(tx: Tx) -> tuple[api_secrets.Secret, ...]:
    """Return all secrets, by name."""
    found = sorted(records.listing(tx, KIND, SCOPE), key=lambda record: record.name or "")
    return tuple(view(tx, record) for record in found)


def get(tx: Tx, name: str) -> api_secrets.SecretDetail | Refusal:
    """Return one secret with its document and the hosts that it concerns."""
    record = records.get(tx, KIND, SCOPE, name)
    if record is None or record.name != name:
        return not_found("secret", name)
    seen, ref = view(tx, record), ref_of(record)
    stored = secrets.get_version(tx, ref, seen.version)
    sealed_to = secrets.recipients(tx, ref, seen.version)
    return api_secrets.SecretDetail(
        **msgspec.structs.asdict(seen),
        envelope=None if stored is None else stored.envelope,
        sealed_to=sealed_to,
        hosts=_hosts(tx, ref, seen.version, frozenset(sealed_to)),
    )


def _hosts(
    tx: Tx, ref: Ref, version: int, sealed_to: frozenset[str]
) -> tuple[api_secrets.SecretHost, ...]:
    delivered = secrets.delivered(tx, ref)
    found: list[api_secrets.SecretHost] = []
    for record in records.listing(tx, agents.KIND, agents.SCOPE):
        given = delivered.get(record.uid, 0)
        if record.uid in sealed_to or given:
            late = 0 < given < version
            sealed = record.uid in sealed_to
            host = api_secrets.SecretHost(record.uid, record.name, sealed, given, late)
            found.append(host)
    return tuple(found)


def view(tx: Tx, record: Record) -> api_secrets.Secret:
    """Return a secret as the API shows it."""
    spec = record.spec_as(SecretSpec)
    return api_secrets.Secret(
        name=record.name or "",
        created_at=_time(record.created_at),
        created_by=spec.created_by,
        updated_at=_time(record.updated_at),
        updated_by=spec.updated_by,
        description=spec.description,
        restriction=None if spec.restriction == Restriction() else spec.restriction,
        expires_at=None if spec.expires_at is None else _time(spec.expires_at),
        version=spec.version,
        revision=spec.revision,
        scope=record.scope,
        recipients=len(secrets.recipients(tx, ref_of(record), spec.version)),
        expired=spec.expires_at is not None and spec.expires_at <= tx.now,
    )


def expiring(tx: Tx) -> tuple[str, ...]:
    """Return the secrets of whose end something is to be said now; reads only."""
    return tuple(
        record.uid for record in records.listing(tx, KIND, SCOPE) if _due(tx, record) is not None
    )


def warn(tx: Tx, uids: tuple[str, ...]) -> None:
    """Say of each secret that it ends soon, or that it is over; once for each mark."""
    for uid in uids:
        record = records.get_by_uid(tx, KIND, uid)
        days = None if record is None else _due(tx, record)
        if record is None or days is None:
            continue
        name = record.name or ""
        over = days == 0
        summary = (
            f"secret {name} has expired: hosts resolve it no more; set a new value"
            if over
            else f"secret {name} expires in less than {days} {'day' if days == 1 else 'days'}"
        )
        target = Principal("secret", record.uid, name)
        kind = "secret.expired" if over else "secret.expiring"
        severity: Severity = "critical" if over else "warning"
        tx.emit(NewEvent(kind, record.scope, COORDINATOR, target, summary, severity))
        secrets.set_warned(tx, ref_of(record), days)


def _due(tx: Tx, record: Record) -> int | None:
    """Return the mark that a secret has come to and that was not said yet, or None."""
    expires = record.spec_as(SecretSpec).expires_at
    if expires is None:
        return None
    left = expires - tx.now
    mark = min((days for days in WARN_DAYS if left <= days * _DAY), default=None)
    if mark is None:
        return None
    said = secrets.warned(tx, ref_of(record))
    return mark if said is None or mark < said else None


def _time(at: float) -> str:
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
    return text.replace("+00:00", "Z")
