"""Setting a secret: the document that follows the one that stands, sealed, brought, told.

What an older document said (its restriction, its end) is carried on from the signed document
itself, never from what the coordinator says of it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec
from msgspec import UNSET, UnsetType

from client import sealing, secret_memory, secrets_api
from client.failures import BadUsageError, RejectedError
from client.operator_key import operator_id
from client.sealing import Sealed
from client.session import Session
from protocol import ids, secrets
from protocol.api_secrets import (
    CreateSecretRequest,
    RestrictSecretRequest,
    Secret,
    SecretDetail,
    UpdateSecretRequest,
)
from protocol.errors import DecodeError, InvalidName
from protocol.secrets import Restriction, SecretDocument

_NEXT = re.compile(r"version ([0-9]{1,15}) comes next")


class Wanted(msgspec.Struct, frozen=True):
    """What a command line wants of a secret; UNSET keeps what stands, None takes it away."""

    name: str
    value: str
    restriction: Restriction | UnsetType = UNSET
    expires_at: int | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET

    def __repr__(self) -> str:
        return f"Wanted(name={self.name!r})"


class Answer(msgspec.Struct, frozen=True):
    """What was stored, and to whom it was sealed."""

    secret: Secret
    sealed: Sealed
    behind: tuple[str, ...] = ()


def set_secret(session: Session, wanted: Wanted) -> Answer:
    """Create a secret, or give it a new value.

    Raises:
        ClientError: it cannot be sealed, or the coordinator refused it.
    """
    secrets.check_secret_name(wanted.name)
    held = secrets_api.find(session.api, wanted.name)
    before = (
        _gone(session, wanted) if held is None else sealing.verified(session, held, wanted.name)
    )
    draft = _draft(session, wanted, before)
    try:
        answer = _bring(session, wanted, draft, held)
    except RejectedError as error:
        following = _NEXT.search(str(error))
        if error.code != "secret_version" or following is None:
            raise
        if int(following[1]) <= draft.version:
            raise
        # The name was used before: hosts take nothing older, so it goes on counting.
        draft = msgspec.structs.replace(draft, version=int(following[1]))
        answer = _bring(session, wanted, draft, held)
    _stored(session, answer)
    sealing.bring_more(session, wanted.name, draft.version, answer.sealed)
    return answer


def _stored(session: Session, answer: Answer) -> None:
    secret_memory.check(session, secrets.decode(answer.sealed.body.envelope))


def _gone(session: Session, wanted: Wanted) -> SecretDocument | None:
    """Return what a secret was, of which the coordinator says that there is none."""
    before = secret_memory.recall(session, wanted.name)
    if before is None or wanted.restriction is not UNSET:
        return before
    if before.restriction != Restriction():
        words = [f"--restrict-tags {before.restriction.tags!r}"] if before.restriction.tags else []
        if before.restriction.node_ids:
            words.append(f"--restrict-nodes {','.join(before.restriction.node_ids)}")
        text = (
            f"secret {wanted.name} is said to be gone, and what you saw of it was restricted"
            f" ({' '.join(words)}); say for whom the new one is"
        )
        command = f"standfast secrets set {wanted.name} {' '.join(words)}"
        raise BadUsageError(text, next_command=command, code="secret_gone")
    return before


def restrict_secret(session: Session, name: str, restriction: Restriction) -> Answer:
    """Sign another restriction of the value that stands, with keys for those in it alone.

    Raises:
        ClientError: the secret is not sealed to us, or the coordinator refused it.
    """
    held = secrets_api.show(session.api, name)
    before = sealing.verified(session, held, name)
    document = msgspec.structs.replace(
        before,
        revision=before.revision + 1,
        restriction=restriction,
        created_by=operator_id(session.key),
        created_at=int(session.now()),
    )
    sealed = sealing.restate(session, name, document)
    stored = secrets_api.restrict(session.api, name, RestrictSecretRequest(sealed.body))
    _stored(session, Answer(stored, sealed))
    sealing.bring_more(session, name, document.version, sealed)
    return Answer(stored, sealed)


def _draft(session: Session, wanted: Wanted, before: SecretDocument | None) -> SecretDocument:
    restriction = Restriction() if before is None else before.restriction
    expires_at = None if before is None else before.expires_at
    if wanted.expires_at is not UNSET:
        expires_at = wanted.expires_at
    elif expires_at is not None and expires_at <= session.now():
        raise BadUsageError(
            f"secret {wanted.name} has expired, and a new value would expire with it",
            next_command=f"standfast secrets set {wanted.name} --expires DATE, or --clear-expires",
            code="secret_expired",
        )
    return SecretDocument(
        v=1,
        scope=ids.DEFAULT_SCOPE,
        name=wanted.name,
        version=1 if before is None else before.version + 1,
        revision=1,
        ciphertext="0" * 64,
        restriction=restriction if wanted.restriction is UNSET else wanted.restriction,
        created_by=operator_id(session.key),
        created_at=int(session.now()),
        expires_at=expires_at,
    )


def _bring(
    session: Session, wanted: Wanted, draft: SecretDocument, held: SecretDetail | None
) -> Answer:
    sealed = sealing.seal(session, draft, wanted.value)
    text = wanted.description
    if held is None:
        description = None if text is UNSET else text
        request = CreateSecretRequest(wanted.name, description=description, sealed=sealed.body)
        return Answer(secrets_api.create(session.api, request), sealed)
    behind = tuple(host.name or host.node_id for host in held.hosts if host.delivered_version)
    if wanted.restriction is not UNSET:
        restricted = RestrictSecretRequest(sealed.body)
        stored = secrets_api.restrict(session.api, wanted.name, restricted)
        if text is not UNSET:
            update = UpdateSecretRequest(description=text)
            stored = secrets_api.update(session.api, wanted.name, update)
        return Answer(stored, sealed, behind)
    update = UpdateSecretRequest(description=text, sealed=sealed.body)
    return Answer(secrets_api.update(session.api, wanted.name, update), sealed, behind)


def parse_restriction(tags: str | None, nodes: str | None) -> Restriction | UnsetType:
    """Return what --restrict-tags and --restrict-nodes mean; UNSET if neither was given.

    Raises:
        BadUsageError: no selector, or something that is no node id.
    """
    if tags is None and nodes is None:
        return UNSET
    named = tuple(sorted({part.strip() for part in (nodes or "").split(",") if part.strip()}))
    made = Restriction((tags or "").strip(), named)
    try:
        secrets.check_restriction(made)
    except (DecodeError, InvalidName) as error:
        raise BadUsageError(f"the restriction cannot be read: {error}") from error
    return made


def parse_end(text: str | None, *, clear: bool) -> int | UnsetType | None:
    """Return what --expires and --clear-expires mean, in whole seconds since the epoch.

    A date alone ends with that day, in UTC.

    Raises:
        BadUsageError: no date, or both options.
    """
    if clear:
        if text is not None:
            raise BadUsageError("--expires and --clear-expires exclude each other")
        return None
    if text is None:
        return UNSET
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadUsageError(f"--expires {text!r}: write YYYY-MM-DD or RFC 3339") from error
    if len(text.strip()) == len("YYYY-MM-DD"):
        at = at.replace(hour=23, minute=59, second=59)
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
