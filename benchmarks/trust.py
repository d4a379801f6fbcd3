"""How fast trust is: log-ins at a real store, decisions judged by a host, secrets sealed, opened.

Run as `python -m benchmarks.trust`; prints one JSON object. The measure of each is the bare
signature, verification or key agreement that it cannot do without.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from benchmarks.machine import machine
from coordinator.domain import auth, operators
from coordinator.domain import roster as rosters
from coordinator.store.database import Store
from protocol import api, decisions, dsse, ids, login, roster, sealing
from protocol.decisions import Accepted, Context, Decision
from protocol.keys import SigningKey, verify
from protocol.policy import Policy
from protocol.roster import Roster, RosterOperator

ROUNDS = 7
COUNT = 200
NOW = 1_790_000_000
SCOPE = ids.DEFAULT_SCOPE


def main() -> None:
    """Measure, and print the object."""
    people = [SigningKey(bytes([number]) * 32) for number in range(1, 4)]
    rows = [*logins(people), *judging(people), *secrets()]
    print(json.dumps({"bench": "trust", "machine": machine(), "rows": rows}))


def signed_roster(people: list[SigningKey]) -> dsse.Envelope:
    """Return a roster in which the first is admin and the others are operators."""
    named = tuple(
        RosterOperator(
            ids.operator_id(key.public), f"person{number}", key.public.hex(),
            "operator" if number else "admin",
        )
        for number, key in enumerate(people)
    )  # fmt: skip
    made = Roster(1, 1, named, 1, "", NOW)
    return dsse.sign(dsse.ROSTER, roster.encode(made), people[0], named[0].operator_id)


def logins(people: list[SigningKey]) -> list[dict[str, object]]:
    """Challenge, signature, verification and a stored session, one after another, on a disk."""
    with tempfile.TemporaryDirectory(prefix="standfast-bench-") as folder:
        store = Store.open(f"sqlite:///{Path(folder) / 'c.db'}", clock=lambda: NOW, inline=True)
        store.write_now(lambda tx: rosters.start_with(tx, (signed_roster(people),)))
        assert store.read_now(lambda tx: operators.actor(tx, ids.operator_id(people[0].public)))
        taken = per_second(lambda: log_in(store, people[0]))
    floor = per_second(lambda: verify(people[0].public, people[0].sign(b"x" * 200), b"x" * 200))
    base = "Ed25519 sign + verify"
    return [row(base, floor), row("log-ins, SQLite", taken, floor, base)]


def log_in(store: Store, key: SigningKey) -> None:
    """Log in once."""
    coordinator = "ab" * 32
    asked = store.write_now(
        lambda tx: auth.challenge(tx, api.ChallengeRequest(key.public.hex()), coordinator)
    )
    assert isinstance(asked, api.ChallengeResponse), asked
    text = login.statement(coordinator, asked.challenge_id, asked.nonce, asked.expires_at)
    answer = api.VerifyRequest(key.public.hex(), key.sign(text).hex(), asked.challenge_id)
    done = store.write_now(lambda tx: auth.verify(tx, answer, coordinator, 3_600))
    assert isinstance(done, api.VerifyResponse), done


def judging(people: list[SigningKey]) -> list[dict[str, object]]:
    """A host's whole judgement over a decision with one and with three signatures."""
    trusted = roster.verify_first(signed_roster(people), None)
    assert isinstance(trusted, roster.TrustedRoster), trusted
    node, action = ids.node_id(b"n" * 32), b'{"v":1}'
    operator_ids = [ids.operator_id(key.public) for key in people]
    decision = Decision(
        1, ids.ulid(NOW, b"e" * 10), "approve", "state.apply", decisions.canonical_hash(action),
        (node,), SCOPE, 0, NOW, NOW + 3_600, 1, operator_ids[0],
    )  # fmt: skip
    one = dsse.sign(dsse.DECISION, decisions.encode(decision), people[0], operator_ids[0])
    three = one
    for key, operator_id in list(zip(people, operator_ids, strict=True))[1:]:
        three = dsse.add_signature(three, key, operator_id)
    context = Context(
        node_id=node, scope=SCOPE, roster=trusted.roster, policy=Policy(), coordinator_id="",
        coordinator_key=b"", used={}, epochs={}, now=NOW,
    )  # fmt: skip
    message = dsse.pae(one.payload_type, one.content())
    signature = people[0].sign(message)
    floor = per_second(lambda: verify(people[0].public, signature, message))
    base = "Ed25519 verify"
    rows = [row(base, floor)]
    for envelope, text in ((one, "one signature"), (three, "three signatures")):

        def judge(envelope: dsse.Envelope = envelope) -> None:
            found = decisions.judge(envelope, "state.apply", action, context)
            assert isinstance(found, Accepted), found

        rows.append(row(f"decisions judged, {text}", per_second(judge), floor, base))
    return rows


def secrets() -> list[dict[str, object]]:
    """Secrets of 1 KiB: encrypted and wrapped for one host, and for 100; opened by one."""
    value, info = b"s" * 1_024, b"about"
    host, ephemeral = sealing.SealingKey(b"h" * 32), X25519PrivateKey.generate()
    public = X25519PrivateKey.generate().public_key()
    floor = per_second(lambda: ephemeral.exchange(public))
    data_key = sealing.new_data_key()
    sealed, wrapped = (
        sealing.encrypt(data_key, value, info),
        sealing.wrap(data_key, host.public, info),
    )

    def seal(hosts: int) -> None:
        fresh = sealing.new_data_key()
        sealing.encrypt(fresh, value, info)
        for _ in range(hosts):
            sealing.wrap(fresh, host.public, info)

    def reveal() -> None:
        assert sealing.decrypt(host.open(wrapped, info), sealed, info) == value

    base = "X25519 exchange"
    return [
        row(base, floor),
        row("secrets sealed for one host", per_second(lambda: seal(1)), floor, base),
        row("secrets sealed for 100 hosts", per_second(lambda: seal(100), 3), floor, base),
        row("secrets opened by a host", per_second(reveal), floor, base),
    ]


def per_second(function: Callable[[], object], count: int = COUNT) -> float:
    """Return how often a second it can be done, one after another: the median of some rounds."""
    rates: list[float] = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _ in range(count):
            function()
        rates.append(count / (time.perf_counter() - begun))
    return statistics.median(rates)


def row(
    name: str, rate: float, base: float | None = None, base_name: str | None = None
) -> dict[str, object]:
    """Return a row of a rate, with its ratio to what it cannot do without."""
    return {
        "name": name,
        "value": round(rate, 1),
        "unit": "1/s",
        "ratio": None if base is None else round(rate / base, 3),
        "ratio_to": base_name,
    }


if __name__ == "__main__":
    main()
