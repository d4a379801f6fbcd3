"""Doing a change once."""

from __future__ import annotations

import pytest

from coordinator.domain import idempotency
from coordinator.domain.refusals import Refusal
from coordinator.store import idempotency as stored
from coordinator.store.database import Tx
from protocol import api
from tests.fakes.api_site import Desk

KIND = api.VerifyResponse


class Counter:
    """A job that gives another answer each time it is done."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self, tx: Tx) -> api.VerifyResponse | Refusal:
        """Count and answer."""
        del tx
        self.done += 1
        return api.VerifyResponse(f"secret-{self.done}", self.done)


def test_the_same_key_and_request_are_done_once() -> None:
    desk, job = Desk.open(), Counter()
    answers = [
        desk.do(lambda tx: idempotency.once(tx, desk.ada, "k", b"request", job, KIND))
        for _ in range(3)
    ]
    assert answers == [api.VerifyResponse("secret-1", 1)] * 3
    assert job.done == 1


def test_another_request_under_the_key_is_a_conflict() -> None:
    desk, job = Desk.open(), Counter()
    desk.do(lambda tx: idempotency.once(tx, desk.ada, "k", b"request", job, KIND))
    refusal = desk.refused(lambda tx: idempotency.once(tx, desk.ada, "k", b"other", job, KIND))
    assert refusal.kind == "conflict"
    assert job.done == 1


def test_without_a_key_and_for_another_operator_it_is_done_anew() -> None:
    desk, job = Desk.open(), Counter()
    for actor, key in (
        (desk.ada, None),
        (desk.ada, None),
        (desk.ada, "k"),
        (desk.people["oli"], "k"),
    ):
        desk.do(lambda tx, a=actor, k=key: idempotency.once(tx, a, k, b"r", job, KIND))  # type: ignore[misc]  # bound now
    assert job.done == 4


def test_a_refusal_is_not_kept() -> None:
    desk, job = Desk.open(), Counter()
    refusal = Refusal("conflict", "not now")
    desk.refused(lambda tx: idempotency.once(tx, desk.ada, "k", b"r", lambda _: refusal, KIND))
    desk.do(lambda tx: idempotency.once(tx, desk.ada, "k", b"r", job, KIND))
    assert job.done == 1


def test_a_day_later_the_key_is_free() -> None:
    desk, job = Desk.open(), Counter()
    for _ in range(2):
        desk.do(lambda tx: idempotency.once(tx, desk.ada, "k", b"r", job, KIND))
        desk.clock.now += stored.KEEP_SECONDS + 1
    assert job.done == 2


def test_the_kept_answer_cannot_be_read_without_the_key() -> None:
    """An answer may hold a secret that is shown once: the store alone must not give it away."""
    desk, job, seen = Desk.open(), Counter(), list[stored.Answer]()
    desk.do(lambda tx: idempotency.once(tx, desk.ada, "the-key", b"r", job, KIND))

    def look(tx: Tx) -> None:
        rows = tx.conn.exec_driver_sql("SELECT * FROM idempotency").all()
        seen.extend(rows)  # type: ignore[arg-type]  # only their text is looked at

    desk.store.read_now(look)
    assert len(seen) == 1
    assert "secret-1" not in repr(seen)
    assert "the-key" not in repr(seen)


@pytest.mark.parametrize("key", ["", "x" * 256, "ä", "a\nb"])
def test_a_malformed_key_is_refused(key: str) -> None:
    desk, job = Desk.open(), Counter()
    refusal = desk.refused(lambda tx: idempotency.once(tx, desk.ada, key, b"r", job, KIND))
    assert refusal.kind == "bad_request"
    assert job.done == 0
