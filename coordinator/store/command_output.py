"""What commands printed, in pieces: each piece of a host once, numbered over a whole command."""

from __future__ import annotations

import msgspec
from sqlalchemy import LargeBinary, bindparam, cast, func, insert, select

from coordinator.store.database import Tx
from coordinator.store.schema_commands import command_output
from protocol.canonical import MAX_INTEGER
from protocol.commands import Output

# What one host may store of one command: its agent says 1 MiB, in at most three times the bytes.
MAX_TEXT = 4 * 1_048_576
# And in how many pieces: a talker of one word a second for a week.
MAX_PIECES = 100_000
# Pieces in one look: 16 KiB each, so 4 MiB at most.
MAX_PAGE = 256


class Piece(msgspec.Struct, frozen=True):
    """One piece; `number` counts those of its host, `seq` those of the command."""

    seq: int
    node_id: str
    number: int
    offset: int
    omitted: int
    text: str


_OF = (command_output.c.command_id == bindparam("command")) & (
    command_output.c.node_id == bindparam("node")
)
_HELD = select(
    func.count(),
    # As bytes: of text SQLite counts what stands before the first NUL only.
    func.coalesce(func.sum(func.length(cast(command_output.c.text, LargeBinary))), 0),
    func.coalesce(func.max(command_output.c.number), 0),
).where(_OF)
_LAST = select(func.coalesce(func.max(command_output.c.seq), 0)).where(
    command_output.c.command_id == bindparam("command")
)


def add(tx: Tx, node_id: str, said: Output) -> bool:
    """Store the next piece of a host; False if it was there before or is beyond what is kept."""
    command_id = said.run_id
    held = tx.conn.execute(_HELD, {"command": command_id, "node": node_id}).one()
    count, size, highest = (int(value) for value in held)
    if not highest < said.number <= MAX_INTEGER or count >= MAX_PIECES:
        return False
    if size + len(said.text.encode()) > MAX_TEXT:
        return False
    last = int(tx.conn.execute(_LAST, {"command": command_id}).scalar_one())
    tx.conn.execute(
        insert(command_output).values(
            command_id=command_id,
            seq=last + 1,
            node_id=node_id,
            number=said.number,
            offset=min(max(said.offset, 0), MAX_INTEGER),
            omitted=min(max(said.omitted, 0), MAX_INTEGER),
            text=said.text,
        )
    )
    return True


def after(tx: Tx, command_id: str, seq: int, limit: int = MAX_PAGE) -> tuple[Piece, ...]:
    """Return the pieces of a command after a sequence, of all hosts."""
    table = command_output
    query = select(table).where(table.c.command_id == command_id, table.c.seq > seq)
    rows = tx.conn.execute(query.order_by(table.c.seq).limit(limit))
    return tuple(
        Piece(row.seq, row.node_id, row.number, row.offset, row.omitted, row.text) for row in rows
    )


def text_of(tx: Tx, command_id: str, node_id: str) -> str | None:
    """Return what is kept of a host's output, with a line where bytes were left out; None: none."""
    table = command_output
    query = select(table).where(table.c.command_id == command_id, table.c.node_id == node_id)
    parts: list[str] = []
    for row in tx.conn.execute(query.order_by(table.c.number)):
        if row.omitted:
            parts.append(f"\n[{row.omitted} bytes left out]\n")
        parts.append(row.text)
    return "".join(parts) if parts else None
