"""Log-in: a challenge bound to this coordinator, one answer to it, a token that is kept as a hash.

What a stranger learns is the same for every key until a signature proves that the key is theirs.
Nothing that a stranger does is in an operator's way: a wrong answer uses up nobody's challenge, and
when many knock, each key gets the same challenge again instead of a refusal.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from coordinator.domain import operators
from coordinator.domain.actor import Actor, Grant
from coordinator.domain.refusals import Refusal, invalid
from coordinator.store import challenges, sessions, settings, tokens
from coordinator.store.challenges import Challenge
from coordinator.store.database import Tx
from coordinator.store.events import NewEvent, Principal
from protocol import api, ids, keys, login
from protocol.errors import InvalidName
from protocol.limits import CHALLENGE_SECONDS
from protocol.roster import Role

TOKEN_BYTES = 32
# Waiting for answers: 1,000 rows of 200 bytes. Above it challenges are derived, not made.
MAX_WAITING = 1_000
# Challenges without an id in the answer: so many of the key's newest are tried, 0.1 ms each.
MAX_TRIED = 16
# A derived challenge is the same for a key in so many seconds, and lives for 30 to 60 s.
WINDOW_SECONDS = 30
# Log-ins of one key in one window while many knock.
MAX_DERIVED = 64
# The last use of a token is written down again after so many seconds.
TOUCH_SECONDS = 60
_SECRET = "auth.challenge_secret"  # noqa: S105 - the name of a setting
_RANK: tuple[Role, ...] = ("viewer", "automation", "operator", "admin")


def challenge(
    tx: Tx, request: api.ChallengeRequest, coordinator_key: str, *, crowded: bool = False
) -> api.ChallengeResponse | Refusal:
    """Return a challenge for any well-formed key, known or not.

    `crowded` says that many knock: then it is derived, and kept only for keys that are known.
    """
    try:
        public = ids.check_hex64(request.public_key, "public_key")
    except InvalidName as error:
        return invalid("public_key", str(error))
    if crowded or challenges.waiting(tx) >= MAX_WAITING:
        known = operators.actor(tx, ids.operator_id(public)) is not None
        made = _derived(tx, request.public_key, known=known)
    else:
        expires_at = float(int(tx.now) + CHALLENGE_SECONDS)
        made = Challenge(tx.ulid(), request.public_key, tx.entropy(32).hex(), expires_at)
        challenges.create(tx, made)
    return api.ChallengeResponse(
        nonce=made.nonce,
        challenge_id=made.challenge_id,
        coordinator_key=coordinator_key,
        expires_at=int(made.expires_at),
    )


def _derived(tx: Tx, public_key: str, *, known: bool) -> Challenge:
    begin = int(tx.now) // WINDOW_SECONDS * WINDOW_SECONDS
    secret = settings.get(tx, _SECRET)
    if secret is None:
        secret = tx.entropy(32).hex()
        settings.put(tx, _SECRET, secret)
    number = 0
    made = _derive(bytes.fromhex(secret), public_key, begin, number)
    while (found := challenges.state(tx, made.challenge_id)) == "used" and number < MAX_DERIVED:
        number += 1
        made = _derive(bytes.fromhex(secret), public_key, begin, number)
    if known and found is None:
        challenges.create(tx, made)
    return made


def _derive(secret: bytes, public_key: str, begin: int, number: int) -> Challenge:
    text = f"standfast/challenge/v1 {public_key} {begin} {number}".encode()
    made = hmac.new(secret, text, hashlib.sha512).digest()
    name = ids.ulid(float(begin), made[:10])
    return Challenge(name, public_key, made[16:48].hex(), float(begin + CHALLENGE_SECONDS))


def verify(
    tx: Tx, request: api.VerifyRequest, coordinator_key: str, lifetime: int, source: str = ""
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
    if not _answered(tx, request, public, signature, coordinator_key):
        return Refusal("unauthorized", "no open challenge of this key is answered by the signature")
    actor = operators.actor(tx, ids.operator_id(public))
    if actor is None:
        # The caller has proved to hold the key, so this tells nothing to anybody else.
        return Refusal("forbidden", "this key is no operator's here: ask an admin to add it")
    token = base64.urlsafe_b64encode(tx.entropy(TOKEN_BYTES)).decode().rstrip("=")
    expires_at = int(tx.now) + lifetime
    sessions.create(tx, actor.operator_id, token, float(expires_at), source)
    who = actor.principal()
    summary = f"{actor.username} logged in"
    data: dict[str, str | int | bool | None] = {"source": source[: sessions.MAX_SOURCE]}
    tx.emit(NewEvent("operator.logged_in", ids.DEFAULT_SCOPE, who, who, summary, data=data))
    return api.VerifyResponse(token, expires_at)


def _answered(
    tx: Tx, request: api.VerifyRequest, public: bytes, signature: bytes, coordinator_key: str
) -> bool:
    for asked in challenges.open_for(tx, request.public_key, request.challenge_id, MAX_TRIED):
        statement = login.statement(
            coordinator_key, asked.challenge_id, asked.nonce, int(asked.expires_at)
        )
        if keys.verify(public, signature, statement):
            challenges.use_up(tx, asked.challenge_id)
            return True
    return False


def failed(tx: Tx, public_key: str, source: str) -> None:
    """Write down that somebody could not prove to hold a key; the caller bounds how often."""
    try:
        operator_id = ids.operator_id(ids.check_hex64(public_key, "public_key"))
    except InvalidName:
        return
    known = operators.actor(tx, operator_id)
    who = Principal("stranger", source[: sessions.MAX_SOURCE])
    target = known.principal() if known is not None else Principal("operator", operator_id)
    summary = f"a log-in as {target.name or 'an unknown key'} from {who.id or '?'} failed"
    tx.emit(NewEvent("auth.failed", ids.DEFAULT_SCOPE, who, target, summary, "warning"))


def actor_of(tx: Tx, token: str) -> Actor | None:
    """Return who a token stands for if it is valid now, or None."""
    session = sessions.find(tx, token)
    if session is not None:
        actor = operators.actor(tx, session.operator_id)
        if actor is None:
            return None
        stale = tx.now - session.last_used_at >= TOUCH_SECONDS
        return Actor(
            actor.operator_id, actor.username, actor.role, "key", session.session_id, stale=stale
        )
    made = tokens.find(tx, token)
    # A token does what its maker may, at most: it falls with them.
    owner = operators.actor(tx, made.operator_id) if made is not None else None
    if made is None or owner is None:
        return None
    return Actor(
        owner.operator_id,
        owner.username,
        _lower(made.role, owner.role),
        "token",
        made.name,
        Grant(made.name, frozenset(made.capabilities), made.scope),
        stale=made.last_used_at is None or tx.now - made.last_used_at >= TOUCH_SECONDS,
    )


def _lower(one: Role, other: Role) -> Role:
    return one if _RANK.index(one) < _RANK.index(other) else other


def touch(tx: Tx, token: str) -> None:
    """Write down that a token was used now."""
    sessions.used(tx, token)
    tokens.used(tx, token)
