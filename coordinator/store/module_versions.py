"""Every version of every module that was ever uploaded: exact bytes and signatures.

Which version a name stands for now is the module's record; a run keeps the versions it began with.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from coordinator.store import schema
from coordinator.store.database import Tx
from protocol import dsse
from protocol.messages import ModuleVersion


def put(tx: Tx, scope: str, module: ModuleVersion, uploaded_by: str) -> None:
    """Store a version; the same bytes again replace only the signatures."""
    envelope = dsse.encode(module.envelope).decode() if module.envelope is not None else None
    tx.conn.execute(
        insert(schema.module_versions)
        .values(
            scope=scope,
            name=module.name,
            sha256=module.sha256,
            content=module.content,
            envelope=envelope,
            uploaded_at=tx.now,
            uploaded_by=uploaded_by,
        )
        .on_conflict_do_update(
            index_elements=["scope", "name", "sha256"],
            set_={"envelope": envelope, "uploaded_at": tx.now, "uploaded_by": uploaded_by},
        )
    )


def get(tx: Tx, scope: str, name: str, sha256: str) -> ModuleVersion | None:
    """Return one version, or None if there is none of this content in the scope."""
    table = schema.module_versions
    row = tx.conn.execute(
        select(table).where(table.c.scope == scope, table.c.name == name, table.c.sha256 == sha256)
    ).first()
    if row is None:
        return None
    envelope = dsse.decode(row.envelope.encode()) if row.envelope is not None else None
    return ModuleVersion(row.name, row.sha256, row.content, envelope)
