"""Answers that are given again: one per operator and `Idempotency-Key`."""

from __future__ import annotations

import msgspec
from sqlalchemy import delete, insert, select

from coordinator.store import schema
from coordinator.store.database import Tx

# A client that tries again does so within a day.
KEEP_SECONDS = 86_400


class Answer(msgspec.Struct, frozen=True):
    """What was answered to a request; `request` is a digest of method, path and body."""

    request: str
    status: int
    headers: dict[str, str]
    body: bytes


def find(tx: Tx, operator_id: str, key: str) -> Answer | None:
    """Return the answer kept under a key of this operator, or None."""
    table = schema.idempotency
    row = tx.conn.execute(
        select(table).where(
            table.c.operator_id == operator_id,
            table.c.key == key,
            table.c.at > tx.now - KEEP_SECONDS,
        )
    ).first()
    if row is None:
        return None
    headers = msgspec.json.decode(row.headers, type=dict[str, str])
    return Answer(row.request, row.status, headers, row.body)


def keep(tx: Tx, operator_id: str, key: str, answer: Answer) -> None:
    """Keep an answer for a day, and drop those that are older.

    Raises:
        IntegrityError: there is one under this key; `find` it in the same transaction first.
    """
    table = schema.idempotency
    tx.conn.execute(delete(table).where(table.c.at <= tx.now - KEEP_SECONDS))
    tx.conn.execute(
        insert(table).values(
            operator_id=operator_id,
            key=key,
            request=answer.request,
            status=answer.status,
            headers=msgspec.json.encode(answer.headers).decode(),
            body=answer.body,
            at=tx.now,
        )
    )
