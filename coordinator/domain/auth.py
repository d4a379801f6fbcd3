"""Log-in: a challenge bound to this coordinator, one answer to it, a token that is kept as a hash.

What a stranger learns is the same for every key until a signature proves that the key is theirs.
"""

from __future__ import annotations

import base64

from coordinator.domain import operators
from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal, invalid
from coordinator.store import challenges, sessions
from coordinator.store.database import Tx
from coordinator.store.events import NewEvent, Principal
from protocol import api, ids, keys, login
from protocol.errors import InvalidName
from protocol.limits import CHALLENGE_SECONDS

TOKEN_BYTES = 32
# Waiting for answers from keys that are no operator's: 1,000 rows of 200 bytes. Known keys are
# not counted, so a flood of strangers locks nobody out.
MAX_STRANGERS = 1_000


def challenge(
    tx: Tx, request: api.ChallengeRequest, coordinator_key: str
) -> api.ChallengeResponse | Refusal:
    """Return a challenge for any well-formed key, known or not."""
    try:
        public = ids.check_hex64(request.public_key, "public_key")
    except InvalidName as error:
        return invalid("public_key", str(error))
    known = operators.actor(tx, ids.operator_id(public)) is not None
    if not known and challenges.waiting(tx) >= MAX_STRANGERS:
        return Refusal("too_many_requests", "too many log-ins are waiting; try again in a minute")
    made = api.ChallengeResponse(
        nonce=tx.entropy(32).hex(),
        challenge_id=tx.ulid(),
        coordinator_key=coordinator_key,
        expires_at=int(tx.now) + CHALLENGE_SECONDS,
    )
    challenges.create(
        tx,
        challenges.Challenge(
            made.challenge_id, request.public_key, made.nonce, float(made.expires_at)
        ),
    )
    return made


def verify(
    tx: Tx, request: api.VerifyRequest, coordinator_key: str, lifetime: int
) -> api.VerifyResponse | Refusal:
    """Use up a challenge, and start a session of `lifetime` seconds if the signature holds."""
    try:
        public = ids.check_hex64(request.public_key, "public_key")
    except InvalidName as error:
        return invalid("public_key", str(error))
    try:
        signature = bytes.fromhex(request.signature)
    except ValueError:
        return invalid("signature", "signature must be 128 hex digits")
    if len(signature) != keys.SIGNATURE_SIZE:
        return invalid("signature", "signature must be 128 hex digits")
    asked = challenges.take(tx, request.public_key, request.challenge_id)
    if asked is None or not keys.verify(
        public,
        signature,
        login.statement(coordinator_key, asked.challenge_id, asked.nonce, int(asked.expires_at)),
    ):
        return Refusal("unauthorized", "no open challenge of this key is answered by the signature")
    actor = operators.actor(tx, ids.operator_id(public))
    if actor is None:
        # The caller has proved to hold the key, so this tells nothing to anybody else.
        return Refusal("forbidden", "this key is no operator's here: ask an admin to add it")
    token = base64.urlsafe_b64encode(tx.entropy(TOKEN_BYTES)).decode().rstrip("=")
    expires_at = int(tx.now) + lifetime
    sessions.create(tx, actor.operator_id, token, float(expires_at))
    who = actor.principal()
    target = Principal("operator", actor.operator_id, actor.username)
    summary = f"{actor.username} logged in"
    tx.emit(NewEvent("operator.logged_in", ids.DEFAULT_SCOPE, who, target, summary))
    return api.VerifyResponse(token, expires_at)


def actor_of(tx: Tx, token: str) -> Actor | None:
    """Return the operator of a token that is valid now, or None."""
    session = sessions.find(tx, token)
    return operators.actor(tx, session.operator_id) if session is not None else None
