"""Secrets that the coordinator cannot read: it stores what operators sealed and signed.

Every refusal here is a courtesy: the host checks the signed document itself. What a secret says is
never in an event, an answer or a message.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

import msgspec
from msgspec import UNSET

from coordinator.domain import agents, roster
from coordinator.domain.actor import Actor
from coordinator.domain.outcomes import sure
from coordinator.domain.refusals import Refusal, invalid, not_found
from coordinator.domain.secret_views import KIND, SCOPE, SecretSpec, ref_of, view
from coordinator.store import node_statements, records, secrets
from coordinator.store.database import Tx
from coordinator.store.events import NewEvent, Principal
from coordinator.store.records import Record
from coordinator.store.secrets import StoredVersion
from protocol import api_secrets, dsse, ids, sealing
from protocol import secrets as rules
from protocol.errors import InvalidName
from protocol.messages import ModuleVersion
from protocol.reasons import Reason, Refused
from protocol.secrets import MAX_DESCRIPTION, MAX_OFFERED, MAX_VALUE, SealedSecret, SecretDocument

# Keys that one request brings: 5,000 of 150 bytes are 750 KB of a body of 1 MiB.
MAX_WRAPS = 5_000
_MAX_CIPHERTEXT = MAX_VALUE + sealing.NONCE_SIZE + sealing.TAG_SIZE
PLAINTEXT = (
    "this coordinator takes no secret in the clear: seal it with `standfast secrets set NAME`,"
    " which encrypts it to the hosts before it leaves your machine"
)


class _Brought(msgspec.Struct, frozen=True):
    envelope: dsse.Envelope
    document: SecretDocument
    ciphertext: bytes
    wraps: dict[str, bytes]


def create(
    tx: Tx, by: Actor, request: api_secrets.CreateSecretRequest
) -> api_secrets.Secret | Refusal:
    """Store a sealed secret under a new name."""
    if request.value is not None:
        return Refusal("forbidden", PLAINTEXT, code="plaintext_refused")
    if request.sealed is None:
        return invalid("sealed", "`sealed` is required: the document, ciphertext and keys")
    if (wrong := _description(request.description)) is not None:
        return wrong
    if records.get(tx, KIND, SCOPE, request.name) is not None:
        return Refusal(
            "conflict", f"there is a secret {request.name!r}, or one that looks the same"
        )
    brought = _brought(tx, request.name, request.sealed)
    if isinstance(brought, Refusal):
        return brought
    if (wrong := _follows(tx, brought, None)) is not None:
        return wrong
    spec = _spec(brought.document, request.description, by, None)
    created = records.create(tx, kind=KIND, scope=SCOPE, name=request.name, spec=spec)
    made = sure(created, f"secret {request.name}")
    _store(tx, made, brought)
    _emit(tx, "secret.created", made, by, f"secret {request.name} was created")
    return view(tx, made)


def replace(
    tx: Tx,
    by: Actor,
    name: str,
    request: api_secrets.UpdateSecretRequest,
    *,
    restricting: bool = False,
) -> api_secrets.Secret | Refusal:
    """Store a new version, a newly signed document of the same value, or a new description.

    The restriction may only change where the caller says that it is what changes.
    """
    if request.value is not None:
        return Refusal("forbidden", PLAINTEXT, code="plaintext_refused")
    record = _find(tx, name)
    if isinstance(record, Refusal):
        return record
    old = record.spec_as(SecretSpec)
    description = old.description if request.description is UNSET else request.description
    if (wrong := _description(description)) is not None:
        return wrong
    if request.sealed is None:
        if request.expires_at is not UNSET:
            text = "the end of a secret is part of what is signed: bring it in `sealed`"
            return invalid("expires_at", text)
        spec = msgspec.structs.replace(old, description=description, updated_by=by.username)
        changed = sure(records.update(tx, record.uid, spec=spec), f"secret {name}")
        return view(tx, changed)
    brought = _brought(tx, name, request.sealed)
    if isinstance(brought, Refusal):
        return brought
    if (wrong := _follows(tx, brought, old)) is not None:
        return wrong
    if not restricting and brought.document.restriction != old.restriction:
        return invalid(
            "restriction", "the restriction is changed by POST /secrets/NAME/restriction"
        )
    spec = _spec(brought.document, description, by, old)
    changed = sure(records.update(tx, record.uid, spec=spec), f"secret {name}")
    _store(tx, changed, brought)
    kind = "secret.restricted" if restricting else "secret.updated"
    number = f"version {spec.version}.{spec.revision}"
    _emit(tx, kind, changed, by, f"secret {name} is at {number}")
    return view(tx, changed)


def delete(tx: Tx, by: Actor, name: str) -> Refusal | None:
    """Destroy a secret; its name goes on counting, and hosts keep what they applied."""
    record = _find(tx, name)
    if isinstance(record, Refusal):
        return record
    ref = ref_of(record)
    secrets.destroy(tx, ref)
    secrets.forget_deliveries(tx, ref)
    records.delete(tx, record.uid)
    _emit(tx, "secret.deleted", record, by, f"secret {name} was deleted")
    return None


def add_wraps(
    tx: Tx, by: Actor, name: str, request: api_secrets.WrapsRequest
) -> api_secrets.Secret | Refusal:
    """Store the key of the current version for more recipients."""
    record = _find(tx, name)
    if isinstance(record, Refusal):
        return record
    current = record.spec_as(SecretSpec).version
    if request.version != current:
        text = f"version {current} is the current one, not {request.version}"
        return Refusal("conflict", text, {"version": (str(current),)})
    wraps = _wraps(request.wraps)
    if isinstance(wraps, Refusal):
        return wraps
    secrets.put_wraps(tx, ref_of(record), current, wraps)
    text = f"secret {name} was sealed to {len(wraps)} more"
    _emit(tx, "secret.resealed", record, by, text)
    return view(tx, record)


def sealed_copy(tx: Tx, by: Actor, name: str) -> api_secrets.SealedCopy | Refusal:
    """Return a secret as the caller needs it to wrap its key for others."""
    record = _find(tx, name)
    if isinstance(record, Refusal):
        return record
    ref, version = ref_of(record), record.spec_as(SecretSpec).version
    stored = secrets.get_version(tx, ref, version)
    if stored is None:
        return not_found("version of the secret", name)
    wrapped = secrets.wrapped_for(tx, ref, version, by.operator_id)
    return api_secrets.SealedCopy(
        stored.envelope,
        base64.b64encode(stored.ciphertext).decode(),
        None if wrapped is None else base64.b64encode(wrapped).decode(),
    )


def recipients(tx: Tx) -> tuple[api_secrets.Recipient, ...]:
    """Return the approved hosts with what proves their sealing keys."""
    found: list[api_secrets.Recipient] = []
    for record in records.listing(tx, agents.KIND, agents.SCOPE):
        spec = record.spec_as(agents.NodeSpec)
        if spec.approval != "approved":
            continue
        statement = node_statements.get(tx, record.uid)
        found.append(
            api_secrets.Recipient(
                record.uid,
                record.name,
                spec.public_key,
                spec.sealing_key,
                spec.sealing_sig,
                None if statement is None else statement.envelope,
            )
        )
    return tuple(found)


def for_offer(
    tx: Tx, node_id: str, modules: Iterable[ModuleVersion], *, applying: bool
) -> tuple[SealedSecret, ...]:
    """Return the secrets that modules name, as far as they are sealed to a host."""
    found: list[SealedSecret] = []
    for name in named_in(modules)[:MAX_OFFERED]:
        record = records.get(tx, KIND, SCOPE, name)
        if record is None or record.name != name:
            continue
        ref, version = ref_of(record), record.spec_as(SecretSpec).version
        stored = secrets.get_version(tx, ref, version)
        wrapped = secrets.wrapped_for(tx, ref, version, node_id)
        if stored is None or wrapped is None:
            continue
        found.append(SealedSecret(stored.envelope, stored.ciphertext, wrapped))
        if applying:
            secrets.set_delivered(tx, ref, node_id, version)
    return tuple(found)


def named_in(modules: Iterable[ModuleVersion]) -> tuple[str, ...]:
    """Return the names of the secrets that module texts mention, sorted."""
    from state_engine.language.expressions import scan

    names: set[str] = set()
    for module in modules:
        # Most modules hold none: a look at the bytes costs a thousandth of reading expressions.
        if b"secrets." in module.content:
            used, _ = scan(module.content.decode("utf-8", "replace"))
            names.update(one.name for one in used if one.namespace == "secrets")
    return tuple(sorted(names))


def _find(tx: Tx, name: str) -> Record | Refusal:
    record = records.get(tx, KIND, SCOPE, name)
    return not_found("secret", name) if record is None or record.name != name else record


def _description(text: str | None) -> Refusal | None:
    if text is not None and len(text) > MAX_DESCRIPTION:
        return invalid("description", f"a description has at most {MAX_DESCRIPTION} characters")
    return None


def _brought(tx: Tx, name: str, sealed: api_secrets.SealedBody) -> _Brought | Refusal:
    held = roster.current(tx)
    if held is None:
        return Refusal("conflict", "there is no roster yet, so no signature can be checked")
    found = rules.verify(sealed.envelope, held.roster)
    if isinstance(found, Refused):
        return Refusal("bad_request", found.detail, {"sealed": (found.detail,)}, found.reason.value)
    document = found.document
    if document.name != name or document.scope != SCOPE:
        text = f"the signed document is about {document.scope}/{document.name}"
        return Refusal("bad_request", text, {"sealed": (text,)}, Reason.SECRET_INVALID.value)
    ciphertext = _unbase64(sealed.ciphertext)
    if ciphertext is None or len(ciphertext) > _MAX_CIPHERTEXT:
        return invalid("sealed", f"`ciphertext` must be base64 of at most {_MAX_CIPHERTEXT} bytes")
    wraps = _wraps(sealed.wraps)
    return (
        wraps
        if isinstance(wraps, Refusal)
        else _Brought(sealed.envelope, document, ciphertext, wraps)
    )


def _wraps(given: dict[str, str]) -> dict[str, bytes] | Refusal:
    if len(given) > MAX_WRAPS:
        return invalid(
            "wraps", f"at most {MAX_WRAPS} keys at once; bring the rest in more requests"
        )
    wraps: dict[str, bytes] = {}
    for recipient, text in given.items():
        wrapped = _unbase64(text)
        if wrapped is None or len(wrapped) != sealing.WRAPPED_SIZE:
            return invalid("wraps", f"a wrapped key is base64 of {sealing.WRAPPED_SIZE} bytes")
        try:
            wraps[ids.check_node_id(recipient)] = wrapped
        except InvalidName as error:
            return invalid("wraps", str(error))
    return wraps


def _unbase64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _follows(tx: Tx, brought: _Brought, old: SecretSpec | None) -> Refusal | None:
    """Return why a document cannot come after the one that is stored, or None."""
    document = brought.document
    coming = secrets.last_version(tx, secrets.Ref(SCOPE, document.name)) + 1
    if not brought.ciphertext and old is not None:
        if (document.version, document.revision) != (old.version, old.revision + 1):
            text = f"version {old.version}.{old.revision + 1} comes next"
            return Refusal("conflict", text, {"revision": (str(old.revision + 1),)})
        stored = secrets.get_version(tx, secrets.Ref(SCOPE, document.name), old.version)
        if stored is None or rules.digest_of(stored.ciphertext) != document.ciphertext:
            return invalid("sealed", "the document names other sealed bytes than those stored")
        return None
    if (document.version, document.revision) != (coming, 1):
        text = f"version {coming} comes next: sign that one"
        return Refusal("conflict", text, {"version": (str(coming),)}, "secret_version")
    if rules.digest_of(brought.ciphertext) != document.ciphertext:
        return invalid("sealed", "the document names other bytes than `ciphertext`")
    return None


def _spec(
    document: SecretDocument, description: str | None, by: Actor, old: SecretSpec | None
) -> SecretSpec:
    return SecretSpec(
        version=document.version,
        revision=document.revision,
        description=description,
        restriction=document.restriction,
        expires_at=document.expires_at,
        created_by=by.username if old is None else old.created_by,
        updated_by=by.username,
    )


def _store(tx: Tx, record: Record, brought: _Brought) -> None:
    ref, document = ref_of(record), brought.document
    spec = record.spec_as(SecretSpec)
    if brought.ciphertext:
        stored = StoredVersion(spec.version, brought.envelope, brought.ciphertext)
        secrets.put_version(tx, ref, stored, brought.wraps)
        return
    secrets.set_envelope(tx, ref, document.version, brought.envelope)
    if brought.wraps:
        secrets.clear_wraps(tx, ref)
        secrets.put_wraps(tx, ref, document.version, brought.wraps)


def _emit(tx: Tx, kind: str, record: Record, by: Actor, summary: str) -> None:
    target = Principal("secret", record.uid, record.name or "")
    version = record.spec_as(SecretSpec).version
    data: dict[str, str | int | bool | None] = {"version": version}
    tx.emit(NewEvent(kind, record.scope, by.principal(), target, summary, data=data))
