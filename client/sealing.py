"""Sealing secrets on the operator's machine: for whom, under which signed document.

A host's key is taken only along signatures: an operator's statement about the host, the host's own
over its sealing key. What the coordinator says by itself decides nothing here.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from client import secret_memory, secrets_api, statement_memory
from client.failures import ClientError, UntrustedError
from client.operator_key import operator_id
from client.session import Session
from protocol import handshake, ids, node_statement, sealing, secrets
from protocol.api_secrets import Recipient, SealedBody, SealedCopy, SecretDetail, WrapsRequest
from protocol.errors import DecodeError, InvalidName
from protocol.node_statement import NodeStatement
from protocol.reasons import Refused
from protocol.roster import Roster
from protocol.secrets import Restriction, SecretDocument

# Wrapped keys in one request: 4,000 of 150 bytes are 600 KB of the MiB that a body may have.
MAX_WRAPS = 4_000


class Sealed(msgspec.Struct, frozen=True):
    """What was sealed to whom, and which hosts could not be and why (label -> reason).

    `more` are the keys that found no room in the body; `bring_more` brings them.
    """

    body: SealedBody
    hosts: tuple[str, ...]
    operators: tuple[str, ...]
    left_out: dict[str, str]
    more: tuple[dict[str, str], ...] = ()


class Targets(msgspec.Struct, frozen=True):
    """Public keys by recipient, what they are called, and which hosts were left out and why."""

    keys: dict[str, bytes]
    hosts: tuple[str, ...]
    operators: tuple[str, ...]
    left_out: dict[str, str]


def seal(session: Session, draft: SecretDocument, value: str) -> Sealed:
    """Encrypt a value for all that may have it, and sign the document about it.

    Raises:
        UntrustedError: the roster does not hold.
        ClientError: the value cannot be one.
    """
    if (wrong := secrets.check_value(value)) is not None:
        raise ClientError(wrong, code="secret_value")
    targets = _targets(session, draft.restriction, draft.scope)
    document, ciphertext, data_key = secrets.seal(draft, value)
    return _sealed(session, document, base64.b64encode(ciphertext).decode(), data_key, targets)


def restate(session: Session, name: str, document: SecretDocument) -> Sealed:
    """Sign a document about the value that is stored, with keys for those that it allows alone.

    Raises:
        ClientError: the secret is not sealed to us, so its key cannot be wrapped for others.
    """
    data_key, _ = _opened(session, name)
    targets = _targets(session, document.restriction, document.scope)
    return _sealed(session, document, "", data_key, targets)


def bring_more(session: Session, name: str, version: int, sealed: Sealed) -> None:
    """Bring the keys of a version that found no room in its body."""
    for wraps in sealed.more:
        secrets_api.add_wraps(session.api, name, WrapsRequest(version, wraps))


def reseal(session: Session, name: str, node_id: str | None = None) -> tuple[Targets, int]:
    """Wrap a secret's key for all that it allows, or for one host of them; return how many.

    Raises:
        ClientError: the secret is not sealed to us.
    """
    data_key, document = _opened(session, name)
    targets = _targets(session, document.restriction, document.scope)
    wraps = _wrapped(document, data_key, targets)
    if node_id is not None:
        wraps = {one: wrapped for one, wrapped in wraps.items() if one == node_id}
    for part in parts(wraps):
        secrets_api.add_wraps(session.api, name, WrapsRequest(document.version, part))
    return targets, len(wraps)


def wrap_for_node(session: Session, node_id: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Seal to a new host every secret that it may have and we can open: for its approval.

    Return the names, and of those that failed the reason.
    """
    done: list[str] = []
    failed: dict[str, str] = {}
    for secret in secrets_api.listing(session.api):
        try:
            _, count = reseal(session, secret.name, node_id)
        except ClientError as error:
            failed[secret.name] = str(error)
            continue
        if count:
            done.append(secret.name)
    return tuple(done), failed


def verified(session: Session, detail: SecretDetail | SealedCopy, name: str) -> SecretDocument:
    """Return the signed document of a secret, and remember it.

    Raises:
        UntrustedError: no operator of the roster has signed it, it is another secret's, or older
            than what this operator has seen of it.
    """
    if detail.envelope is None:
        raise UntrustedError("the secret came without its signed document", code="secret_invalid")
    found = secrets.verify(detail.envelope, session.trusted().roster)
    if isinstance(found, Refused):
        raise UntrustedError(
            f"the secret's document does not hold: {found.detail}",
            next_command="standfast secrets set NAME, and look at who can write to the coordinator",
            code=found.reason.value,
        )
    document = found.document
    if document.name != name or document.scope != ids.DEFAULT_SCOPE:
        text = f"asked for secret {name}, got {document.scope}/{document.name}"
        raise UntrustedError(text, code="secret_invalid")
    secret_memory.check(session, document)
    return document


def _sealed(
    session: Session,
    document: SecretDocument,
    ciphertext: str,
    data_key: bytes,
    targets: Targets,
) -> Sealed:
    envelope = secrets.sign(document, session.key)
    first, *more = parts(_wrapped(document, data_key, targets))
    body = SealedBody(envelope, ciphertext, first)
    return Sealed(body, targets.hosts, targets.operators, targets.left_out, tuple(more))


def parts(wraps: dict[str, str]) -> list[dict[str, str]]:
    """Return wrapped keys in parts that each fit a request."""
    items = list(wraps.items())
    return [dict(items[at : at + MAX_WRAPS]) for at in range(0, len(items), MAX_WRAPS)]


def _opened(session: Session, name: str) -> tuple[bytes, SecretDocument]:
    copy = secrets_api.sealed(session.api, name)
    document = verified(session, copy, name)
    own = operator_id(session.key)
    if copy.wrapped is None:
        raise ClientError(
            f"secret {name} is not sealed to you",
            next_command="an admin that it is sealed to runs it; or standfast secrets set",
            code="secret_not_yours",
        )
    key = sealing.operator_key(session.key.seed())
    try:
        wrapped, ciphertext = _unbase64(copy.wrapped), _unbase64(copy.ciphertext)
        secrets.open_value(document, ciphertext, wrapped, key, own)
        names = (document.scope, document.name, document.version)
        return key.open(wrapped, secrets.key_info(*names, own)), document
    except DecodeError as error:
        raise UntrustedError(f"secret {name}: {error}", code="secret_invalid") from error


def _targets(session: Session, restriction: Restriction, scope: str) -> Targets:
    roster = session.trusted().roster
    own = operator_id(session.key)
    found = {own: sealing.operator_key(session.key.seed()).public}
    names = ["you"]
    for operator in roster.operators:
        if operator.role == "admin" and operator.sealing_key and operator.operator_id != own:
            try:
                public = ids.check_hex64(operator.sealing_key, "a sealing key")
            except InvalidName:
                # Signed like that, it is no key: nothing can be sealed to it.
                continue
            found[operator.operator_id] = public
            names.append(operator.username)
    hosts: list[str] = []
    left_out: dict[str, str] = {}
    recipients = secrets_api.recipients(session.api)
    shown = {one.node_id: _statement(one, roster) for one in recipients}
    # One that does not hold any more, its signer having left, makes no recipient of a host anyway.
    statement_memory.check(session, {node: found for node, found in shown.items() if found})
    for recipient in recipients:
        label = recipient.name or recipient.node_id
        key = _host_key(recipient, restriction, scope, roster)
        if isinstance(key, bytes):
            found[recipient.node_id] = key
            hosts.append(label)
        elif key is not None:
            left_out[label] = key
    return Targets(found, tuple(hosts), tuple(names), left_out)


def _host_key(
    recipient: Recipient, restriction: Restriction, scope: str, roster: Roster
) -> bytes | str | None:
    """Return a host's sealing key; None if it is not meant; a text: meant, and why it cannot be."""
    try:
        public = ids.check_hex64(recipient.public_key, "the host's key")
        sealing_key = ids.check_hex64(recipient.sealing_key, "the host's sealing key")
        signature = bytes.fromhex(recipient.sealing_sig)
    except (InvalidName, ValueError) as error:
        return str(error)
    statement = _statement(recipient, roster)
    if statement is None:
        # Somebody typed its id, and the id commits to the key: that is as good as a statement.
        if recipient.node_id not in restriction.node_ids:
            return "no operator has signed what it is: standfast agents vouch"
        if restriction.tags or ids.node_id(public) != recipient.node_id:
            return "its tags, or its key, are not signed: standfast agents vouch"
    elif statement.scope != scope or not secrets.allows(
        restriction, recipient.node_id, statement.tags
    ):
        return None
    elif not node_statement.vouches_for(statement, public):
        return "it shows another key than the operators have signed: standfast agents vouch"
    if not handshake.sealing_key_holds(public, sealing_key, signature):
        return "its sealing key is not signed by its own key"
    return sealing_key


def _statement(recipient: Recipient, roster: Roster) -> NodeStatement | None:
    if recipient.statement is None:
        return None
    found = node_statement.verify(recipient.statement, roster)
    if isinstance(found, Refused) or found.node_id != recipient.node_id:
        return None
    return found


def _wrapped(document: SecretDocument, data_key: bytes, targets: Targets) -> dict[str, str]:
    wraps: dict[str, str] = {}
    for recipient, public in targets.keys.items():
        try:
            wrapped = secrets.wrap_for(document, data_key, recipient, public)
        except DecodeError:
            # A host that shows a key to which nothing can be sealed gets nothing.
            continue
        wraps[recipient] = base64.b64encode(wrapped).decode()
    return wraps


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecodeError(f"not base64: {error}") from error
