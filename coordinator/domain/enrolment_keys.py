"""Enrolment keys: made once, shown once, kept as a hash, counted when a host registers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from coordinator.domain import host_authority
from coordinator.domain.actor import Actor
from coordinator.domain.outcomes import sure
from coordinator.domain.refusals import Refusal, RefusalKind, invalid, not_found
from coordinator.domain.tag_rules import check as check_tags
from coordinator.store import records, rosters
from coordinator.store.database import Tx
from coordinator.store.events import COORDINATOR, NewEvent, Principal
from coordinator.store.records import Record
from protocol import api, enrolment, ids
from protocol.errors import DecodeError
from protocol.reasons import Reason

KIND = "enrolment_key"
SCOPE = ids.DEFAULT_SCOPE
CLUSTER = "default"
MAX_LABEL = 128
MAX_URLS = 8
# A use is one host; a million hosts need more than one coordinator first.
MAX_USES = 1_000_000
# Keys that were given to anybody and not used yet: 1,000 of 600 bytes, and one list shows them.
MAX_PUBLIC = 1_000
# Who made those; no operator can be called so, for a name begins with a letter.
PUBLIC = "-public-"
# The published family answers a field that breaks its rule with this kind.
_WRONG: RefusalKind = "validation_failed"


class KeySpec(msgspec.Struct, frozen=True):
    """What a key allows; `label` is the name that people gave it, None uses means no limit.

    `recovers` is the one host whose id it gives to a new key, None for an ordinary key.
    """

    cluster: str
    label: str | None
    uses_remaining: int | None
    expires_at: float | None
    tags: dict[str, str]
    auto_approve: bool
    created_by: str
    recovers: str | None = None


class KeyStatus(msgspec.Struct, frozen=True):
    """When a key last let a host in."""

    last_used_at: float | None = None


class Issuer(msgspec.Struct, frozen=True):
    """What a key says of this coordinator: where it is and how to know it."""

    urls: tuple[str, ...]
    public_key: bytes
    tls_fingerprint: str


class Use(msgspec.Struct, frozen=True):
    """What one use of a key gives to the host that registers."""

    key_id: str
    tags: dict[str, str]
    auto_approve: bool


def create_public(
    tx: Tx, issuer: Issuer, *, most: int = MAX_PUBLIC
) -> api.EnrolmentKeyInfo | Refusal:
    """Make a key for one host, without end, for whoever asks; that host still needs approval.

    `most` of them may be unused at a time.
    """
    specs = (record.spec_as(KeySpec) for record in records.listing(tx, KIND, SCOPE))
    unused = sum(spec.created_by == PUBLIC and spec.uses_remaining != 0 for spec in specs)
    if unused >= most:
        return Refusal("unavailable", f"{unused} public keys are unused: delete some first")
    return create(tx, None, CLUSTER, api.CreateEnrolmentKeyRequest(), issuer)


def create(
    tx: Tx, by: Actor | None, cluster: str, request: api.CreateEnrolmentKeyRequest, issuer: Issuer
) -> api.EnrolmentKeyInfo | Refusal:
    """Make a key; the answer holds the string itself, and nothing else ever will.

    `by` is None where nobody is known who asked.
    """
    if cluster != CLUSTER:
        return not_found("cluster", cluster)
    roster = rosters.current(tx)
    if roster is None:
        message = "there is no roster yet, so no host could know whom to trust: sign one first"
        return Refusal("conflict", message, code=Reason.ROSTER_UNKNOWN)
    uses = 1 if isinstance(request.uses_remaining, msgspec.UnsetType) else request.uses_remaining
    expires = _time(tx, request.expires_at)
    wrong = (
        _check_label(request.name) or _check_uses(uses) or _check_urls(request.urls)
        or _check_tags(request.tags) or _check_recovers(tx, by, request.recovers, uses)
    )  # fmt: skip
    if wrong is not None:
        return wrong
    if isinstance(expires, Refusal):
        return expires
    secret = tx.entropy(enrolment.SECRET_SIZE)
    spec = KeySpec(
        cluster,
        request.name,
        uses,
        expires,
        request.tags,
        request.auto_approve,
        by.username if by is not None else PUBLIC,
        request.recovers,
    )
    created = records.create(
        tx,
        kind=KIND,
        scope=SCOPE,
        name=enrolment.secret_hash(secret),
        spec=spec,
        status=KeyStatus(),
    )
    made = sure(created, "two secrets of 256 bits are the same")
    text = enrolment.encode(
        enrolment.EnrolmentKey(
            urls=request.urls or issuer.urls,
            coordinator_key=issuer.public_key.hex(),
            tls_fingerprint=issuer.tls_fingerprint,
            roster=roster.digest,
            cluster=cluster,
            secret=enrolment.secret_text(secret),
            node_id=request.recovers or "",
        )
    )
    _emit(tx, "enrolment_key.created", by, made, f"an enrolment key for {cluster} was made")
    return msgspec.structs.replace(_view(made), key=text)


def use(tx: Tx, secret: bytes, recovers: str | None = None) -> Use | Refusal:
    """Count one use of the key with this secret, in the transaction that registers the host.

    `recovers` is the host that is to keep its id under a new key, None for one that is new.
    """
    record = records.get(tx, KIND, SCOPE, enrolment.secret_hash(secret))
    if record is None:
        return Refusal("forbidden", "the enrolment key is not known here", code="invalid_key")
    spec = record.spec_as(KeySpec)
    if spec.expires_at is not None and tx.now >= spec.expires_at:
        return Refusal("forbidden", "the enrolment key has expired", code="key_expired")
    if spec.uses_remaining == 0:
        return Refusal("forbidden", "the enrolment key is used up", code="key_spent")
    if spec.recovers != recovers:
        wanted = f"brings back host {spec.recovers}" if spec.recovers else "is for new hosts"
        return Refusal("forbidden", f"the enrolment key {wanted}", code="key_of_another_kind")
    left = spec.uses_remaining - 1 if spec.uses_remaining is not None else None
    records.update(
        tx,
        record.uid,
        spec=msgspec.structs.replace(spec, uses_remaining=left),
        status=KeyStatus(tx.now),
    )
    return Use(record.uid, spec.tags, spec.auto_approve)


def listing(tx: Tx) -> tuple[api.EnrolmentKeyInfo, ...]:
    """Return all keys, oldest first."""
    return tuple(_view(record) for record in records.listing(tx, KIND, SCOPE))


def find_by_text(tx: Tx, text: str) -> str | None:
    """Return the id of the key that a string is, or None if it is none of ours."""
    try:
        secret = enrolment.decode(text).secret_bytes()
    except DecodeError:
        return None
    record = records.get(tx, KIND, SCOPE, enrolment.secret_hash(secret))
    return record.uid if record is not None else None


def get(tx: Tx, key_id: str) -> api.EnrolmentKeyInfo | Refusal:
    """Return one key, without its string."""
    record = records.get_by_uid(tx, KIND, key_id)
    return _view(record) if record is not None else not_found("enrollment key", key_id)


def update(
    tx: Tx, by: Actor, key_id: str, request: api.UpdateEnrolmentKeyRequest
) -> api.EnrolmentKeyInfo | Refusal:
    """Change a key's label, uses or end."""
    record = records.get_by_uid(tx, KIND, key_id)
    if record is None:
        return not_found("enrollment key", key_id)
    spec = record.spec_as(KeySpec)
    refused = _check_renewed(tx, by, spec, request)
    if refused is not None:
        return refused
    if not isinstance(request.name, msgspec.UnsetType):
        spec = msgspec.structs.replace(spec, label=request.name)
    if not isinstance(request.uses_remaining, msgspec.UnsetType):
        spec = msgspec.structs.replace(spec, uses_remaining=request.uses_remaining)
        wrong = _check_uses(request.uses_remaining)
        if wrong is not None:
            return wrong
    if not isinstance(request.expires_at, msgspec.UnsetType):
        expires = _time(tx, request.expires_at)
        if isinstance(expires, Refusal):
            return expires
        spec = msgspec.structs.replace(spec, expires_at=expires)
    wrong = _check_label(spec.label)
    if wrong is not None:
        return wrong
    changed = records.update(tx, key_id, spec=spec)
    if not isinstance(changed, Record):
        return not_found("enrollment key", key_id)
    _emit(tx, "enrolment_key.updated", by, changed, f"enrolment key {key_id} was changed")
    return _view(changed)


def delete(tx: Tx, by: Actor, key_id: str) -> Refusal | None:
    """Delete a key; hosts that came with it stay."""
    record = records.get_by_uid(tx, KIND, key_id)
    if record is None:
        return not_found("enrollment key", key_id)
    records.delete(tx, key_id)
    _emit(tx, "enrolment_key.deleted", by, record, f"enrolment key {key_id} was deleted")
    return None


def _check_label(label: str | None) -> Refusal | None:
    if label is not None and not 1 <= len(label) <= MAX_LABEL:
        return invalid("name", f"name must have 1 to {MAX_LABEL} characters, or be null", _WRONG)
    return None


def _check_uses(uses: int | None) -> Refusal | None:
    if uses is not None and not 1 <= uses <= MAX_USES:
        message = f"uses_remaining must be 1 to {MAX_USES}, or null for no limit"
        return invalid("uses_remaining", message, _WRONG)
    return None


def _check_recovers(
    tx: Tx, by: Actor | None, node_id: str | None, uses: int | None
) -> Refusal | None:
    if node_id is None:
        return None
    if uses != 1:
        return invalid("recovers", "a key that brings a host back has one use", _WRONG)
    if records.get_by_uid(tx, "node", node_id) is None:
        return not_found("agent", node_id)
    return host_authority.refused(tx, by, node_id)


def _check_renewed(
    tx: Tx, by: Actor, spec: KeySpec, request: api.UpdateEnrolmentKeyRequest
) -> Refusal | None:
    if spec.recovers is None:
        return None
    if not isinstance(request.uses_remaining, msgspec.UnsetType):
        text = "a key that brings a host back has one use: make another one"
        return invalid("uses_remaining", text, _WRONG)
    if isinstance(request.expires_at, msgspec.UnsetType):
        return None
    return host_authority.refused(tx, by, spec.recovers)


def _check_tags(wanted: dict[str, str]) -> Refusal | None:
    wrong = check_tags(wanted)
    return msgspec.structs.replace(wrong, kind=_WRONG) if wrong is not None else None


def _check_urls(urls: Iterable[str]) -> Refusal | None:
    given = tuple(urls)
    if len(given) > MAX_URLS or any(
        not url.startswith(("https://", "http://")) or not 9 <= len(url) <= 255 for url in given
    ):
        message = f"urls are at most {MAX_URLS} of https://HOST[:PORT], 255 characters each"
        return invalid("urls", message, _WRONG)
    return None


def _time(tx: Tx, text: str | None) -> float | Refusal | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        seconds = at.timestamp()
    except (ValueError, OverflowError):
        return invalid("expires_at", "expires_at must be an RFC 3339 time", _WRONG)
    if seconds <= tx.now:
        return invalid("expires_at", "expires_at must be in the future", _WRONG)
    return seconds


def _text(at: float | None) -> str | None:
    if at is None:
        return None
    shown = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return shown.replace("+00:00", "Z")


def _view(record: Record) -> api.EnrolmentKeyInfo:
    spec, status = record.spec_as(KeySpec), record.status_as(KeyStatus)
    return api.EnrolmentKeyInfo(
        id=record.uid,
        cluster_name=spec.cluster,
        name=spec.label,
        uses_remaining=spec.uses_remaining,
        expires_at=_text(spec.expires_at),
        last_used_at=_text(status.last_used_at),
        inserted_at=_text(record.created_at) or "",
        updated_at=_text(record.updated_at) or "",
        auto_approve=spec.auto_approve,
        tags=spec.tags,
        recovers=spec.recovers,
    )


def _emit(tx: Tx, kind: str, by: Actor | None, record: Record, summary: str) -> None:
    target = Principal("enrolment_key", record.uid, record.spec_as(KeySpec).label or "")
    actor = by.principal() if by is not None else COORDINATOR
    tx.emit(NewEvent(kind, SCOPE, actor, target, summary))
